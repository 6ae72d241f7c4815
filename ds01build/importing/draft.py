"""What a source asks for, as a value, and what of it a recipe has no place for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ds01build.errors import UsageError
from ds01build.grammar import recipe_name
from ds01build.importing.secrecy import masked
from ds01build.recipe import ImageSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ds01build.recipe import Base

__all__ = [
    "Draft",
    "Included",
    "Kind",
    "Note",
    "Outcome",
    "Slice",
    "Teller",
    "merged",
    "name_from",
    "noted",
]

Kind = Literal["apt", "python"]

# What became of a part of a source: it is in no recipe; it is, but as something else; there is no
# need for it, since ds01 does it anyway.
Outcome = Literal["dropped", "changed", "done"]

# Is told an outcome, where the part stands (its line, or its place in a script), the part, and why.
Teller = Callable[[Outcome, int, str, str], None]

# Where tiers stand in a recipe, and layers in a fresh lock; the others come in between, as given.
_FIRST = ("system", "jupyter", "data-science", "use-case")
_LAST = ("additional", "custom")

_SHOWN = 200  # characters
_NAME_LIMIT = 128  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What became of one part of a source, and why; ``line`` is 0 where it has none.

    ``text`` is that part, on one line, cut, and without what may be a secret.
    """

    outcome: Outcome
    source: str  # the file's name, or the container's
    line: int = 0
    text: str
    reason: str

    @property
    def place(self) -> str:
        """Where it stands: ``SOURCE:LINE``."""
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(frozen=True, slots=True, kw_only=True)
class Included:
    """A requirements file beside the source, which a recipe may name instead of copying it.

    ``path`` is relative to the source's directory, as a tier's ``requirements`` has it. ``notes``
    say what is lost where ``packages`` are copied. A recipe can only name a file that is ``whole``:
    every line of it is one that ds01 reads.
    """

    path: str
    packages: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Packages that go to one tier, in normal form, and the file that asks for more of them."""

    tier: str
    kind: Kind
    packages: tuple[str, ...] = ()
    included: Included | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a source comes to. ``name`` is any text, or empty; ``base`` is None where it has none.

    Slices may be of the same tier.
    """

    name: str = ""
    base: Base | None = None
    slices: tuple[Slice, ...] = ()
    image: ImageSettings = field(default_factory=ImageSettings)
    notes: tuple[Note, ...] = ()


def noted(outcome: Outcome, source: str, line: int, text: str, reason: str) -> Note:
    """Return a note whose text can be shown: on one line, up to 200 characters, no secrets."""
    words = " ".join(masked(text[: 8 * _SHOWN]).split())
    shown = "".join(each if each.isprintable() else "?" for each in words)
    cut = shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 3]}..."
    return Note(outcome=outcome, source=source, line=line, text=cut, reason=reason)


def name_from(text: str) -> str:
    """Return the name of an image that ``text`` is nearest to, empty where there is none.

    Lower case, spaces as hyphens, as DS01 has always named projects; single separators.
    """
    plain = unicodedata.normalize("NFKD", text[: 4 * _NAME_LIMIT]).lower()
    kept = re.sub(r"[^a-z0-9._-]", "", re.sub(r"\s+", "-", plain))
    found = re.sub(r"([._-])[._-]+", r"\1", kept)[:_NAME_LIMIT].strip("._-")
    try:
        return recipe_name(found)
    except ValueError:
        return ""


def merged(drafts: Sequence[Draft]) -> Draft:
    """Return one draft of several: tiers of one name as one, in the order that recipes have.

    Raises UsageError where two give a base.
    """
    bases = dict.fromkeys(draft.base for draft in drafts if draft.base is not None)
    if len(bases) > 1:
        raise UsageError(
            "the sources stand on different bases", hint="import one of them alone, or --base REF"
        )
    images = [draft.image for draft in drafts if draft.image != ImageSettings()]
    return Draft(
        name=next((draft.name for draft in drafts if name_from(draft.name)), ""),
        base=next(iter(bases), None),
        slices=tuple(_ordered(_united(each for draft in drafts for each in draft.slices))),
        image=images[0] if images else ImageSettings(),
        notes=tuple(dict.fromkeys(note for draft in drafts for note in draft.notes)),
    )


def _united(slices: Iterable[Slice]) -> list[Slice]:
    """Join slices of one tier; a second file of a tier gets a tier of its own."""
    found: dict[str, Slice] = {}
    for each in slices:
        name, number = each.tier, 1
        while name in found and not _joinable(found[name], each):
            number += 1
            name = f"{each.tier}-{number}"
        before = found.get(name)
        packages = (*(before.packages if before else ()), *each.packages)
        found[name] = Slice(
            tier=name,
            kind=each.kind,
            packages=tuple(dict.fromkeys(packages)),
            included=each.included or (before.included if before else None),
        )
    return list(found.values())


def _joinable(first: Slice, second: Slice) -> bool:
    files = {each.included.path for each in (first, second) if each.included}
    return first.kind == second.kind and len(files) <= 1


def _ordered(slices: Iterable[Slice]) -> list[Slice]:
    def rank(each: Slice) -> int:
        if each.tier in _FIRST:
            return _FIRST.index(each.tier)
        return len(_FIRST) + 1 + (_LAST.index(each.tier) if each.tier in _LAST else -1)

    return sorted(slices, key=rank)
