"""What a person said about an image to be: by flags, by prompts, or not at all yet."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.fields import did_you_mean
from ds01build.grammar import (
    RELEASES,
    deb,
    recipe_name,
    requirement,
    requirement_name,
    requirement_words,
    suite,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.recipe import Base

__all__ = ["NO", "Answers", "Picked", "debs", "image_name", "release", "requirements", "tools"]

NO = ("no", "n", "none")  # none of what is offered


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """What goes into one tier: a bundle, packages of one's own, both or nothing."""

    bundle: str = ""
    packages: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.bundle or self.packages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """An image to be; None is what nobody has answered yet.

    ``requirements`` is a file whose packages take the place of those that are picked: its path
    below the recipe, or its lines where it lies elsewhere; empty for none.
    """

    name: str | None = None
    base: Base | None = None
    requirements: str | tuple[str, ...] | None = None
    essential: Picked | None = None
    jupyter: Picked | None = None
    data_science: Picked | None = None
    use_cases: tuple[Picked, ...] | None = None
    packages: tuple[str, ...] | None = None
    system: Picked | None = None


def image_name(text: str) -> str:
    """Return the name that is meant: lower case, with hyphens for spaces and no accents.

    Raises ValueError where letters would be lost, or nothing is left of it.
    """
    plain = unicodedata.normalize("NFKD", text.strip().casefold())
    for sign in plain:
        if sign in "/:@" or (sign.isalnum() and not sign.isascii()):
            raise ValueError(f"{text!r:.200} is not an image name: {sign!r} has no place in one")
    lower = "-".join(plain.split())
    kept = "".join(each for each in lower if each.isascii() and (each.isalnum() or each in "._-"))
    while any(twice in kept for twice in ("--", "..", "__")):
        kept = kept.replace("--", "-").replace("..", ".").replace("__", "_")
    return recipe_name(kept.strip("._-") or text)


def release(text: str) -> str:
    """Return the codename of a release of Debian. Raises ValueError for one that nobody knows.

    Whether a mirror has it is seen when it is locked.
    """
    name = suite(text.strip().lower())
    if name not in RELEASES:
        near = did_you_mean(name, RELEASES)
        raise ValueError(f"Debian has no release {name!r}; it has {', '.join(RELEASES[:7])}{near}")
    return name


def requirements(text: str) -> tuple[str, ...]:
    """Return the Python requirements of a line, separated by spaces or commas.

    Raises ValueError.
    """
    return _once(requirement_words(text), requirement, requirement_name)


def debs(text: str) -> tuple[str, ...]:
    """Return the Debian packages of a line, separated as those are. Raises ValueError."""
    return _once(text.replace(",", " ").split(), deb, lambda each: each.partition("=")[0])


def tools(text: str, usual: str) -> Picked:
    """Return the Debian packages of a line beside the bundle of the ``usual`` ones.

    "no" is neither. Raises ValueError.
    """
    if text.strip().lower() in NO:
        return Picked()
    return Picked(bundle=usual, packages=debs(text))


def _once(
    words: list[str], read: Callable[[str], str], name: Callable[[str], str]
) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for word in words:
        value = read(word)
        other = found.setdefault(name(value), value)
        if other != value:
            raise ValueError(f"asked for twice: {other} and {value}")
    return tuple(found.values())
