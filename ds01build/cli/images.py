"""``image-list``: what images there are, what they cost, and what has become of their recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ds01build.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ds01build.workflow.builds import Occupant
    from ds01build.workflow.inventory import EngineOnly, Held, Inventory

__all__ = ["facts", "images", "stated"]


@click.command("image-list", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-a",
    "--all",
    "every",
    is_flag=True,
    help="Also earlier generations, and every user's images in the engine.",
)
@click.option("-s", "--size", "sizes", is_flag=True, help="Say which bytes no other image uses.")
@click.option("-d", "--detailed", is_flag=True, help="Say all that there is to say of each.")
@options.no_engine
@options.as_json
def images(every: bool, sizes: bool, detailed: bool, no_engine: bool, as_json: bool) -> None:
    """List the images of the store, and those that only the engine has.

    STALE says whether recipe or lock have changed since the image was built. USED BY counts the
    containers that were made from it, and how many of them are of an earlier build.

    \b
    image-list
    image-list --size
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json, print_lines
    from ds01build.cli.telling import tell
    from ds01build.workflow.inventory import images as inventory

    opened = wiring.open_store()
    engine = "none" if no_engine else wiring.engine(tell)
    found = inventory(opened, engine, tell, every=every)
    if as_json:
        print_json(_answer(found, str(opened.root)))
    elif not found.held and not found.engine_only:
        click.echo("there are no images yet\nhint:  image-create, or ds01 build RECIPE", err=True)
    else:
        print_lines(_details(found) if detailed else _table(found, sizes=sizes))
        click.echo(_summary(found), err=True)


def _answer(found: Inventory, store: str) -> dict[str, object]:
    return {
        "schema": "ds01.images/1",
        "store": store,
        "images": [row.answer() for row in found.held],
        "engine_only": [row.answer() for row in found.engine_only],
        "size": found.size,
    }


def _table(found: Inventory, *, sizes: bool) -> list[str]:
    from ds01build.cli.output import fitted

    built, more = ([], ["EXCLUSIVE", "SHARED"]) if sizes else (["BUILT"], [])
    heading = ["NAME", "GEN", *built, "SIZE", *more, "STALE", "USED BY"]
    rows = [_row(each, sizes=sizes) for each in found.held]
    rows += [_engine_row(each, sizes=sizes) for each in found.engine_only]
    return fitted(heading, rows).splitlines()


def _row(one: Held, *, sizes: bool) -> list[str]:
    from ds01build.quantities import readable

    return [
        one.title,
        *([str(one.generation)] if sizes else _generation(one)),
        readable(one.size),
        *([readable(one.exclusive), readable(one.shared)] if sizes else []),
        _stale(one),
        _in_use(one.containers),
    ]


def _generation(one: Held) -> list[str]:
    return [f"{one.generation} ({one.generations} kept)", _moment(one.created)]


def _engine_row(one: EngineOnly, *, sizes: bool) -> list[str]:
    from ds01build.cli.output import visible
    from ds01build.quantities import readable

    return [
        visible(one.tag or f"{one.name} ({one.engine_id.partition(':')[2][:12]})"),
        "-",
        *([] if sizes else [_moment(one.created)]),
        f"{readable(one.size)} *",  # unpacked, as engines tell it
        *(["-", "-"] if sizes else []),
        "-",
        _in_use(one.containers),
    ]


def _details(found: Inventory) -> Iterator[str]:
    for one in found.held:
        yield from _block(one.title, facts(one))
    for each in found.engine_only:
        yield from _block(each.tag or each.name, _engine_facts(each))


def _block(title: str, facts: list[tuple[str, str]]) -> Iterator[str]:
    yield title
    for label, text in facts:
        yield from stated(label, text)


def stated(label: str, text: str) -> list[str]:
    """Return a fact, over several lines on a terminal with no room for one."""
    from ds01build.cli.output import hung

    return hung(f"  {label:<12} ", text) if text else []


def facts(one: Held) -> list[tuple[str, str]]:
    """Return what there is to say of an image, with what each is called."""
    from ds01build.quantities import readable

    base, own, others = one.base, readable(one.exclusive), readable(one.shared)
    at = f"@{base.digest}" if base and base.digest else ""
    return [
        ("generation", f"{one.generation}, {one.generations} kept, built {one.created}"),
        ("digest", str(one.digest)),
        ("base", f"{base.reference}{at}" if base else ""),
        ("layers", str(one.layers)),
        (
            "size",
            f"{readable(one.size)} compressed: {own} its own, {others} shared with other images",
        ),
        ("recipe", one.recipe or "nobody knows where"),
        ("stale", "no" if one.verdict == "fresh" else one.verdict),
        ("tags", "" if one.tags is None else ", ".join(one.tags) or "not in the engine"),
        *_containers(one.containers),
    ]


def _engine_facts(one: EngineOnly) -> list[tuple[str, str]]:
    from ds01build.quantities import counted, readable

    return [
        ("store", "has it not: the engine alone does"),
        ("id", one.engine_id),
        ("built", one.created),
        ("builds", counted(one.builds, "image")),
        ("size", f"{readable(one.size)} unpacked"),
        *_containers(one.containers),
    ]


def _containers(containers: Sequence[Occupant] | None) -> list[tuple[str, str]]:
    if not containers:
        return [("containers", "unknown" if containers is None else "none")]
    return [
        (
            "containers" if place == 0 else "",
            f"{each.container.name} ({each.container.state}{', old build' if each.is_old else ''})",
        )
        for place, each in enumerate(containers)
    ]


def _in_use(containers: Sequence[Occupant] | None) -> str:
    """Say in a few words how many containers there are, and how many of them are old."""
    if not containers:
        return "?" if containers is None else "-"
    old = sum(each.is_old for each in containers)
    return f"{len(containers)}, {old} old" if old else str(len(containers))


def _stale(one: Held) -> str:
    return "-" if one.verdict == "fresh" else one.verdict


def _moment(created: str) -> str:
    """Return a time to the minute, in UTC."""
    return created[:16].replace("T", " ") or "-"


def _summary(found: Inventory) -> str:
    from ds01build.quantities import counted, readable

    names = {one.name for one in found.held}
    text = f"{counted(len(names), 'image')} of the store, {readable(found.size)} compressed"
    alone = f"; {len(found.engine_only)} in the engine alone (* its size is unpacked)"
    return f"{text}{alone}" if found.engine_only else text
