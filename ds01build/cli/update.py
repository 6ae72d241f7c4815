"""``image-update``: edits the recipe of an image, builds and loads it, all or nothing."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import completers, guidance, options, terminal
from ds01build.cli import edit as editing_commands
from ds01build.errors import Ds01Error, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from ds01build.asking import Asker
    from ds01build.recipe.editing import Text
    from ds01build.store import DirStore
    from ds01build.workflow.built import Built
    from ds01build.workflow.editing import Edit, Proposed

__all__ = ["update"]

_MODES = {
    "add": "--add",
    "add_system": "--add-system",
    "remove": "--remove",
    "requirements": "-r",
    "rebuild": "--rebuild",
    "edit": "--edit",
    "upgrade": "--upgrade",
}
_TOPICS = {
    "add": "image-update.add",
    "add_system": "image-update.system",
    "remove": "image-update.remove",
    "requirements": "image-update.import",
    "rebuild": "image-update.rebuild",
    "edit": "image-update.edit",
    "upgrade": "image-update.upgrade",
}
_NAMING = ("VISUAL", "EDITOR")
_EDITORS = ("vim", "vi", "nano", "emacs")


@click.command("image-update", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", metavar="[NAME]", required=False, shell_complete=completers.updatable)
@click.option("--add", multiple=True, metavar="PKG", help="Add Python packages.")
@click.option("--add-system", multiple=True, metavar="PKG", help="Add Debian packages.")
@click.option(
    "--remove",
    multiple=True,
    metavar="PKG",
    shell_complete=completers.named_packages,
    help="Remove packages of either kind.",
)
@click.option(
    "-r",
    "--requirements",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Add what a requirements.txt or pyproject.toml asks for.",
)
@click.option("--rebuild", is_flag=True, help="Build and load again, with no edit or question.")
@click.option("--edit", is_flag=True, help="Edit the recipe in $VISUAL or $EDITOR.")
@click.option("--upgrade", is_flag=True, help="Let every package move to a newer version.")
@options.tier("The tier to add to, or remove from.")
@click.option("--no-cache", is_flag=True, help="Make every layer again.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.option("--dry-run", is_flag=True, help="Only print what would change.")
@options.loading
@options.as_json
@options.quiet
def update(name: str | None, **rest: Any) -> None:
    """Change the image NAME: its recipe, its lock, and itself, or nothing at all.

    NAME is that of an image, or the path of its recipe. One change per run: --add, --add-system,
    --remove, -r, --rebuild, --edit or --upgrade; without one, a menu shows what the image holds
    and changes it. Added packages go where their name stands, to the only tier of their kind, or
    to a tier of their own: custom, or system for Debian's.

    \b
    image-update
    image-update thesis --add "polars>=1.0 statsmodels"
    image-update thesis --add-system tree --yes
    docker run --rm -it "$(image-update thesis --upgrade --yes)"
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.workflow.naming import find_recipe

    mode = _mode(rest)
    explain = guidance.explainer(click.get_current_context())
    if not (rest["yes"] or rest["dry_run"] or mode == "rebuild" or sys.stdin.isatty()):
        raise click.UsageError("there is no terminal to ask on: --yes goes on without")
    store = wiring.open_store()
    asker = terminal.Terminal(explain) if terminal.is_there() else None
    recipe = find_recipe(name or _chosen(store, asker), store, Path.cwd(), Path.home())
    if not mode:
        assert asker is not None, "without a terminal there is a mode"
        _ask(recipe, rest, asker)
        return
    explain(_TOPICS[mode])
    with _edits(mode, recipe, rest) as edit:
        _carry_out(recipe, edit, rest, explain, asks=not rest["yes"] and mode != "rebuild")


def _mode(rest: dict[str, Any]) -> str:
    """Return the one mode that is asked for; none where a person is. Raises UsageError."""
    given = [mode for mode in _MODES if rest[mode]]
    if not given and terminal.is_there() and not (rest["yes"] or rest["tier"]):
        return ""
    if not given:
        raise click.UsageError(f"say what to change: {', '.join(_MODES.values())}")
    if len(given) > 1:
        both = " and ".join(_MODES[mode] for mode in given)
        raise click.UsageError(f"one change per run, not {both}")
    if rest["tier"] and given[0] in ("rebuild", "edit", "upgrade"):
        raise click.UsageError(f"--tier has no meaning with {_MODES[given[0]]}")
    if rest["edit"]:
        _require_editor(rest)
    return given[0]


def _require_editor(rest: dict[str, Any]) -> None:
    """Raise UsageError where an editor that nobody named would wait for nobody."""
    is_named = any(os.environ.get(name, "").strip() for name in _NAMING)
    if not is_named and (rest["yes"] or not terminal.is_there()):
        raise click.UsageError(
            f"there is nobody to edit: {' or '.join(_NAMING)} names a program that does"
        )


def _chosen(store: DirStore, asker: Asker | None) -> str:
    """Let a person choose an image. Raises UsageError without one, Ds01Error without images."""
    from ds01build.asking import Option
    from ds01build.store import roots

    names = sorted(roots.names(store.root))
    if asker is None:
        raise click.UsageError("name an image")
    if not names:
        raise Ds01Error("there is no image yet", hint="image-create")
    return asker.choose("Image", [Option(value=each, title=each) for each in names], names[0])


def _ask(recipe: Path, rest: dict[str, Any], asker: Asker) -> None:
    """Change a recipe on a menu, build it, and let its container follow."""
    from ds01build.cli import revising, wiring
    from ds01build.cli.progress import progress
    from ds01build.cli.telling import tell

    chosen = options.plain_choices(rest)
    with progress(quiet=rest["quiet"]) as report:
        edges = wiring.edges(report, chosen)

    def carry(edit: Edit) -> Built | None:
        return _carry_out(recipe, edit, rest, asker.explain, asks=True)

    built = revising.revised(recipe, asker, edges, _attended, carry)
    if built is not None and built.tag:
        name = revising.recreated(built.name, built.tag, wiring.host(tell), asker)
        if name:
            click.echo(f"{name} has the new image", err=True)


def _edits(mode: str, recipe: Path, rest: dict[str, Any]) -> AbstractContextManager[Edit]:
    from ds01build.workflow import edits

    tier = rest["tier"]
    if mode == "add":
        goal = edits.Goal(kind="python", tier=tier, fallback="custom")
        return nullcontext(edits.adding(_packages(rest["add"]), goal))
    if mode == "add_system":
        goal = edits.Goal(kind="apt", tier=tier, fallback="system")
        return nullcontext(edits.adding(_packages(rest["add_system"]), goal))
    if mode == "remove":
        return nullcontext(edits.removing(_packages(rest["remove"]), tier))
    if mode == "requirements":
        goal = edits.Goal(kind="python", tier=tier, fallback="custom")
        return nullcontext(edits.importing(rest["requirements"], goal))
    if mode == "edit":
        return _edited(recipe)
    return nullcontext(edits.relocking((), everything=mode == "upgrade"))


def _packages(given: tuple[str, ...]) -> list[str]:
    """Return what is asked for: an argument that is no requirement as a whole lists several."""
    from ds01build.grammar import requirement_words

    found = [package for text in given for package in requirement_words(text)]
    if not found:
        raise click.UsageError("no package is named")
    return found


def _carry_out(
    recipe: Path, edit: Edit, rest: dict[str, Any], explain: Callable[[str], None], *, asks: bool
) -> Built | None:
    """Carry out an edit, and return the image; None where none is made."""
    from ds01build.cli import wiring
    from ds01build.cli.ahead import Ahead
    from ds01build.cli.progress import progress
    from ds01build.workflow import editing

    chosen = options.plain_choices(rest)
    built = None
    with editing.alone(recipe, wiring.open_store(), editing_commands.tell):
        with progress(quiet=rest["quiet"]) as report:
            told = report if rest["dry_run"] else Ahead(report).tell
            edges = wiring.edges(told, chosen)
            proposed = editing.propose(recipe, edit, edges)
        if not rest["dry_run"]:
            there = _there(recipe, proposed, rest) if asks else None
            if there is not None:
                click.echo("nothing changes", err=True)
                editing_commands.show(proposed, there, rest, told=True)
                return None
            explain("image-update.summary")
            if asks and not _agreed(proposed):
                return None
            with progress(quiet=rest["quiet"]) as report:
                edges = wiring.edges(report, chosen)
                built = editing.build_proposed(proposed, edges, chosen, anew=rest["no_cache"])
    editing_commands.show(proposed, built, rest, told=asks)
    return built


def _there(recipe: Path, proposed: Proposed, rest: dict[str, Any]) -> Built | None:
    """Return the image where nothing changes, and it is where it is asked for; None otherwise."""
    from ds01build.cli import wiring
    from ds01build.cli.build import as_asked
    from ds01build.workflow import quick

    if proposed.changed or rest["no_cache"]:
        return None
    built = quick.find(recipe, proposed.locked.path, wiring.open_store())
    return as_asked(built, rest) if built is not None else None


def _agreed(proposed: Proposed) -> bool:
    """Show what would change, and ask."""
    click.echo(editing_commands.summary(proposed), err=True)
    question = f"Update the image {proposed.locked.lock.name}?"
    return click.confirm(question, default=True, err=True)


@contextmanager
def _edited(recipe: Path) -> Iterator[Edit]:
    """Let the user edit a copy of the recipe, which stays where what was written comes to nothing.

    Raises Ds01Error.
    """
    from ds01build.workflow import edits
    from ds01build.workflow.editing import recipe_text

    directory = Path(tempfile.mkdtemp(prefix="image-update-"))
    copy = directory / recipe.name
    before = recipe_text(recipe).text
    copy.write_text(before, encoding="utf-8", newline="")
    try:
        _attend(copy)
        yield edits.rewriting(before, recipe_text(copy).text)
    except Ds01Error as error:
        if copy.exists() and copy.read_bytes() != before.encode():
            error.hint = "; ".join(filter(None, (error.hint, f"what you wrote is in {copy}")))
            raise
        shutil.rmtree(directory)
        raise
    shutil.rmtree(directory)


def _attended(text: Text) -> Text:
    """Return what a person makes of a recipe's text. Raises Ds01Error, with where it is kept."""
    directory = Path(tempfile.mkdtemp(prefix="image-update-"))
    copy = directory / "recipe.toml"
    copy.write_text(text.text, encoding="utf-8", newline="")
    try:
        _attend(copy)
        after = replace(text, text=copy.read_bytes().decode(errors="replace"))
        _require_name(after, text.recipe.name)
    except Ds01Error as error:
        error.hint = "; ".join(filter(None, (error.hint, f"what you wrote is in {copy}")))
        raise
    shutil.rmtree(directory)
    return after


def _require_name(text: Text, name: str) -> None:
    if text.recipe.name != name:
        raise Ds01Error(f"the image {name} keeps its name")


def _attend(path: Path) -> None:
    from ds01build.process import attend

    code = attend([*_editor(), str(path)], environment=os.environ, cwd=Path.cwd())
    if code:
        raise Ds01Error(f"the editor ended with {code}, and nothing is changed")


def _editor() -> list[str]:
    """Return the command of the user's editor. Raises UsageError, Unavailable."""
    for name in _NAMING:
        try:
            words = shlex.split(os.environ.get(name, ""))
        except ValueError as error:
            raise click.UsageError(f"{name} is not a command: {error}") from error
        if words:
            return words
    found = next(filter(None, map(shutil.which, _EDITORS)), None)
    if found is None:
        raise Unavailable("there is no editor", hint="export EDITOR=COMMAND")
    return [found]
