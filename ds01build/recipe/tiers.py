"""Tiers: the named slices of a recipe, as values, and how each is read from its table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build import catalogue
from ds01build.errors import Ds01Error
from ds01build.fields import did_you_mean
from ds01build.grammar import (
    absolute_path,
    deb,
    matching,
    mode,
    package_name,
    relative_path,
    requirement,
    tier_name,
)
from ds01build.target import STANDARD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ds01build.catalogue import Bundle
    from ds01build.fields import Fields

__all__ = [
    "AptTier",
    "FileEntry",
    "FilesTier",
    "PythonTier",
    "RunTier",
    "Tier",
    "file_path",
    "packages_of",
    "read_tier",
]

DEFAULT_MODE = 0o644

_PYPROJECT = re.compile(r"(?P<path>(?:.*/)?pyproject\.toml)(?:\[(?P<extras>[^\[\]]*)\])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class AptTier:
    """Debian packages: ``name`` or ``name=version``. ``bundle`` is empty when there is none.

    ``after``, here and in the other kinds, names every tier that this one needs.
    """

    name: str
    packages: tuple[str, ...] = ()
    bundle: str = ""
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonTier:
    """Python packages, as requirements in normal form (PEP 508).

    ``requirements`` is the path of a file with more of them, relative to the recipe; a
    pyproject.toml may be followed by extras in brackets.
    """

    name: str
    packages: tuple[str, ...] = ()
    bundle: str = ""
    requirements: str = ""
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file: ``source`` relative to the recipe, ``to`` absolute in the image."""

    source: str
    to: str
    mode: int = DEFAULT_MODE


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesTier:
    """Files from beside the recipe."""

    name: str
    files: tuple[FileEntry, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTier:
    """Shell commands that an engine executes, without a network unless ``network`` says so."""

    name: str
    commands: tuple[str, ...] = ()
    network: bool = False
    after: tuple[str, ...] = ()


Tier = AptTier | PythonTier | FilesTier | RunTier


def packages_of(tier: Tier, bundles: Mapping[str, Bundle]) -> tuple[str, ...]:
    """Return what ``tier`` asks for by name: its bundle's packages, then its own, each once.

    What its requirements file adds is read by ``ds01build.recipe.requirements.expand``.
    """
    if not isinstance(tier, (AptTier, PythonTier)):
        return ()
    bundled = bundles[tier.bundle].packages if tier.bundle else ()
    return tuple(dict.fromkeys((*bundled, *tier.packages)))


def read_tier(name: str, table: Fields) -> Tier | None:
    """Read one table of ``[tiers]``; None when it does not say what kind of tier it is."""
    kind = table.required("kind", _kind)
    if kind not in _KINDS:
        return None
    _check_name(name, table)
    tier = _KINDS[kind](name, table, table.texts("after", tier_name))
    table.close()
    return tier


def _kind(text: str) -> str:
    if text not in _KINDS:
        near = did_you_mean(text, _KINDS)
        raise ValueError(f"no kind of tier is called {text!r:.100}; use {', '.join(_KINDS)}{near}")
    return text


def _check_name(name: str, table: Fields) -> None:
    try:
        tier_name(name)
    except ValueError as error:
        table.report(str(error))
    if name == "base":
        table.report("a tier cannot be called 'base': that is what all tiers stand on")


def _apt(name: str, table: Fields, after: tuple[str, ...]) -> AptTier:
    if "packages" not in table and "bundle" not in table:
        table.report("needs packages or a bundle")
    return AptTier(
        name=name,
        packages=_once(table.texts("packages", deb)),
        bundle=table.text("bundle", _bundle_for("apt")),
        after=after,
    )


def _python(name: str, table: Fields, after: tuple[str, ...]) -> PythonTier:
    if not any(key in table for key in ("packages", "bundle", "requirements")):
        table.report("needs packages, a bundle or requirements")
    return PythonTier(
        name=name,
        packages=_once(table.texts("packages", requirement)),
        bundle=table.text("bundle", _bundle_for("python")),
        requirements=table.text("requirements", _requirements_file),
        after=after,
    )


def _files(name: str, table: Fields, after: tuple[str, ...]) -> FilesTier:
    entries = tuple(_file(entry) for entry in table.tables("files"))
    if not table.count("files"):
        table.report("needs at least one file", "files")
    return FilesTier(name=name, files=entries, after=after)


def _file(table: Fields) -> FileEntry:
    entry = FileEntry(
        source=table.required("from", relative_path),
        to=table.required("to", file_path),
        mode=int(table.text("mode", mode) or f"{DEFAULT_MODE:o}", 8),
    )
    table.close()
    return entry


def _run(name: str, table: Fields, after: tuple[str, ...]) -> RunTier:
    commands = table.texts("commands", matching(r"(?=.*\S).*", "a command"))
    if not table.count("commands"):
        table.report("needs at least one command", "commands")
    return RunTier(name=name, commands=commands, network=table.flag("network"), after=after)


_KINDS: Mapping[str, Callable[[str, Fields, tuple[str, ...]], Tier]] = {
    "apt": _apt,
    "python": _python,
    "files": _files,
    "run": _run,
}


def _bundle_for(kind: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        try:
            bundle = catalogue.bundle(text)
        except Ds01Error as error:
            raise ValueError(str(error)) from error
        if bundle.kind != kind:
            raise ValueError(f"the bundle {text!r} is for {bundle.kind} tiers")
        return text

    return check


def file_path(text: str) -> str:
    """Check the path of a file in the image: none that is a directory everywhere."""
    if absolute_path(text).lstrip("/") in STANDARD:
        raise ValueError(f"{text!r} is a directory")
    return text


def _requirements_file(text: str) -> str:
    match = _PYPROJECT.fullmatch(text)
    if match is None:
        return relative_path(text)
    named = match["extras"].split(",") if match["extras"] else []
    extras = sorted({package_name(each.strip()) for each in named})
    return relative_path(match["path"]) + (f"[{','.join(extras)}]" if match["extras"] else "")


def _once(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))
