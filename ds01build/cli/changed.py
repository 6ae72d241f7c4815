"""What changes in a lock, as people and programs read it: of two compared, and of an edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.cli.output import grown, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ds01build.difference import Package, PackageChange

__all__ = ["headed", "package_answer", "package_lines"]


def package_answer(each: PackageChange) -> dict[str, object]:
    """Return the object that ``--json`` prints of a package; a side that lacks it is null."""
    return {
        "kind": each.kind,
        "name": each.name,
        "change": each.turn,
        "before": _side(each.before),
        "after": _side(each.after),
    }


def _side(package: Package | None) -> dict[str, object] | None:
    if package is None:
        return None
    return {"version": package.version, "tier": package.tier, "size": package.size}


def package_lines(packages: Iterable[PackageChange]) -> Iterator[str]:
    """Yield a table with an empty line behind it, nothing where no package changes."""
    rows = [
        [each.name, each.turn, _versions(each), _tiers(each), grown(each.growth)]
        for each in packages
    ]
    lines = table(["PACKAGE", "CHANGE", "VERSION", "TIER", "SIZE"], rows).splitlines()
    if rows:
        yield from [*lines, ""]


def _versions(each: PackageChange) -> str:
    versions = [side.version for side in (each.before, each.after) if side]
    return " -> ".join(dict.fromkeys(versions))


def _tiers(each: PackageChange) -> str:
    side = each.after or each.before
    return " -> ".join(each.moves or ((side.tier,) if side else ()))


def headed(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield lines below a title, with an empty line behind them, nothing where there are none."""
    found = [f"  {line}" for line in lines]
    if found:
        yield from [f"{title}:", *found, ""]
