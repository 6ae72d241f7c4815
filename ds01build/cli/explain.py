"""``ds01 explain``: why a tier is reused or made."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from ds01build.cli import completers, options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ds01build.explanation import Explanation, LayerReason, TierReason
    from ds01build.workflow.staleness import Staleness

__all__ = ["explain"]

_SHOWN = 12  # causes of a layer; --json has all
_TITLES = 3


@click.command()
@options.recipe
@click.argument("tier", required=False, shell_complete=completers.tiers)
@options.as_json
@options.quiet
def explain(recipe: Path, tier: str | None, as_json: bool, quiet: bool) -> None:
    """Say why a build of RECIPE would reuse or make each tier, or TIER alone.

    Each layer is compared with the last build of that name: packages by version and file, fields
    of the target, what a tier stands on, ds01's own formats. Of a stale lock, says which fields of
    the recipe made it so (exit 3).

    \b
    ds01 explain recipes/thesis.toml data-science
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json, print_lines
    from ds01build.cli.progress import progress
    from ds01build.errors import CheckFailed
    from ds01build.workflow.explaining import explain as explained
    from ds01build.workflow.staleness import staleness
    from ds01build.workflow.steps import Choices

    stale = staleness(recipe, wiring.open_store())
    if stale is not None:
        if as_json:
            print_json(_stale_answer(stale))
        else:
            print_lines(_stale_lines(stale))
        raise CheckFailed(f"{stale.lock.name} is stale", hint=f"ds01 lock {recipe}")
    with progress(quiet=quiet) as report:
        edges = wiring.edges(report, Choices(load="never"))
        found = _of_tier(explained(recipe, edges), tier)
    if as_json:
        print_json(_answer(found))
    else:
        print_lines(_lines(found))


def _of_tier(found: Explanation, tier: str | None) -> Explanation:
    from ds01build.errors import Ds01Error
    from ds01build.fields import did_you_mean

    if tier is None:
        return found
    names = [each.name for each in found.tiers]
    if tier not in names:
        raise Ds01Error(f"{found.name} has no tier {tier!r:.100}{did_you_mean(tier, names)}")
    return replace(found, tiers=tuple(each for each in found.tiers if each.name == tier), gone=())


def _stale_answer(stale: Staleness) -> dict[str, object]:
    return {
        "schema": "ds01.explained/1",
        "lock": {
            "path": str(stale.lock),
            "is_fresh": False,
            "compared_with": stale.generation,
            "changes": [asdict(each) for each in stale.changes],
        },
    }


def _stale_lines(stale: Staleness) -> Iterator[str]:
    if stale.generation is None:
        yield f"{stale.lock.name} was made for another state of the recipe; the lock itself shows:"
    else:
        yield f"{stale.lock.name} was made for the recipe of generation {stale.generation}; since:"
    yield from (f"  {each}" for each in stale.changes)
    if not stale.changes:
        yield "  nothing: what changed is of the kind that no lock keeps, such as [resolve]"


def _answer(found: Explanation) -> dict[str, object]:
    return {
        "schema": "ds01.explained/1",
        "name": found.name,
        "lock": {"is_fresh": True},
        "generation": found.generation,
        "tiers": [
            {
                "tier": each.name,
                "kind": each.kind,
                "action": each.action,
                "reason": each.text,
                "causes": [asdict(cause) for cause in each.causes],
                "layers": [_layer_answer(layer) for layer in each.layers],
            }
            for each in found.tiers
        ],
        "gone": list(found.gone),
    }


def _layer_answer(layer: LayerReason) -> dict[str, object]:
    return {
        "holds": layer.title,
        "key": str(layer.key),
        "action": layer.action,
        "reason": layer.text,
        "place": layer.place or "new",
        "was": str(layer.was) if layer.was else None,
        "causes": [asdict(cause) for cause in layer.causes],
        "in_engine": layer.in_engine,
    }


def _lines(found: Explanation) -> Iterator[str]:
    if found.generation is None:
        yield f"{found.name} has no last build here: this is what the store has of it"
    else:
        yield f"{found.name}, compared with generation {found.generation}"
    width = max(len(each.name) for each in found.tiers)
    for tier in found.tiers:
        yield ""
        yield f"{tier.name:{width}}  {tier.action:5}  {tier.text}"
        yield from (f"  {cause}" for cause in tier.causes)
        if found.generation is not None:  # the tier's own reason says it all otherwise
            yield from _layer_lines(tier, found.generation)
    for text in found.gone:
        yield from ("", text)


def _layer_lines(tier: TierReason, generation: int) -> Iterator[str]:
    reused = [each for each in tier.layers if each.action == "reuse" and each.place == "moved"]
    if reused:
        titles = [each.title for each in reused]
        more = f" and {len(titles) - _TITLES} more" if len(titles) > _TITLES else ""
        yield f"  reuse  {', '.join(titles[:_TITLES])}{more}:"
        yield f"           as in generation {generation}, over other layers now{_engine(reused)}"
    for layer in tier.layers:
        if layer.action != "reuse" or not layer.place:
            yield f"  {layer.action:5}  {layer.title}: {layer.text}{_engine([layer])}"
            yield from (f"           {cause}" for cause in layer.causes[:_SHOWN])
            if len(layer.causes) > _SHOWN:
                yield f"           and {len(layer.causes) - _SHOWN} more; --json has all"


def _engine(layers: list[LayerReason]) -> str:
    """Say what an engine does about layers that the store has."""
    if layers[0].action != "reuse":
        return ""
    if all(each.in_engine for each in layers):
        return "; the engine has it" if len(layers) == 1 else "; the engine has them"
    return ": an engine extracts it again" if layers[0].place else ""
