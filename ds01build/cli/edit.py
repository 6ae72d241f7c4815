"""``ds01 add``, ``remove``, ``upgrade`` and ``rebase``: change a recipe together with its lock."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ds01build.cli import completers, options

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ds01build.workflow.built import Built
    from ds01build.workflow.editing import Edit, Proposed

__all__ = ["add", "carry_out", "rebase", "remove", "show", "summary", "tell", "upgrade"]

F = TypeVar("F", bound="Callable[..., Any]")

_OPTIONS = (
    click.option("--build", is_flag=True, help="Build and load the image too, all or nothing."),
    click.option("--dry-run", is_flag=True, help="Only print what would change."),
    click.option("--offline", is_flag=True, help="Use only what this machine has already."),
)


def _editing(function: F) -> F:
    """Add what commands share that change a recipe and its lock."""
    for option in reversed((*_OPTIONS, options.as_json, options.quiet)):
        function = option(function)
    return options.loading(function)


@click.command()
@options.recipe
@click.argument("packages", metavar="PKG...", nargs=-1, required=True)
@options.tier("The tier to add to.")
@click.option(
    "--kind", type=click.Choice(["python", "apt"]), help="Of the packages; makes TIER if need be."
)
@_editing
def add(recipe: Path, packages: tuple[str, ...], tier: str, kind: Any, **rest: Any) -> None:
    """Ask for packages in RECIPE, and lock them; other packages keep their versions.

    PKG is a requirement (PEP 508), or of Debian NAME or NAME=VERSION. One that is there already
    is replaced where it stands. TIER may be left out where only one tier is of the kind.

    \b
    ds01 add recipes/thesis.toml --tier data-science 'polars>=1.0' statsmodels
    ds01 add recipes/thesis.toml --tier system --kind apt tree
    """  # noqa: D301
    from ds01build.workflow.edits import Goal, adding

    carry_out(recipe, adding(packages, Goal(kind=kind, tier=tier)), rest)


@click.command()
@options.recipe
@click.argument(
    "packages",
    metavar="PKG...",
    nargs=-1,
    required=True,
    shell_complete=completers.named_packages,
)
@options.tier("Only from this tier.")
@_editing
def remove(recipe: Path, packages: tuple[str, ...], tier: str, **rest: Any) -> None:
    """Ask for packages in RECIPE no longer, and lock what is left.

    A tier with nothing left goes too.

    \b
    ds01 remove recipes/thesis.toml statsmodels
    """  # noqa: D301
    from ds01build.workflow.edits import removing

    carry_out(recipe, removing(packages, tier), rest)


@click.command()
@options.recipe
@click.argument("packages", metavar="[PKG...]", nargs=-1, shell_complete=completers.locked_packages)
@_editing
def upgrade(recipe: Path, packages: tuple[str, ...], **rest: Any) -> None:
    """Let packages of RECIPE move to the newest versions that it allows; without PKG, all.

    \b
    ds01 upgrade recipes/thesis.toml polars
    """  # noqa: D301
    from ds01build.workflow.edits import relocking

    carry_out(recipe, relocking(packages, everything=not packages), rest)


@click.command()
@options.recipe
@click.option(
    "--to",
    default="",
    metavar="REF",
    shell_complete=completers.frameworks,
    help="IMAGE, FRAMEWORK[:VERSION] or SUITE.",
)
@_editing
def rebase(recipe: Path, to: str, **rest: Any) -> None:
    """Put RECIPE on what the tag of its base is by now, or on another base.

    Packages keep their versions where these still fit. A root of .debs gets its newest ones.

    \b
    ds01 rebase recipes/thesis.toml
    ds01 rebase recipes/thesis.toml --to pytorch:2.8.0
    """  # noqa: D301
    from ds01build.workflow.edits import rebasing

    carry_out(recipe, rebasing(to), rest)


def carry_out(recipe: Path, edit: Edit, rest: dict[str, Any]) -> None:
    """Make an edit of a recipe and its lock, and print the answer, as the options ``rest`` say."""
    from ds01build.cli import wiring
    from ds01build.cli.ahead import Ahead
    from ds01build.cli.progress import progress
    from ds01build.workflow import editing

    if (rest["load"] or rest["no_load"]) and not rest["build"]:
        raise click.UsageError("--load and --no-load have no meaning without --build")
    chosen = options.plain_choices(rest)
    built = None
    with progress(quiet=rest["quiet"]) as report:
        builds = rest["build"] and not rest["dry_run"]
        ahead = Ahead(report)
        edges = wiring.edges(ahead.tell if builds else report, chosen)
        ahead.then(edges.transport.prepare)
        if chosen.load != "never":
            ahead.then(edges.engine)
        with editing.alone(recipe, edges.store, tell):
            proposed = editing.propose(recipe, edit, edges)
            if builds:
                built = editing.build_proposed(proposed, edges, chosen, anew=False)
            elif not rest["dry_run"]:
                editing.adopt(proposed)
    show(proposed, built, rest)


def tell(text: str) -> None:
    """Say something on stderr."""
    from ds01build.cli.output import visible

    click.echo(visible(text), err=True)


def show(
    proposed: Proposed, built: Built | None, rest: dict[str, Any], *, told: bool = False
) -> None:
    """Print the answer; what has changed goes to stderr, unless that has been ``told``."""
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json

    store = wiring.where()
    if rest["as_json"]:
        print_json(answer(proposed, built, store))
    elif rest["dry_run"]:
        click.echo(summary(proposed))
    else:
        if not (told or rest["quiet"]):
            click.echo(summary(proposed), err=True)
        click.echo(built.reference(store) if built else proposed.locked.path)


def answer(proposed: Proposed, built: Built | None, store: Path) -> dict[str, object]:
    """Return the object that ``--json`` prints; ``built`` is what ``ds01 build`` answers."""
    from ds01build.cli.changed import package_answer

    locked = proposed.locked
    return {
        "schema": "ds01.edited/1",
        "name": locked.lock.name,
        "recipe": str(locked.request.path),
        "lock": str(locked.path),
        "digest": str(locked.lock.digest),
        "changed": proposed.changed,
        "diff": proposed.diff,
        "packages": [package_answer(each) for each in proposed.packages],
        "settings": [asdict(each) for each in proposed.settings],
        "built": built.answer(store) if built else None,
    }


def summary(proposed: Proposed) -> str:
    """Return for people what changes in a recipe, and then in its lock as ``ds01 diff`` says it."""
    from ds01build.cli.changed import headed, package_lines
    from ds01build.cli.output import visible

    diff = proposed.diff.splitlines()
    lines = [
        *([*diff, ""] if diff else ()),
        *package_lines(proposed.packages),
        *headed("settings", map(str, proposed.settings)),
    ]
    return "\n".join(map(visible, lines[:-1])) or "nothing changes"
