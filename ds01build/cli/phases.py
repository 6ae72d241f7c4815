"""What image-create shows of a plan, phase by phase, and its answer."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ds01build.cli.output import visible, wrapped

if TYPE_CHECKING:
    from ds01build.container import Wish
    from ds01build.workflow.built import Built
    from ds01build.workflow.creating import Draft
    from ds01build.workflow.rendering import Place

__all__ = [
    "answer",
    "by_hand",
    "first_phase",
    "place",
    "second_phase",
    "short",
    "store_root",
    "tell",
    "third_phase",
]

_LINE = "━" * 47


def short(path: Path, home: Path) -> str:
    """Return a path as people know it."""
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def tell(text: str, rest: dict[str, Any]) -> None:
    """Show text on stderr."""
    if rest["quiet"]:
        return
    lines = [visible(line) for line in text.split("\n")]
    if sys.stderr.isatty():
        lines = [piece for line in lines for piece in wrapped(line)]
    click.echo("\n".join(lines), err=True)


def _headed(heading: str, *lines: str) -> str:
    return "\n".join(("", _LINE, heading, _LINE, "", *lines))


def place(drafted: Draft, *, in_project: bool) -> Place | None:
    """Return where the Dockerfile goes; None where there is no image to start from."""
    from ds01build.lock import LockedDebian
    from ds01build.workflow import rendering

    lock = drafted.locked.lock
    if isinstance(lock.base, LockedDebian):
        return None
    if in_project:
        return rendering.project_place(drafted.locked.request.path)
    return rendering.default_place(Path.home() / "dockerfiles", lock.name)


def first_phase(drafted: Draft, place: Place | None) -> str:
    """Return the screen that follows the files."""
    from ds01build.quantities import readable
    from ds01build.recipe import PythonTier
    from ds01build.wizard import screens, summary

    home, sums = Path.home(), drafted.summary
    cases = screens.use_cases()
    tiers = drafted.locked.request.recipe.tiers
    bundled = {each.name: each.bundle for each in tiers if isinstance(each, PythonTier)}
    titles = {name: cases[bundle].title for name, bundle in bundled.items() if bundle in cases}
    return _headed(
        f"✓ Phase 1/3: {'Recipe' if place is None else 'Dockerfile'} Created",
        *([f"Location: {short(place.dockerfile, home)}"] if place is not None else []),
        f"Recipe:   {short(drafted.locked.request.path, home)}",
        "",
        "Structure:",
        *(f"  {line}" for line in summary.structure(drafted.locked.lock, titles)),
        "",
        f"Total packages to install: {sums.packages} ({sums.locked} with what they need)",
        *([f"In the base already: {sums.there}"] if sums.there else []),
        f"To download: {readable(sums.download)}",
        f"Estimated build time: {summary.duration(sums.seconds)}",
    )


def second_phase(drafted: Draft) -> str:
    """Return the screen that precedes the build."""
    from ds01build.quantities import counted, readable
    from ds01build.wizard import summary

    lock, sums = drafted.locked.lock, drafted.summary
    base = [f"    ({readable(sums.base)}, unless it is there)"] if sums.base else []
    ports = drafted.locked.request.recipe.image.ports
    return _headed(
        "Phase 2/3: Build Docker Image?",
        "This will:",
        f"  • Stand on {summary.base_line(lock)}",
        *base,
        f"  • Install {counted(sums.packages, 'package') if sums.packages else 'no package'}",
        *(["  • Configure Jupyter Lab's port"] if ports else []),
        f"  • Save final image: {lock.name} ({summary.sizes(sums)})",
        "",
        f"Estimated time: {summary.duration(sums.seconds)}",
        "",
    )


def third_phase(wanted: Wish) -> str:
    """Return the screen that precedes the container."""
    return _headed(
        "Phase 3/3: Create Container?",
        "A container is a running instance where you'll do your work.",
        "",
        "This will:",
        f"  • Create container: {wanted.name}",
        f"  • Mount workspace: {short(Path(wanted.workspace), Path.home())}",
        "",
    )


def by_hand(recipe: Path, place: Place | None, name: str) -> str:
    """Return what builds the image later: ds01, or Docker alone."""
    ours = f"Build it: ds01 build {shlex.quote(str(recipe))}"
    return f"{ours}\nor:       {shlex.join(place.command(name))}" if place is not None else ours


def store_root() -> Path:
    """Return where the store lies."""
    from ds01build.cli import wiring

    return wiring.where()


def answer(
    drafted: Draft, place: Place | None, built: Built | None, container: str
) -> dict[str, object]:
    """Return the object that ``--json`` prints."""
    return {
        "schema": "ds01.created/1",
        "name": drafted.locked.lock.name,
        "recipe": str(drafted.locked.request.path),
        "lock": str(drafted.locked.path),
        "dockerfile": str(place.dockerfile) if place is not None else None,
        "summary": drafted.summary.answer(),
        "built": built.answer(store_root()) if built else None,
        "container": container or None,
    }
