"""``image-show``: one image in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ds01build.cli import completers, options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.workflow.showing import Shown, ShownTier

__all__ = ["show"]


@click.command("image-show", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("image", metavar="IMAGE", shell_complete=completers.images)
@options.no_engine
@options.as_json
def show(image: str, no_engine: bool, as_json: bool) -> None:
    """Show all of IMAGE: its recipe, base, tiers, layers, generations and containers.

    IMAGE is NAME, NAME@N for its generation N, or a digest.

    \b
    image-show thesis
    image-show thesis@2 --json
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json, print_lines
    from ds01build.cli.telling import tell
    from ds01build.workflow import showing

    opened = wiring.open_store()
    engine = "none" if no_engine else wiring.engine(tell)
    found = showing.show(opened, engine, tell, image)
    if as_json:
        print_json(found.answer())
    else:
        print_lines(_screen(found))


def _screen(found: Shown) -> Iterator[str]:
    from ds01build.cli.images import facts, stated

    yield found.held.title
    for label, text in (*facts(found.held), ("config", str(found.config))):
        yield from stated(label, text)
    yield from _section(["TIER", "KIND", "LOCKED", "ASKS FOR"], _tiers(found), 2, 3)
    yield from _section(["LAYER OF", "HOLDS", "SIZE", "DIGEST", "ALSO IN"], _layers(found), 1, 4)
    yield from _section(["GENERATION", "BUILT", "SIZE", "DIGEST", "STATE"], _past(found))


def _section(heading: list[str], rows: list[list[str]], *fold: int) -> Iterator[str]:
    from ds01build.cli.output import fitted

    if rows:
        yield ""
        yield from fitted(heading, rows, *fold).splitlines()


def _tiers(found: Shown) -> list[list[str]]:
    return [
        [tier.name, tier.kind, _locked(tier), ", ".join(tier.requests) or "-"]
        for tier in found.tiers or ()
    ]


def _locked(tier: ShownTier) -> str:
    from ds01build.quantities import counted

    counts = {"wheel": tier.wheels, ".deb": tier.debs, "file": tier.files}
    return ", ".join(counted(number, thing) for thing, number in counts.items() if number) or "-"


def _layers(found: Shown) -> list[list[str]]:
    from ds01build.quantities import readable

    return [
        [
            each.tier,
            each.title if each.is_here else f"{each.title} (not in the store)",
            readable(each.size),
            each.digest.hex[:12],
            ", ".join(each.others) or "-",
        ]
        for each in found.layers
    ]


def _past(found: Shown) -> list[list[str]]:
    from ds01build.quantities import readable

    return [
        [
            f"{each.name}@{each.generation}",
            each.created,
            readable(each.size),
            each.digest.hex[:12],
            _state(found, each.generation, is_current=each.is_current),
        ]
        for each in found.past
    ]


def _state(found: Shown, number: int, *, is_current: bool) -> str:
    words = {"current": is_current, "pinned": number in found.pins}
    return ", ".join(word for word, is_so in words.items() if is_so)
