"""A difference as Markdown for a pull request; whatever a name may be, it stays a name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.cli.output import grown, visible
from ds01build.quantities import readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ds01build.difference import Difference, Package, PackageChange

__all__ = ["code", "markdown"]

_PLAIN = re.compile(r"[A-Za-z0-9 .,:;=<>!~+/@()\[\]{}*_%^?$#'\"-]+")
_SHOWN = 200  # rows of a table: what a pull request may say is bounded


def code(text: str) -> str:
    """Return ``text`` as code that stands in a table (GitHub Flavored Markdown 4.10 and 6.3).

    In it a backtick would end a code span, and a bar or backslash a cell, whatever is put before
    them: text with those is written in references to characters.
    """
    shown = visible(text)
    if not shown or _PLAIN.fullmatch(shown):
        return f"`{shown}`" if shown else ""
    return (
        f"<code>{''.join(each if each.isalnum() else f'&#{ord(each)};' for each in shown)}</code>"
    )


def markdown(found: Difference) -> str:
    """Return the difference as a heading, a summary, and a table for each kind of change."""
    title = f"### {code(found.a.name)} → {code(found.b.name)}"
    if not found:
        return f"{title}\n\nNothing differs."
    blocks = [title, _summary(found), *_packages(found), *_settings(found), *_layers(found)]
    return "\n\n".join(blocks)


def _summary(found: Difference) -> str:
    turns = [each.turn for each in found.packages]
    counts = ", ".join(f"{turns.count(turn)} {turn}" for turn in dict.fromkeys(turns))
    packages = (counts or "none differs") if found.is_of_locks else "not known of both"
    size = f"{readable(found.b.size)} ({grown(found.b.size - found.a.size)})"
    return f"Packages: {packages}. Layers: {size}; a pull sends {readable(found.sent)}."


def _packages(found: Difference) -> Iterator[str]:
    rows = [_package(each) for each in found.packages]
    yield from _table(["package", "change", "before", "after", "tier", "size"], rows)


def _package(each: PackageChange) -> list[str]:
    side = each.after or each.before
    tiers = each.moves or ((side.tier,) if side else ())
    texts = [_version(each.before), _version(each.after), " → ".join(map(code, tiers))]
    return [code(each.name), each.turn, *texts, grown(each.growth)]


def _version(package: Package | None) -> str:
    return code(package.version) if package else ""


def _settings(found: Difference) -> Iterator[str]:
    rows = [[code(each.field), code(each.before), code(each.after)] for each in found.settings]
    yield from _table(["setting", "before", "after"], rows)


def _layers(found: Difference) -> Iterator[str]:
    rows = [
        [each.status, code(each.layer.tier), code(each.layer.title), readable(each.layer.size)]
        for each in found.changed_layers
    ]
    yield from _table(["layer", "tier", "holds", "size"], rows)


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table, nothing where it would have no rows."""
    lines = [heading, ["---"] * len(heading), *rows[:_SHOWN]]
    if rows:
        text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        more = f"\n\nand {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
        yield text + more
