"""``ds01 why``: why a package is in an image."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ds01build.cli import completers, options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ds01build.origin import Chain, Origin
    from ds01build.workflow.tracing import Bound, InBase, Traced

__all__ = ["why"]

_SHOWN = 10  # chains, and packages that need it; --json has all


_UNBOUND = {
    "python": "nothing in the recipe bounds it: the newest that fitted when it was locked",
    "debian": "nothing in the recipe bounds it: what the archives had when it was locked",
}


@click.command()
@options.recipe
@click.argument("package", shell_complete=completers.locked_packages)
@options.as_json
@options.quiet
def why(recipe: Path, package: str, as_json: bool, quiet: bool) -> None:
    """Say who needs PACKAGE, which tier and layer of RECIPE hold it, and what bound its version.

    RECIPE must have a fresh lock. Of a base image, what was found in it when it was locked counts.

    \b
    ds01 why recipes/thesis.toml numpy
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json, print_lines
    from ds01build.cli.progress import progress
    from ds01build.workflow.steps import Choices
    from ds01build.workflow.tracing import why as traced

    with progress(quiet=quiet) as report:
        found = traced(recipe, package, wiring.edges(report, Choices(load="never")))
    if as_json:
        print_json(_answer(found))
    else:
        print_lines(_lines(found))


def _answer(found: Traced) -> dict[str, object]:
    rows = zip(found.origins, found.bounds, found.silent, strict=True)
    return {
        "schema": "ds01.why/1",
        "package": found.name,
        "found": [{**_origin_answer(each, bounds), "silent": list(s)} for each, bounds, s in rows],
        "base": [asdict(each) for each in found.base],
        "base_unknown": found.unknown or None,
    }


def _origin_answer(origin: Origin, bounds: Sequence[Bound]) -> dict[str, object]:
    pin, holder = origin.pin, origin.holder
    return {
        "kind": origin.kind,
        "name": pin.name,
        "version": pin.version,
        "size": pin.size,
        "sha256": pin.digest.hex,
        "tier": pin.tier,
        "layer": {**asdict(holder), "key": str(holder.key)} if holder else None,
        "asked": [{"tier": each.tier, "line": each.line} for each in origin.asked],
        "needed_by": list(origin.needers),
        "chains": [
            {"tier": each.asked.tier, "line": each.asked.line, "names": list(each.names)}
            for each in origin.chains
        ],
        "is_complete": origin.is_complete,
        "bounds": [asdict(each) for each in bounds],
    }


def _lines(found: Traced) -> Iterator[str]:
    for origin, bounds, silent in zip(found.origins, found.bounds, found.silent, strict=True):
        yield from _origin_lines(origin, bounds)
        told = [f"which versions {name} asks for, until its layer is made here" for name in silent]
        yield from _rows("unknown", told)
    for each in found.base:
        yield _base_line(found.name, each, is_locked=bool(found.origins))
    if found.unknown:
        yield f"what {found.unknown} has of it is not known here: ds01 base show {found.unknown}"


def _origin_lines(origin: Origin, bounds: Sequence[Bound]) -> Iterator[str]:
    from ds01build.quantities import readable

    pin, holder = origin.pin, origin.holder
    what = "wheel" if origin.kind == "python" else ".deb"
    yield f"{pin.name} {pin.version}, a {what} of {readable(pin.size)} in tier {pin.tier}"
    if holder:
        others = holder.packages - 1
        shared = f", with {others} other{'s' if others > 1 else ''}" if others else ", alone"
        yield f"  layer    {holder.place} of {holder.total}{shared}; key {holder.key.hex[:12]}"
    yield from _rows("asked", [f"tier {each.tier}: {each.line}" for each in origin.asked])
    longer = [each for each in origin.chains if len(each.names) > 1]
    yield from _rows("because", [_chain(each) for each in longer])
    if not longer:
        yield from _rows("needed", [f"by {name}" for name in origin.needers])
    told = [f"{each.by}: {each.says}" for each in bounds]
    yield from _rows("version", told or [_UNBOUND[origin.kind]])
    if not origin.is_complete:
        yield "  what .debs need of each other is known once they have been unpacked here"


def _chain(chain: Chain) -> str:
    return f"tier {chain.asked.tier}: {' -> '.join([chain.asked.line, *chain.names[1:]])}"


def _rows(heading: str, texts: Sequence[str]) -> Iterator[str]:
    for place, text in enumerate(texts[:_SHOWN]):
        yield f"  {'' if place else heading:9}{text}"
    if len(texts) > _SHOWN:
        yield f"  {'':9}and {len(texts) - _SHOWN} more; --json has all"


def _base_line(name: str, each: InBase, *, is_locked: bool) -> str:
    where = f" in {each.directory}" if each.directory else ""
    text = f"the base has {name} {each.version}{where}"
    if each.kind == "debian":
        return f"{text}, a .deb"
    if is_locked:
        return f"{text}; the wheel comes before it"
    return f"{text}; it is held: no tier replaces it" if each.is_held else text
