"""What an image holds, phase by phase, and what may be changed in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ds01build.asking import Option
from ds01build.base import show
from ds01build.catalogue import bundles
from ds01build.recipe import (
    AptTier,
    DebianBase,
    FrameworkBase,
    PythonTier,
    packages_of,
)
from ds01build.recipe.choosing import kind_of
from ds01build.wizard import screens
from ds01build.wizard.phases import offered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.asking import Asker
    from ds01build.base.facts import BaseFacts
    from ds01build.recipe import Base, Recipe, Tier
    from ds01build.wizard.base_packages import BasePackages
    from ds01build.wizard.phases import Choice

__all__ = ["ACTIONS", "Action", "Change", "asked", "contents", "next_action"]

Action = Literal["list", "add", "import", "system", "remove", "phase", "edit", "build", "cancel"]

ACTIONS: dict[Action, str] = {
    "list": "List all packages",
    "add": "Add Python packages",
    "import": "Import a requirements.txt or pyproject.toml",
    "system": "Add system packages (apt)",
    "remove": "Remove packages",
    "phase": "Go through the phases: Jupyter, data science, use case",
    "edit": "Edit the recipe",
    "build": "Continue to rebuild",
    "cancel": "Cancel",
}
_PHASES = {"jupyter": "Core Python", "data-science": "Core Data Science"}


@dataclass(frozen=True, slots=True)
class Change:
    """The bundle that a tier is to have, empty for none and None for the one that it has.

    ``packages`` are what it is to ask for besides.
    """

    tier: str
    bundle: str | None
    packages: tuple[str, ...] = ()


def contents(recipe: Recipe, reference: str, facts: BaseFacts | None) -> str:
    """Return what an image holds by phase; ``facts`` are those of its base, where known."""
    lines = [f"Base: {reference or _base(recipe.base)}"]
    if facts is not None:
        key = [line for line in show.key_packages(facts) if line]
        lines.append(f"Key Pre-installed: {'; '.join(key)}")
    lines += ["", *_by_phase(recipe)]
    return "\n".join(lines)


def _base(base: Base) -> str:
    if isinstance(base, DebianBase):
        return f"scratch (Debian {base.suite})"
    if isinstance(base, FrameworkBase):
        return f"{base.framework} {base.version}"
    return base.reference


def _by_phase(recipe: Recipe) -> Iterator[str]:
    for tier in recipe.tiers:
        listed = [*packages_of(tier, bundles()), *_file_of(tier)]
        yield f"{_title(tier)}: {', '.join(listed) or kind_of(tier)}"
    if not recipe.tiers:
        yield "No packages yet."


def _file_of(tier: Tier) -> list[str]:
    is_read = isinstance(tier, PythonTier) and tier.requirements
    return [f"all of {is_read}"] if is_read else []


def _title(tier: Tier) -> str:
    if isinstance(tier, AptTier):
        return "System Packages" if tier.name == "system" else f"System Packages ({tier.name})"
    bundle = tier.bundle if isinstance(tier, PythonTier) else ""
    cases = screens.use_cases()
    if bundle in cases:
        return f"Use Case ({cases[bundle].title})"
    return _PHASES.get(bundle or tier.name, tier.name.replace("-", " ").title())


def next_action(asker: Asker, *, changed: bool) -> Action:
    """Ask what to do next."""
    asker.explain("image-update.menu")
    options = [Option(value=name, title=title) for name, title in ACTIONS.items()]
    chosen = asker.choose("What now?", options, "build" if changed else "add")
    return next(name for name in ACTIONS if name == chosen)


def asked(recipe: Recipe, asker: Asker, contents: BasePackages) -> list[Change]:
    """Go through the phases that have bundles, and return what is to change."""
    tiers = {tier.bundle: tier.name for tier in recipe.tiers if isinstance(tier, PythonTier)}
    names = {tier.name for tier in recipe.tiers}
    changes: list[Change] = []
    for bundle in _PHASES:
        asker.explain(f"image-update.{bundle}")
        is_there, tier = bundle in tiers, tiers.get(bundle, bundle)
        default: Choice = "yes" if is_there else "custom" if tier in names else "no"
        picked = offered(bundle, asker, contents, default)
        if picked.bundle and not is_there:
            changes.append(Change(tier, bundle))
        elif not picked.bundle and (is_there or picked.packages):
            changes.append(Change(tier, "" if is_there else None, picked.packages))
    return [*changes, *_use_cases(tiers, names, asker)]


def _use_cases(tiers: dict[str, str], names: set[str], asker: Asker) -> Iterator[Change]:
    cases = screens.use_cases()
    asker.explain("image-update.use-case")
    options = [Option(value=name, title=case.title) for name, case in cases.items()]
    there = [name for name in cases if name in tiers]
    chosen = asker.check(screens.question("use-case"), options, there)
    gone = [name for name in there if name not in chosen]
    new = [name for name in chosen if name not in there]
    yield from (Change(tiers[name], "") for name in gone)
    taken = names - {tiers[name] for name in gone}
    is_only = len(chosen) == 1 and "use-case" not in taken
    yield from (Change("use-case" if is_only else name, name) for name in new)
