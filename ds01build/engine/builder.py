"""Builds the stages of a Dockerfile in an engine, each once: its image is found by its key.

BuildKit is asked through ``docker buildx``, since no library speaks its protocol; without it, the
engine's own builder is asked over the API. Stages are built one by one, because only so can each
have the network that it needs and no more.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import docker
import docker.errors
import docker.utils
import requests

from ds01build import process
from ds01build.dockerfile import Tag
from ds01build.dockerfile.volumes import complaint
from ds01build.engine.aliases import alias
from ds01build.engine.intermediate import this_builder
from ds01build.engine.leftovers import present, remove_steps
from ds01build.engine.outage import advice, hints
from ds01build.errors import Ds01Error, Unavailable
from ds01build.events import Note
from ds01build.layers.survey import ELSEWHERE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ds01build.digest import Digest, Key
    from ds01build.dockerfile import Stage
    from ds01build.engine.intermediate import Builder as Own
    from ds01build.events import Report

__all__ = [
    "Buildx",
    "Classic",
    "Images",
    "Made",
    "Order",
    "Workplace",
    "build_stages",
    "choose_builder",
    "missing_stages",
]

DOCKERFILE = "Dockerfile"
_SECONDS = 6 * 60 * 60  # a stage may compile for hours
_SHOWN = 20  # lines of a failure
_UNPRINTABLE = re.compile(r"\x1b\[[0-9;]*m|[^\x20-\x7e\t\n]")
# As builders say it: otherwise it was the engine itself that reached nobody, for the base.
_COMMAND_FAILED = re.compile(r"returned a non-zero code: |did not complete successfully: ")
# Build arguments that are defined in every Dockerfile, and left out of history and cache keys.
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


class Tagged(Protocol):
    """An image that an engine has."""

    @property
    def engine_id(self) -> Digest:
        """Its name there."""


class Images(Protocol):
    """The images of an engine."""

    def inspect(self, name: str) -> Tagged | None:
        """Return the image that ``name`` stands for, None without one."""

    def tag(self, engine_id: Digest, tag: str) -> None:
        """Let ``tag`` stand for an image."""

    def remove(self, name: str) -> bool:
        """Remove a tag, and the image where it was the last; False if that is not possible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One stage to build: ``context`` holds its Dockerfile, and ``tag`` is what it will be."""

    context: Path
    target: str
    tag: str
    network: bool


class Builder(Protocol):
    """Builds one stage."""

    def build(self, order: Order) -> tuple[bool, str]:
        """Return whether it was built and tagged, and what was printed meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where stages are built. The log of one that fails is kept below ``logs``.

    ``own`` names this build in the aliases by which stages find each other.
    """

    images: Images
    builder: Builder
    own: Own = field(default_factory=this_builder)
    logs: Path
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The image, and the stages that were run or reused for it, by their names."""

    engine_id: Digest
    ran: tuple[str, ...]
    reused: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Buildx:
    """BuildKit, through the command line's plugin.

    ``environment`` is all that the program sees; DOCKER_HOST in it says which engine is meant.
    """

    program: str
    environment: Mapping[str, str] = field(repr=False)
    cwd: Path

    def build(self, order: Order) -> tuple[bool, str]:
        """Build a stage. Raises Unavailable where the program cannot be started."""
        # The builder "default" is the engine itself: no other one sees the engine's images.
        argv = [self.program, "buildx", "build", "--builder=default", "--load"]
        argv += ["--progress=plain", "--provenance=false"]
        argv += [f"--network={_network(order)}", f"--target={order.target}", f"--tag={order.tag}"]
        # Without a value: that is taken from the environment, which nobody else can see.
        proxies = [name for name in _PROXIES if self.environment.get(name)]
        argv += [f"--build-arg={name}" for name in proxies if order.network]
        argv += [f"--file={order.context / DOCKERFILE}", "--", str(order.context)]
        done = process.run(argv, environment=self.environment, cwd=self.cwd, seconds=_SECONDS)
        return done.code == 0, f"{done.stdout}{done.stderr}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Classic:
    """The builder of an engine without BuildKit, over the API."""

    client: docker.APIClient = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)

    def build(self, order: Order) -> tuple[bool, str]:
        """Build a stage; what a failure leaves is removed.

        Raises Unavailable where the engine stops answering.
        """
        proxies = {name: self.environment[name] for name in _PROXIES if name in self.environment}
        lines: list[str] = []
        before: frozenset[str] | None = None
        done = False
        try:
            before = present(self.client)
            # Packed here, because the client leaves an archive of its own open.
            with tempfile.TemporaryFile() as packed:
                docker.utils.tar(str(order.context), fileobj=packed)
                answer = self.client.build(
                    fileobj=packed,
                    custom_context=True,
                    dockerfile=DOCKERFILE,
                    target=order.target,
                    tag=order.tag,
                    network_mode=_network(order),
                    buildargs=proxies if order.network else {},
                    rm=True,
                    forcerm=True,
                    decode=True,
                )
                done = _read(answer, lines)
                return done, "".join(lines)
        except docker.errors.APIError as error:
            return False, str(error.explanation or error)
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            raise Unavailable("the engine stopped answering", hint="docker info") from error
        finally:
            if not done:
                remove_steps(self.client, "".join(lines), before)


def choose_builder(
    client: docker.APIClient, environment: Mapping[str, str], cwd: Path, *, program: str = "docker"
) -> Buildx | Classic:
    """Return BuildKit where ``program`` has its plugin, else the engine's own builder.

    ``environment`` is what the program may see: the engine's DOCKER_HOST, HOME or DOCKER_CONFIG for
    the registries' credentials, proxies.
    """
    try:
        argv = [program, "buildx", "version"]
        found = process.run(argv, environment=environment, cwd=cwd, seconds=30).code == 0
    except Unavailable:
        found = False
    if found:
        return Buildx(program=program, environment=environment, cwd=cwd)
    return Classic(client=client, environment=environment)


def missing_stages(stages: Sequence[Stage], images: Images) -> tuple[Stage, ...]:
    """Return the stages that have to be built, in order: none when the last one is there."""
    return _wanted(stages, _present(stages, images))


def build_stages(
    stages: Sequence[Stage],
    context: Callable[[Stage, Mapping[Key, str]], AbstractContextManager[Path]],
    workplace: Workplace,
    *,
    base: Iterable[str] = (),
) -> Made:
    """Make the images of ``stages``, the last one being the answer; those that exist are reused.

    ``context`` yields the directory to build a stage in, told by which names the engine has the
    images of others. ``base`` are names by which the engine may have the base already. Raises
    Ds01Error, with the last lines and the path of the whole log, for a stage that fails, and for
    one whose image was removed meanwhile; nothing that needs it is tagged then.
    """
    images = workplace.images
    present = _present(stages, images)
    if stages[0].key not in present and (there := _tag_base(stages[0], base, images)):
        present[stages[0].key] = there
    wanted = _wanted(stages, present)
    with ExitStack() as stack:
        lent = present.items() if wanted else ()
        names = {key: _lent(key, found, workplace, stack) for key, found in lent}
        for stage in wanted:
            workplace.report(Note(f"building {stage.name} in the engine"))
            with context(stage, names) as directory:
                present[stage.key] = _built(stage, directory, workplace, stages)
            names[stage.key] = _lent(stage.key, present[stage.key], workplace, stack)
    return Made(
        engine_id=present[stages[-1].key],
        ran=tuple(each.name for each in wanted),
        reused=tuple(each.name for each in stages if each.kind != "base" and each not in wanted),
    )


def _lent(key: Key, engine_id: Digest, workplace: Workplace, stack: ExitStack) -> str:
    """Give an image a name that lasts as long as ``stack``, and return that."""
    name = alias(workplace.own, key)

    def give_back() -> None:
        with suppress(Unavailable):  # an engine that is lost is told by what needed it
            workplace.images.remove(name)

    stack.callback(give_back)
    workplace.images.tag(engine_id, name)
    return name


def _built(stage: Stage, directory: Path, workplace: Workplace, stages: Sequence[Stage]) -> Digest:
    images = workplace.images
    before = _present(stages, images)
    order = Order(context=directory, target=stage.name, tag=_tag(stage), network=stage.network)
    done, text = workplace.builder.build(order)
    found = images.inspect(_tag(stage)) if done else None
    if found is not None:
        return found.engine_id
    gone = [each for each in stages if each.key in before and not images.inspect(_tag(each))]
    if done or gone:
        names = ", ".join(f"{each.name} ({_tag(each)})" for each in gone or [stage])
        raise Ds01Error(
            f"somebody removed images from the engine while they were needed: {names}",
            hint="run the same command again: what is missing is then built anew",
        )
    raise _failure(stage, text, workplace.logs)


def _present(stages: Iterable[Stage], images: Images) -> dict[Key, Digest]:
    found = ((stage.key, images.inspect(_tag(stage))) for stage in stages)
    return {key: image.engine_id for key, image in found if image}


def _wanted(stages: Sequence[Stage], present: Collection[Key]) -> tuple[Stage, ...]:
    if stages[-1].key in present:
        return ()
    return tuple(each for each in stages if each.kind != "base" and each.key not in present)


def _tag(stage: Stage) -> str:
    return str(Tag(key=stage.key))


def _tag_base(stage: Stage, names: Iterable[str], images: Images) -> Digest | None:
    """Tag the base if the engine has it under one of ``names``: it need not be pulled then."""
    for name in names:
        found = images.inspect(name)
        if found is not None:
            images.tag(found.engine_id, _tag(stage))
            return found.engine_id
    return None


def _network(order: Order) -> str:
    # The host's: mirrors and proxies that this machine reaches are reached from there too.
    return "host" if order.network else "none"


def _read(answer: Iterable[Mapping[str, Any]], lines: list[str]) -> bool:
    """Say whether a build over the API ended well; ``lines`` get its output as it comes."""
    for message in answer:
        lines.append(str(message.get("error", message.get("stream", ""))))
        if "error" in message:
            return False
    return True


def _failure(stage: Stage, text: str, logs: Path) -> Ds01Error:
    readable = _UNPRINTABLE.sub("", text)
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{stage.name}-{stage.key.hex[:16]}.log"
    log.write_text(readable, encoding="utf-8")
    if problem := complaint(readable):
        return Ds01Error(f"{stage.tier or 'the image'}: {problem}", hint=ELSEWHERE)
    last = "\n".join(readable.strip().splitlines()[-_SHOWN:])
    what = f"tier {stage.tier}" if stage.tier else "the image"
    cut_off = stage.kind == "run" and not stage.network and _COMMAND_FAILED.search(last)
    helps = advice("none" if cut_off else "", last)
    problem = f"{what} could not be built in the engine:\n{last}"
    return Ds01Error(problem, hint=hints(f"less {log}", helps))
