"""Writes the stages of a lock as a Dockerfile, with the files that it copies.

The only module that imports jinja2. Equal locks give equal bytes: there is no time in them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import jinja2

from ds01build.dockerfile import words
from ds01build.dockerfile.stages import base_of, stages
from ds01build.dockerfile.volumes import watched
from ds01build.errors import Ds01Error
from ds01build.labels import labels_of, outdated
from ds01build.layers.survey import ELSEWHERE, VOLUME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.base.config import BaseConfig
    from ds01build.digest import Key
    from ds01build.graph import Graph
    from ds01build.lock import Lock, LockedImage
    from ds01build.pin import FilePin, WheelPin
    from ds01build.target import Target

__all__ = ["ContextFile", "Rendered", "Tag", "render", "render_own", "wheels_of"]

INSTALLER = "install.py"
WHEELS = "wheels"
ROOT = "/ds01/root"  # as the template has it
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextFile:
    """A declared file that the build copies: ``pin`` says which, and ``name`` where it lies."""

    name: str
    pin: FilePin


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A Dockerfile and its build context.

    ``files`` are by their names relative to the context. ``declared`` are files from beside the
    recipe, which whoever writes the context has to put there, with the mode of their pin.
    """

    dockerfile: str
    files: Mapping[str, bytes]
    declared: tuple[ContextFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """How a stage that ds01 has built is called in the engine."""

    key: Key

    def __str__(self) -> str:
        return f"ds01/tier:{self.key.hex}"


def render(graph: Graph, lock: Lock, config: BaseConfig) -> Rendered:
    """Return the Dockerfile of ``lock`` that anyone can build, with nothing but its context.

    ``config`` is the base's own. Raises Ds01Error for a lock whose base is not an image, for a
    wheel that was built from source, and for text that no Dockerfile can hold.
    """
    return _render(graph, lock, config, _Manner())


def render_own(graph: Graph, lock: Lock, config: BaseConfig, names: Mapping[Key, str]) -> Rendered:
    """Return the Dockerfile that ds01 itself builds, stage by stage.

    ``names`` say by key what the engine calls the image of a stage that it has. Wheels are read
    from the directory ``wheels`` of the context instead of an index. Raises as ``render`` does.
    """
    manner = _Manner(names=names, wheels=WHEELS)
    return _render(graph, lock, config, manner)


def wheels_of(lock: Lock, tier: str) -> tuple[WheelPin, ...]:
    """Return the wheels of one tier, by name."""
    return tuple(sorted(pin for pin in lock.wheels if pin.tier == tier))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manner:
    """What differs between the published Dockerfile and the one that ds01 builds."""

    names: Mapping[Key, str] = field(default_factory=dict)
    wheels: str = ""


def _render(graph: Graph, lock: Lock, config: BaseConfig, manner: _Manner) -> Rendered:
    made = stages(graph, lock)
    python = [tier.name for tier in lock.tiers if tier.kind == "python"]
    roots = _roots(lock.target) if lock.target and python else ()
    contents = {_requirements(tier): _locked(lock, tier, manner) for tier in python}
    if python:
        contents[INSTALLER] = _text(f"{INSTALLER}.j2").encode()
    try:
        dockerfile = _template().render(
            lock=lock,
            base=base_of(lock),
            base_config=config,
            volumes=watched(config.volumes),
            labels=_labels(graph, lock, config),
            source=_source(base_of(lock)),
            tiers={tier.name: tier for tier in lock.tiers},
            stages=[(stage, manner.names.get(stage.key, "")) for stage in made],
            packages=_packages(lock),
            wheels={tier: wheels_of(lock, tier) for tier in python},
            files=_files(lock),
            roots=roots,
            installation=lambda tier: _installation(lock, tier, roots, manner),
            removal=lambda one: ["rm", "-rf", "--", *(f"/{path}" for path in one.paths)],
            manner=manner,
        )
    except ValueError as error:
        raise Ds01Error(f"{lock.name} cannot be written as a Dockerfile: {error}") from error
    declared = tuple(each for every in _files(lock).values() for each in every)
    return Rendered(dockerfile=dockerfile, files=contents, declared=declared)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=False,  # noqa: S701  (no HTML; every value passes through a filter below)
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        argv=words.argv,
        comment=words.comment,
        listed=words.listed,
        pairs=words.pairs,
        quoted=words.quoted,
        word=words.word,
        requirements=_requirements,
    )
    environment.globals.update(paths=words.paths, volume=VOLUME, elsewhere=ELSEWHERE)
    return environment.from_string(_text("Dockerfile.j2"))


def _text(name: str) -> str:
    return files("ds01build.dockerfile").joinpath("templates", name).read_text(encoding="utf-8")


def _source(base: LockedImage) -> str:
    """Return the base by its digest alone: a tag beside it says nothing, and moves."""
    name = base.reference.partition("@")[0]
    place = name.rfind("/") + 1
    return f"{name[:place]}{name[place:].partition(':')[0]}@{base.manifest}"


def _labels(graph: Graph, lock: Lock, config: BaseConfig) -> Mapping[str, str]:
    """Return the labels of the image. Those that it must not inherit can only be emptied."""
    own = labels_of(lock, graph)
    return {**own, **dict.fromkeys(outdated(config.labels, own), "")}


def _packages(lock: Lock) -> Mapping[str, list[str]]:
    apt = [tier.name for tier in lock.tiers if tier.kind == "apt"]
    return {tier: [str(pin) for pin in sorted(lock.debs) if pin.tier == tier] for tier in apt}


def _requirements(tier: str) -> str:
    return f"requirements/{tier}.txt"


def _installation(lock: Lock, tier: str, roots: tuple[str, ...], manner: _Manner) -> list[str]:
    assert lock.target is not None, "a lock with Python tiers has a target"
    found = ["--no-index", f"--find-links=/ds01/{manner.wheels}"] if manner.wheels else []
    locked = f"/ds01/{tier}.txt"
    program = [lock.target.interpreter, f"/ds01/{INSTALLER}"]
    return [*program, locked, ROOT, *roots, "--", *found]


def _locked(lock: Lock, tier: str, manner: _Manner) -> bytes:
    """Return the wheels of ``tier`` as pip reads them: names, versions or URLs, and digests."""
    lines = [f"# {tier}: {len(wheels_of(lock, tier))} wheels, locked by ds01"]
    for pin in wheels_of(lock, tier):
        lines += [f"# from the index {pin.index!r}"] if pin.index != "default" else []
        lines.append(f"{str(pin) if manner.wheels else _offered(pin)} --hash={pin.digest}")
    return ("\n".join(lines) + "\n").encode()


def _offered(pin: WheelPin) -> str:
    """Return what pip finds a wheel by. Raises Ds01Error for one that nobody offers."""
    if pin.is_built:
        raise Ds01Error(
            f"{pin} was built from its source: no index has its wheel, and a Dockerfile cannot "
            "install it",
            hint="ds01 build makes the image with it",
        )
    return f"{pin.name} @ {pin.source.place}" if pin.source else str(pin)


def _files(lock: Lock) -> Mapping[str, tuple[ContextFile, ...]]:
    tiers = [tier.name for tier in lock.tiers if tier.kind == "files"]
    return {
        tier: tuple(
            ContextFile(name=_context_name(pin), pin=pin)
            for pin in sorted(lock.files)
            if pin.tier == tier
        )
        for tier in tiers
    }


def _context_name(pin: FilePin) -> str:
    """Return a name that COPY cannot take for a pattern, and that is this file's alone."""
    last = _UNSAFE.sub("_", pin.source.rpartition("/")[2])[-80:]
    return f"files/{pin.digest.hex[:16]}-{pin.mode:04o}-{last}"


def _roots(target: Target) -> tuple[str, ...]:
    """Return the fewest directories that hold every place a wheel's files can go to.

    Where they really lie: a copy onto a link of the base would put a directory in its place.
    """
    schemes = target.schemes
    every = (schemes.purelib, schemes.platlib, schemes.scripts, schemes.data, schemes.headers)
    real = sorted({f"/{target.resolve(path)}" for path in every})
    if real[0] == "/":
        raise Ds01Error("the base's Python installs onto its root, and nothing may be copied there")
    return tuple(path for path in real if not any(path.startswith(f"{other}/") for other in real))
