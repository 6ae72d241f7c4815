"""``image-delete``: deletes images, and never a recipe, a lock, or a file of a workspace."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import completers, options
from ds01build.errors import Ds01Error, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ds01build.store import DirStore
    from ds01build.workflow.deleting import Deleted, Doomed, Scene

__all__ = ["delete"]


@click.command("image-delete", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", metavar="NAME...", nargs=-1, shell_complete=completers.names)
@click.option("--all", "every", is_flag=True, help="Delete all images of yours.")
@click.option(
    "--force", "-f", is_flag=True, help="Stop and remove their containers first; ask nothing."
)
@click.option("--keep-dockerfile", is_flag=True, help="Keep ~/dockerfiles/NAME.Dockerfile.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and delete nothing.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@options.no_engine
@options.as_json
def delete(names: tuple[str, ...], **rest: Any) -> None:
    """Delete the images NAME...: tags in the engine, all generations, generated Dockerfiles.

    Recipes, locks and whatever else lies in a workspace stay, so that an image can be built again.
    An image that containers were made from is kept, unless --force removes these, too. The bytes
    are freed by ds01 store gc.

    \b
    image-delete --dry-run thesis
    image-delete thesis cv --yes
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json, print_lines

    _check(names, rest)
    opened = wiring.open_store()
    planned = _planned(opened, names, rest)
    size = _freed(opened, planned)
    if not rest["dry_run"]:
        if not _agreed(planned, size, rest):
            click.echo("nothing is deleted", err=True)
            return
        planned = _carried_out(opened, names, rest)
        size = _freed(opened, ())
    if rest["as_json"]:
        print_json(_answer(planned, size, is_done=not rest["dry_run"]))
    elif any(map(_goes, planned)):
        print_lines(line for each in planned if _goes(each) for line in _lines(each.doomed))
    _sum_up(planned, size, is_done=not rest["dry_run"])


def _check(names: tuple[str, ...], rest: dict[str, Any]) -> None:
    """Raise UsageError for what contradicts itself, or needs an answer that nobody can give."""
    if bool(names) == rest["every"]:
        raise click.UsageError("name the images to delete, or give --all")
    asks = not (rest["yes"] or rest["force"] or rest["dry_run"])
    if asks and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: --yes goes on without")


def _scene(opened: DirStore, rest: dict[str, Any]) -> Scene:
    from ds01build.cli import wiring
    from ds01build.cli.telling import tell
    from ds01build.engine.holdings import holdings
    from ds01build.workflow.deleting import scene

    engine = "none" if rest["no_engine"] else wiring.engine(tell)
    if engine == "silent" and not rest["dry_run"]:
        raise Unavailable(
            "which containers use an image is not known, since the engine does not answer",
            hint="docker info; image-delete --no-engine deletes from the store alone",
        )
    return scene(opened, engine, None if isinstance(engine, str) else holdings(engine))


def _planned(opened: DirStore, names: tuple[str, ...], rest: dict[str, Any]) -> list[Deleted]:
    """Return what would come of each image, in the order in which they are given."""
    from ds01build.workflow.deleting import outlook

    at = _scene(opened, rest)
    return [outlook(each, force=rest["force"]) for each in _doomed(at, names, rest)]


def _carried_out(opened: DirStore, names: tuple[str, ...], rest: dict[str, Any]) -> list[Deleted]:
    """Delete the images, as they are by now, and return what came of each."""
    from ds01build.workflow.deleting import Doomed, delete

    at = _scene(opened, rest)
    return [
        delete(at, each, force=rest["force"]) if isinstance(each, Doomed) else each
        for each in _doomed(at, names, rest)
    ]


def _doomed(at: Scene, names: tuple[str, ...], rest: dict[str, Any]) -> list[Doomed | Deleted]:
    from ds01build.workflow.deleting import doomed, every_name

    dockerfiles = None if rest["keep_dockerfile"] else Path.home() / "dockerfiles"
    found = [doomed(at, name, dockerfiles) for name in names or every_name(at)]
    return list({each.name: each for each in found}.values())


def _goes(one: Deleted) -> bool:
    return one.outcome == "deleted"


def _freed(opened: DirStore, planned: Sequence[Deleted]) -> int | None:
    """Return the bytes that a collection then frees, None where the store is damaged."""
    from ds01build.store.gc import LOG_AGE, Policy
    from ds01build.workflow.collecting import freed

    gone = frozenset(each.name for each in planned if _goes(each))
    try:
        return freed(opened, gone, Policy(logs=int((time.time() - LOG_AGE) * 1e9)))
    except Ds01Error:
        return None


def _agreed(planned: list[Deleted], size: int | None, rest: dict[str, Any]) -> bool:
    """Say what would go, and ask; True where there is nothing to ask about."""
    from ds01build.cli.output import visible

    gone = [each for each in planned if _goes(each)]
    for each in gone:
        for line in _told(each.doomed):
            click.echo(visible(line), err=True)
    if not gone or rest["yes"] or rest["force"]:
        return True
    click.echo(_bytes(size), err=True)
    what = ", ".join(each.name for each in gone)
    if rest["every"]:
        asked = f"Delete all images ({what})? Type yes"
        return str(click.prompt(asked, default="no", err=True)) == "yes"
    return click.confirm(f"Delete {what}?", default=False, err=True)


def _told(one: Doomed | None) -> Iterator[str]:
    from ds01build.quantities import counted

    if one is None:
        return
    counts = [counted(len(one.generations), "generation"), counted(len(one.tags), "tag")]
    yield f"{one.name}: {', '.join(counts)} in the engine"
    for each in one.containers:
        yield f"  container {each.container.name} ({each.container.state}): stopped and removed"
    yield from (f"  {path}" for path in one.dockerfile.files)
    left = (one.recipe, *one.given, *map(str, one.dockerfile.left))
    yield from (f"  stays: {each}" for each in left if each)


def _lines(one: Doomed | None) -> Iterator[str]:
    """Yield what goes with an image, or has gone, a thing on each line."""
    if one is not None:
        yield from (f"container {each.container.name}" for each in one.containers)
        yield from (f"tag {tag}" for tag in one.tags)
        yield from (f"file {path}" for path in one.dockerfile.files)
        yield from (f"generation {one.name}@{number}" for number in one.generations)
        yield f"image {one.name}"


def _answer(planned: list[Deleted], size: int | None, *, is_done: bool) -> dict[str, object]:
    return {
        "schema": "ds01.deleted/1",
        "dry_run": not is_done,
        "images": [each.answer() for each in planned],
        "gc_bytes": size,
    }


def _sum_up(planned: list[Deleted], size: int | None, *, is_done: bool) -> None:
    """Say what came of it all. Raises Ds01Error where not all came to what was asked."""
    from ds01build.cli.output import visible

    for each in planned:
        if not _goes(each):
            hint = f" ({each.hint})" if each.hint else ""
            click.echo(visible(f"{each.outcome}: {each.name}: {each.reason}{hint}"), err=True)
    counts = {
        word: sum(each.outcome == word for each in planned)
        for word in ("deleted", "skipped", "failed")
    }
    if not is_done:
        click.echo("nothing is deleted: this is what would be", err=True)
    click.echo(_bytes(size), err=True)
    text = ", ".join(f"{number} {word}" for word, number in counts.items())
    text = text if is_done else text.replace("deleted", "to be deleted")
    if counts["skipped"] or counts["failed"]:
        raise Ds01Error(text)
    click.echo(text, err=True)


def _bytes(size: int | None) -> str:
    from ds01build.quantities import readable

    known = "what ds01 store gc then frees is not known: the store is damaged (ds01 store verify)"
    return known if size is None else f"ds01 store gc then frees {readable(size)}"
