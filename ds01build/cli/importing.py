"""``ds01 import``: a recipe from what people have, and what it has no place for."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import completers, options
from ds01build.cli import edit as editing_commands

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ds01build.importing import Draft, Note
    from ds01build.workflow.importing import Imported, Wishes
    from ds01build.workflow.inspecting import Inspected

__all__ = ["import_", "tell"]

_STDOUT = Path("-")
_SAID = {"dropped": "not carried over", "changed": "carried over"}


@click.command("import")
@click.argument(
    "sources",
    metavar="[SOURCE...]",
    nargs=-1,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--from-container",
    "container",
    default="",
    metavar="NAME",
    help="Take what was installed in it by hand.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    metavar="RECIPE",
    shell_complete=completers.recipes,
    help="Where to write the recipe, - for stdout; recipe.toml if not given.",
)
@click.option(
    "--add-to",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="RECIPE",
    shell_complete=completers.recipes,
    help="Add packages to this recipe and lock it.",
)
@click.option("--name", default="", metavar="NAME", help="Of the image.")
@click.option("--base", default="", metavar="REF", help="IMAGE or FRAMEWORK[:VERSION] to stand on.")
@click.option(
    "--extra", "extras", multiple=True, metavar="NAME", help="Of a pyproject.toml; may be repeated."
)
@click.option(
    "--group", "groups", multiple=True, metavar="NAME", help="Dependency group; may be repeated."
)
@click.option(
    "--copy",
    "copies",
    is_flag=True,
    help="Copy what requirements files ask for, instead of naming them.",
)
@click.option("--pin-all", is_flag=True, help="Of a container, ask for what came along as well.")
@click.option("--force", is_flag=True, help="Replace a recipe that is there.")
@click.option("--dry-run", is_flag=True, help="Only print the recipe.")
@options.as_json
@options.quiet
def import_(sources: tuple[Path, ...], container: str, **rest: Any) -> None:
    """Make a recipe from what is there already, and say what it has no place for.

    SOURCE is a requirements.txt, pyproject.toml, environment.yml (conda), Dockerfile of DS01 or
    pylock.toml (PEP 751). A requirements file below the recipe is named in it, and what is changed
    in it later counts. Of a container, packages that somebody installed by hand are asked for in
    the versions that it has; where the recipe of its image is here, and no -o is given, the
    commands that add them to that are printed. What is not carried over is listed on stderr.

    \b
    ds01 import requirements.txt
    ds01 import ~/dockerfiles/thesis.Dockerfile -o thesis.toml
    ds01 import --from-container thesis._.1000 --add-to recipes/thesis.toml
    """  # noqa: D301
    from ds01build.workflow.importing import Wishes

    _check(sources, container, rest)
    wishes = Wishes(
        name=rest["name"],
        base=rest["base"],
        extras=rest["extras"],
        groups=rest["groups"],
        copies=rest["copies"] or bool(rest["add_to"]),
    )
    inspected = _inspected(container, rest) if container else None
    if rest["add_to"]:
        _add(sources, inspected, wishes, rest)
    elif inspected and not (sources or rest["output"]) and (recipe := _recipe_of(inspected)):
        _advise(inspected, recipe, rest)
    else:
        _import(sources, container, inspected, wishes, rest)


def _check(sources: Sequence[Path], container: str, rest: dict[str, Any]) -> None:
    """Raise UsageError for options that contradict each other, or come to nothing."""
    if not sources and not container:
        raise click.UsageError("name a SOURCE, or a container with --from-container")
    if rest["pin_all"] and not container:
        raise click.UsageError("--pin-all has no meaning without --from-container")
    if rest["add_to"]:
        for option in ("output", "name", "base", "force"):
            if rest[option]:
                raise click.UsageError(f"--{option} has no meaning with --add-to")


def _inspected(container: str, rest: dict[str, Any]) -> Inspected:
    from ds01build.cli import wiring
    from ds01build.cli.progress import progress
    from ds01build.errors import Unavailable
    from ds01build.workflow.inspecting import inspect

    with progress(quiet=rest["quiet"]) as report:
        engine = wiring.engine(report)
        if isinstance(engine, str):
            raise Unavailable("no engine answers that could have containers", hint="docker info")
        try:
            return inspect(engine, container, uid=os.geteuid(), everything=rest["pin_all"])
        finally:
            engine.close()


def _import(
    sources: Sequence[Path],
    container: str,
    inspected: Inspected | None,
    wishes: Wishes,
    rest: dict[str, Any],
) -> None:
    from dataclasses import replace

    from ds01build.errors import Ds01Error
    from ds01build.workflow.importing import import_drafts, read_sources, write_recipe

    output = rest["output"] or Path("recipe.toml")
    is_shown = output == _STDOUT or rest["dry_run"]
    directory = Path.cwd() if output == _STDOUT else output.absolute().parent
    read = read_sources(sources, directory, wishes)
    drafts = list(read.drafts)
    if inspected:
        # Other sources say what the image was made from, and the container what came on top of it.
        own = replace(inspected.draft, base=None)
        drafts.append(own if sources or wishes.base else _standing(inspected))
    otherwise = sources[0].resolve().parent.name if sources else container
    names = [*(source.name for source in sources), *([container] if container else [])]
    try:
        imported = import_drafts(drafts, wishes, names, otherwise)
    except Ds01Error:
        left = dict.fromkeys(note for draft in drafts for note in draft.notes)
        tell(left, {**rest, "as_json": False})  # which may be why there is nothing
        raise
    written = not is_shown and write_recipe(
        output, imported.text, force=rest["force"], keep=read.files
    )
    tell(imported.notes, rest)
    if rest["as_json"]:
        _print(_answer(imported, None if is_shown else output, written=written))
    else:
        click.echo(imported.text if is_shown else output, nl=not is_shown)


def _standing(inspected: Inspected) -> Draft:
    from ds01build.cli import wiring
    from ds01build.workflow.inspecting import over_what_it_was_made_of

    return over_what_it_was_made_of(inspected, wiring.open_store())


def _add(
    sources: Sequence[Path], inspected: Inspected | None, wishes: Wishes, rest: dict[str, Any]
) -> None:
    from ds01build.workflow.importing import additions, left_by_adding, read_sources

    recipe: Path = rest["add_to"]
    read = read_sources(sources, recipe.absolute().parent, wishes).drafts
    drafts = [*read, *([inspected.draft] if inspected else [])]
    notes = [note for draft in drafts for note in draft.notes]
    notes += left_by_adding(sources, read)
    tell(notes, {**rest, "as_json": False})  # the answer is that of an edit, and has no notes
    edits = additions(drafts)
    if not edits:
        click.echo("there is nothing to add", err=True)
        return
    unused = {"build": False, "offline": False, "load": False, "no_load": False}
    editing_commands.carry_out(recipe, edits[0], {**rest, **unused})


def _recipe_of(inspected: Inspected) -> Path | None:
    """Return the recipe that ds01 built a container's image from, None where there is none here."""
    from ds01build.cli import wiring
    from ds01build.errors import Ds01Error
    from ds01build.workflow.naming import find_recipe

    if not inspected.image:
        return None
    try:
        return find_recipe(inspected.image, wiring.open_store(), Path.cwd(), Path.home())
    except Ds01Error as error:
        editing_commands.tell(f"a recipe of its own is made: {error}")
        return None


def _advise(inspected: Inspected, recipe: Path, rest: dict[str, Any]) -> None:
    """Print the commands that add what a container has to the recipe of its image."""
    from ds01build.workflow.editing import recipe_text
    from ds01build.workflow.inspecting import commands

    lines = commands(recipe_text(recipe), inspected.draft)
    tell(inspected.draft.notes, rest)
    if rest["as_json"]:
        answer = {"name": inspected.image, "recipe": str(recipe), "written": False}
        _print(
            {"schema": "ds01.imported/1", **answer, "commands": lines, **_noted(inspected.draft)}
        )
    elif lines:
        click.echo("\n".join(lines))
    elif any(note.outcome == "dropped" for note in inspected.draft.notes):
        click.echo("nothing else was installed by hand", err=True)
    else:
        click.echo("nothing was installed by hand", err=True)


def tell(notes: Iterable[Note], rest: dict[str, Any]) -> None:
    """Say on stderr what became of what a recipe has no place for; --quiet hides what is no loss.

    What is no longer needed for the same reason is said once, with all of its lines.
    """
    if rest["as_json"]:
        return
    done: dict[tuple[str, str], dict[str, None]] = {}
    for note in notes:
        if note.outcome == "done":
            shown = str(note.line) if note.line else note.text
            done.setdefault((note.source, note.reason), {})[shown] = None
        elif note.outcome == "dropped" or not rest["quiet"]:
            about = f" {note.text}" if note.text else ""
            editing_commands.tell(f"{note.place}: {_SAID[note.outcome]}:{about} ({note.reason})")
    for (source, reason), places in () if rest["quiet"] else done.items():
        editing_commands.tell(f"{source}:{', '.join(places)}: no longer needed ({reason})")


def _answer(imported: Imported, recipe: Path | None, *, written: bool) -> dict[str, object]:
    return {
        "schema": "ds01.imported/1",
        "name": imported.recipe.name,
        "recipe": None if recipe is None else str(recipe),
        "written": written,
        "text": imported.text,
        **_noted(imported),
    }


def _noted(of: Imported | Draft) -> dict[str, object]:
    """Return notes by what became of what they are of."""
    keys = {"dropped": "not_carried", "changed": "changed", "done": "not_needed"}
    found: dict[str, list[dict[str, object]]] = {key: [] for key in keys.values()}
    for note in of.notes:
        row = asdict(note)
        del row["outcome"]
        found[keys[note.outcome]].append({**row, "line": note.line or None})
    return dict(found)


def _print(answer: object) -> None:
    from ds01build.cli.output import print_json

    print_json(answer)
