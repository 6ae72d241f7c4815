"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ds01build.cli import completers

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.workflow.steps import Choices

__all__ = [
    "as_json",
    "check",
    "choices",
    "loading",
    "locking",
    "no_engine",
    "plain_choices",
    "quiet",
    "recipe",
    "tier",
]

F = TypeVar("F", bound="Callable[..., Any]")

recipe = click.argument(
    "recipe",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="RECIPE",
    shell_complete=completers.recipes,
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
quiet = click.option("--quiet", "-q", is_flag=True, help="Show no progress, only what is wrong.")
no_engine = click.option(
    "--no-engine", is_flag=True, help="Ask no engine, whatever it has or runs."
)

_LOCKING = (
    click.option("--locked", is_flag=True, help="Fail (exit 3) if the lock is stale."),
    click.option("--frozen", is_flag=True, help="Use the lock as it is, stale or not."),
    click.option("--offline", is_flag=True, help="Use only what this machine has already."),
    click.option("--upgrade", is_flag=True, help="Let every package move to a newer version."),
    click.option(
        "--upgrade-package",
        "upgrade_packages",
        multiple=True,
        metavar="NAME",
        shell_complete=completers.locked_packages,
        help="Let this package move to a newer version; may be repeated.",
    ),
    click.option(
        "--update-missing",
        is_flag=True,
        help="Replace locked .debs that the mirror has dropped.",
    ),
)


_LOADING = (
    click.option("--load", is_flag=True, help="Load the image; fail (exit 4) without an engine."),
    click.option("--no-load", is_flag=True, help="Leave engines alone, even where one answers."),
)


def tier(says: str) -> Callable[[F], F]:
    """Return the option that names a tier of the recipe; ``says`` is its help."""
    return click.option(
        "--tier", default="", metavar="TIER", shell_complete=completers.tiers, help=says
    )


def loading(function: F) -> F:
    """Add the options that decide whether an image is loaded into an engine."""
    for option in reversed(_LOADING):
        function = option(function)
    return function


def locking(function: F) -> F:
    """Add the options that decide how a lock is used or made."""
    for option in reversed(_LOCKING):
        function = option(function)
    return function


def check(options: dict[str, Any]) -> None:
    """Raise UsageError for options of ``locking`` that contradict each other."""
    given = [name for name in ("check", "locked", "frozen") if options.get(name)]
    moves = [name for name in ("upgrade", "upgrade_packages", "update_missing") if options[name]]
    if options.get("load") and options.get("no_load"):
        raise click.UsageError("--load and --no-load contradict each other")
    if len(given) > 1 or (given and moves):
        words = [f"--{word.rstrip('s').replace('_', '-')}" for word in (*given, *moves)[:2]]
        raise click.UsageError(f"{words[0]} and {words[1]} contradict each other")


def plain_choices(options: dict[str, Any]) -> Choices:
    """Return the choices of a command that edits: offline or not, and loading."""
    unused = {"locked": False, "frozen": False, "upgrade": False, "upgrade_packages": ()}
    return choices({"offline": False, **options, **unused, "update_missing": False})


def choices(options: dict[str, Any], *, keep_sources: bool = False) -> Choices:
    """Return the choices that the options of ``locking`` come to. Raises UsageError."""
    from ds01build.workflow.steps import Choices
    from ds01build.workflow.upgrade import Upgrade

    check(options)
    return Choices(
        mode="locked" if options["locked"] else "frozen" if options["frozen"] else "update",
        upgrade=Upgrade(
            everything=options["upgrade"], packages=frozenset(options["upgrade_packages"])
        ),
        update_missing=options["update_missing"],
        offline=options["offline"],
        keep_sources=keep_sources,
        load="always" if options.get("load") else "never" if options.get("no_load") else "if-there",
    )
