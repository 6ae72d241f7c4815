"""What the phases show, read from screens.toml beside this file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from ds01build.fields import load

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Screen", "UseCase", "question", "screen", "use_cases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """A phase that offers one bundle: ``lines`` say what its packages are for."""

    question: str
    intro: str
    lines: tuple[str, ...]
    yes: str
    no: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCase:
    """A bundle as one of several: ``use`` says what it is for."""

    title: str
    use: str


def screen(bundle: str) -> Screen:
    """Return the screen of the phase that offers ``bundle``."""
    table = _tables()[bundle]
    texts = {key: str(table[key]) for key in ("question", "intro", "yes", "no")}
    lines = table["lines"]
    assert isinstance(lines, list), "the file says so"
    return Screen(lines=tuple(map(str, lines)), **texts)


def question(phase: str) -> str:
    """Return what a phase asks."""
    return str(_tables()[phase]["question"])


def use_cases() -> dict[str, UseCase]:
    """Return the bundles that are use cases, in the order in which they are offered."""
    cases = {key: table for key, table in _tables()["use-case"].items() if isinstance(table, dict)}
    return {key: UseCase(title=case["title"], use=case["use"]) for key, case in cases.items()}


@cache
def _tables() -> Mapping[str, Mapping[str, object]]:
    text = files("ds01build.wizard").joinpath("screens.toml").read_text(encoding="utf-8")
    tables = load(text)
    return {name: table for name, table in tables.items() if isinstance(table, dict)}
