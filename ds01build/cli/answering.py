"""Flags of image-create to answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ds01build.cli import phases
from ds01build.cli.creation import ASK

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.recipe import Base
    from ds01build.wizard import Answers, Picked

__all__ = ["given", "named", "refuse_answers"]

T = TypeVar("T")

_ANSWERS = (
    *("framework", "base", "debian", "arch", "types", "jupyter", "data_science"),
    *("packages", "system", "requirements", "bundles"),
)
_YES = ("yes", "y")
# Words that people mean as an answer, and that somebody has a package of, or may have tomorrow.
_NEITHER = ("true", "false", "on", "off", "default", "defaults", "maybe", "all", "skip", "custom")


def given(name: str | None, rest: dict[str, Any]) -> Answers:
    """Return the answers that flags give. Raises UsageError."""
    from ds01build.wizard import Answers
    from ds01build.wizard.answers import requirements
    from ds01build.workflow import creating

    found = Answers(
        name=_called(name, rest) if name is not None else None,
        base=_base(rest),
        jupyter=_picked("jupyter", rest["jupyter"]),
        data_science=_picked("data-science", rest["data_science"]),
        use_cases=_cases(rest["types"]) if rest["types"] else None,
        packages=_all("--packages", requirements, rest["packages"]) if rest["packages"] else None,
        system=_system(rest) if rest["system"] else None,
    )
    if rest["bundles"] is not None:
        _refuse_picks(rest)
    if rest["bundles"] not in (None, ASK):
        found = _bundled(found, rest["bundles"])
    if rest["requirements"] is None:
        return found
    from dataclasses import replace

    from ds01build.wizard.phases import bare

    if found.name is None:
        raise click.UsageError("--requirements needs the NAME of the image")
    project = creating.project_of(found.name, Path.home())
    return bare(replace(found, requirements=creating.take(rest["requirements"], project)))


def _bundled(found: Answers, listed: str) -> Answers:
    """Return answers with bundles; what stands behind the option is taken for their list."""
    from ds01build.wizard import checklist

    try:
        return checklist.selected(found, listed.replace(",", " ").split())
    except ValueError as error:
        is_nameless = found.name is None
        eaten = "; where that is the NAME, it comes before --bundles" if is_nameless else ""
        raise click.UsageError(f"--bundles: {error}{eaten}") from error


def _refuse_picks(rest: dict[str, Any]) -> None:
    for answer in ("types", "jupyter", "data_science"):
        if rest[answer]:
            raise click.UsageError(f"--bundles takes the place of {_flag(answer)}: give one")


def _flag(answer: str) -> str:
    return "--type" if answer == "types" else f"--{answer.replace('_', '-')}"


def named(name: str | None, rest: dict[str, Any]) -> str:
    """Return the name of an image for which nothing is asked. Raises UsageError."""
    if name is None:
        raise click.UsageError("--dockerfile needs the NAME of the image")
    return _called(name, rest)


def _called(name: str, rest: dict[str, Any]) -> str:
    """Return the name that is made of one, which is told where it is another."""
    from ds01build.wizard.answers import image_name

    made = _read("NAME", image_name, name)
    if made != name:
        phases.tell(f"It is going to be called {made}.", rest)
    return made


def refuse_answers(rest: dict[str, Any]) -> None:
    """Raise UsageError for answers beside a Dockerfile, which has them all."""
    for answer in _ANSWERS:
        if rest[answer] not in (None, ()):
            raise click.UsageError(f"{_flag(answer)} has no meaning with --dockerfile")


def _base(rest: dict[str, Any]) -> Base | None:
    from ds01build.catalogue import LATEST
    from ds01build.grammar import image_reference
    from ds01build.recipe import DebianBase, FrameworkBase, ImageBase
    from ds01build.wizard.answers import release
    from ds01build.wizard.phases import SUITE

    framework = (rest["framework"] or "").lower()
    if rest["base"] or framework == "custom":
        _refuse(rest, "custom", "debian", "arch")
        if not rest["base"]:
            raise click.UsageError("--framework custom needs --base REF")
        return ImageBase(reference=_read("--base", image_reference, rest["base"]))
    if rest["debian"] or framework == "scratch":
        _refuse(rest, "scratch", "base", "arch")
        return DebianBase(suite=_read("--debian", release, rest["debian"] or SUITE))
    if not framework:
        if rest["arch"]:
            raise click.UsageError("--arch needs a --framework")
        return None
    name, _, version = framework.partition(":")
    return FrameworkBase(framework=name, version=version or LATEST, architecture=rest["arch"] or "")


def _refuse(rest: dict[str, Any], framework: str, *others: str) -> None:
    for other in others:
        if rest[other]:
            raise click.UsageError(f"--{other} has no meaning with a {framework} base")
    if (rest["framework"] or framework).lower() != framework:
        raise click.UsageError(f"--framework {rest['framework']} is no {framework} base")


def _picked(bundle: str, text: str | None) -> Picked | None:
    from ds01build.wizard import Picked
    from ds01build.wizard.answers import NO, requirements

    if text is None:
        return None
    word = text.strip().lower()
    if word in _YES or word in NO:
        return Picked(bundle=bundle) if word in _YES else Picked()
    if word in _NEITHER:
        raise click.UsageError(f"--{bundle} takes yes, no, or packages, not {text!r}")
    return Picked(packages=_read(f"--{bundle}", requirements, text))


def _cases(types: tuple[str, ...]) -> tuple[Picked, ...]:
    from ds01build.fields import did_you_mean
    from ds01build.wizard import Picked, screens

    known = (*screens.use_cases(), "custom")
    for name in types:
        if name not in known:
            near = did_you_mean(name, known)
            raise click.UsageError(f"no use case {name!r}; there are {', '.join(known)}{near}")
    return tuple(Picked(bundle=name) for name in known[:-1] if name in types)


def _system(rest: dict[str, Any]) -> Picked:
    from ds01build.wizard import Picked
    from ds01build.wizard.answers import NO, debs
    from ds01build.wizard.phases import usual_tools

    texts = rest["system"]
    if any(text.strip().lower() in NO for text in texts):
        if len(texts) > 1:
            raise click.UsageError("--system no leaves no place for packages")
        return Picked()
    packages = _all("--system", debs, texts)
    return Picked(bundle=usual_tools(_base(rest)), packages=packages)


def _all(
    flag: str, read: Callable[[str], tuple[str, ...]], texts: tuple[str, ...]
) -> tuple[str, ...]:
    from ds01build.grammar import requirement_name

    found: dict[str, str] = {}
    for each in (each for text in texts for each in _read(flag, read, text)):
        other = found.setdefault(requirement_name(each.partition("=")[0]), each)
        if other != each:
            raise click.UsageError(f"{flag}: asked for twice: {other} and {each}")
    return tuple(found.values())


def _read(flag: str, read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except ValueError as error:
        raise click.UsageError(f"{flag}: {error}") from error
