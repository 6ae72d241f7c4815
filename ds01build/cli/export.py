"""``ds01 export``: a recipe's lock in the formats of others."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ds01build.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ds01build.workflow.exporting import Exporter, Format
    from ds01build.workflow.steps import Choices, Locked

__all__ = ["export"]

_FORMATS = ("pylock", "requirements", "spdx", "cyclonedx", "devcontainer", "dockerfile")
_LAST = 253402300799  # the end of the year 9999, in seconds
_PYLOCK = re.compile(r"pylock\.(?:[^.]+\.)?toml")  # PEP 751: others are not read as one


@click.command()
@options.recipe
@click.option(
    "--format",
    "wanted",
    type=click.Choice(_FORMATS),
    required=True,
    help="pylock: PEP 751; requirements: pip, by hash; spdx, cyclonedx: bills of materials.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Write a new file there and print its path; of a dockerfile, the directory.",
)
@click.option("--force", is_flag=True, help="Replace what is there.")
@options.locking
@options.as_json
@options.quiet
def export(
    recipe: Path,
    wanted: str,
    output: Path | None,
    force: bool,
    as_json: bool,
    quiet: bool,
    **rest: Any,
) -> None:
    """Write the lock of RECIPE in a format that other tools read.

    To stdout, or to a new file. Equal locks give equal bytes. Without a lock, or with a stale one,
    locks first.

    \b
    ds01 export recipes/thesis.toml --format pylock -o pylock.toml
    ds01 export recipes/thesis.toml --format cyclonedx > thesis.cdx.json
    ds01 export recipes/thesis.toml --format devcontainer -o .devcontainer/devcontainer.json
    """  # noqa: D301
    from ds01build.cli.output import print_json
    from ds01build.workflow.quick import lock_path
    from ds01build.workflow.replacing import create_file, replace_file

    _check(wanted, output, force=force, as_json=as_json)
    chosen = options.choices(rest)
    if wanted == "dockerfile":
        assert output is not None, "checked"
        name, path = _dockerfile(recipe, output, chosen, force=force, quiet=quiet)
    else:
        if output:  # before anything is asked of a network
            _refuse(output, (recipe, lock_path(recipe)), force=force)
        locked, text = _text(recipe, cast("Format", wanted), chosen, quiet=quiet)
        name = locked.lock.name
        if output is None:
            click.echo(text, nl=False)
            return
        path = output
        _refuse(output, _inputs(recipe, locked), force=force)
        (replace_file if force else create_file)(output, text)
    if as_json:
        answer = {"name": name, "format": wanted, "path": str(path)}
        print_json({"schema": "ds01.export/1", **answer})
    else:
        click.echo(str(path))


def _check(wanted: str, output: Path | None, *, force: bool, as_json: bool) -> None:
    is_directory = output is not None and (output.is_dir() or not os.path.lexists(output))
    if wanted == "dockerfile" and not is_directory:
        raise click.UsageError("a Dockerfile has a context beside it: name a directory with -o")
    if output is None and (as_json or force):
        option = "--json" if as_json else "--force"
        raise click.UsageError(f"{option} needs -o: without it, stdout is the export itself")
    if output and wanted == "pylock" and not _PYLOCK.fullmatch(output.name):
        raise click.UsageError(
            f"installers read no pylock from {output.name!r:.100}: call it pylock.toml, or "
            "pylock.NAME.toml"
        )


def _refuse(path: Path, keep: Iterable[Path], *, force: bool) -> None:
    """Raise Ds01Error where a file is in the way; by ``force``, only for what is not replaced."""
    from ds01build.workflow.replacing import refuse_existing, refuse_replacing

    if force:
        refuse_replacing(path, keep)
    else:
        refuse_existing(path)


def _inputs(recipe: Path, locked: Locked) -> tuple[Path, ...]:
    return (recipe, locked.path, *locked.request.inputs())


def _text(recipe: Path, wanted: Format, chosen: Choices, *, quiet: bool) -> tuple[Locked, str]:
    """Return what is exported, and the export."""
    from ds01build.cli import wiring
    from ds01build.cli.progress import progress
    from ds01build.workflow.exporting import exported
    from ds01build.workflow.steps import make_lock

    exporter = _exporter()
    with progress(quiet=quiet) as report:
        edges = wiring.edges(report, chosen)
        locked = make_lock(recipe, edges, chosen)
        return locked, exported(locked, wanted, edges, exporter)


def _exporter() -> Exporter:
    from ds01build.workflow.exporting import Exporter

    exporter = Exporter(uid=os.getuid(), gid=os.getgid())
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not epoch:
        return exporter
    if not re.fullmatch(r"[0-9]{1,12}", epoch) or int(epoch) > _LAST:
        raise click.UsageError(f"SOURCE_DATE_EPOCH is {epoch!r:.60}, and no count of seconds")
    moment = datetime.fromtimestamp(int(epoch), timezone.utc)
    return replace(exporter, created=moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _dockerfile(
    recipe: Path, directory: Path, chosen: Choices, *, force: bool, quiet: bool
) -> tuple[str, Path]:
    """Write a Dockerfile as ``ds01 dockerfile`` does; return the name of the image, and its path.

    One that ds01 did not write is replaced in no case.
    """
    from ds01build.cli import wiring
    from ds01build.cli.progress import progress
    from ds01build.workflow import rendering
    from ds01build.workflow.inheriting import base_config
    from ds01build.workflow.quick import lock_path
    from ds01build.workflow.request import read_request
    from ds01build.workflow.steps import make_lock

    def place(name: str, keep: Iterable[Path]) -> rendering.Place:
        found = rendering.default_place(directory.absolute(), name)
        _refuse(found.dockerfile, keep, force=force)
        return found

    place(read_request(recipe).recipe.name, (recipe, lock_path(recipe)))
    with progress(quiet=quiet) as report:
        edges = wiring.edges(report, chosen)
        locked = make_lock(recipe, edges, chosen)
        config = base_config(locked.lock.base, edges)
    lock = locked.lock
    written = place(lock.name, _inputs(recipe, locked))
    rendering.write_dockerfile(lock, config, locked.request.directory, written)
    return lock.name, written.dockerfile
