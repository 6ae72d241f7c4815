"""``ds01 image``: how images leave the store, and how one goes back to earlier ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ds01build.cli import completers, options
from ds01build.cli.lazily import LazyGroup

if TYPE_CHECKING:
    from ds01build.workflow.export import Form
    from ds01build.workflow.loading import Load

__all__ = ["image"]


@click.group(
    cls=LazyGroup,
    places={
        "create": "create:create",
        "delete": "delete:delete",
        "list": "images:images",
        "show": "show:show",
        "update": "update:update",
    },
)
def image() -> None:
    """List, load and export images, and go back to earlier ones."""


@image.command("export")
@click.argument("name", metavar="IMAGE", shell_complete=completers.images)
@click.option("--oci-dir", type=click.Path(path_type=Path), help="Write an OCI image layout.")
@click.option("--oci-archive", type=click.Path(path_type=Path), help="Write a tar of one.")
@click.option("--docker-archive", type=click.Path(path_type=Path), help="Write a docker load file.")
@click.option("--recompress", is_flag=True, help="Make each layer a single gzip member.")
@options.quiet
def export_image(
    name: str,
    oci_dir: Path | None,
    oci_archive: Path | None,
    docker_archive: Path | None,
    recompress: bool,
    quiet: bool,
) -> None:
    """Write IMAGE (NAME, NAME@N or DIGEST) to a new file or directory and print its path.

    Layers of its base that the store does not have are fetched from their registry.

    \b
    ds01 image export quickstart --docker-archive quickstart.tar && docker load <quickstart.tar
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.progress import progress
    from ds01build.workflow.export import export, recompressed
    from ds01build.workflow.loading import bring_base
    from ds01build.workflow.steps import Choices
    from ds01build.workflow.stored import find

    places: dict[Form, Path | None] = {
        "oci-dir": oci_dir,
        "oci-archive": oci_archive,
        "docker-archive": docker_archive,
    }
    given = [(form, place) for form, place in places.items() if place is not None]
    if len(given) != 1:
        raise click.UsageError("give one of --oci-dir, --oci-archive, --docker-archive")
    opened = wiring.open_store()
    (form, place), found = given[0], find(opened, name)
    with opened.lease(found.blobs()):
        with progress(quiet=quiet) as report:
            bring_base(found, lambda: wiring.edges(report, Choices()))
        if recompress and form != "docker-archive":  # its layers are plain
            with recompressed(found, place.parent) as again:
                export(again, form, place)
        else:
            export(found, form, place)
    click.echo(place)


@image.command("load")
@click.argument("name", metavar="IMAGE", shell_complete=completers.images)
@options.as_json
@options.quiet
def load_image(name: str, as_json: bool, quiet: bool) -> None:
    """Load IMAGE (NAME, NAME@N or DIGEST) of the store into the engine and print its tag.

    Only layers travel that the engine does not have.

    \b
    docker run --rm -it "$(ds01 image load thesis)"
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json
    from ds01build.cli.progress import progress
    from ds01build.workflow.loading import load_stored
    from ds01build.workflow.steps import Choices
    from ds01build.workflow.stored import find

    found = find(wiring.open_store(), name)
    with progress(quiet=quiet) as report:
        loaded = load_stored(found, wiring.edges(report, Choices()))
    if as_json:
        answer = {"tag": loaded.tag, "id": str(loaded.engine_id), "sent": loaded.sent}
        print_json({"schema": "ds01.loaded/1", **answer})
    else:
        click.echo(loaded.tag)


@image.command("history")
@click.argument("name", metavar="NAME", shell_complete=completers.names)
@options.as_json
@options.quiet
def show_history(name: str, as_json: bool, quiet: bool) -> None:
    """List the generations of NAME, and what changed from one to the next.

    An engine that answers is asked which of them it has.
    """
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json, table
    from ds01build.cli.progress import progress
    from ds01build.quantities import readable
    from ds01build.workflow.engine_use import loaded
    from ds01build.workflow.generations import history

    opened = wiring.open_store()
    with progress(quiet=quiet) as report:
        engine = wiring.engine(report)
        past = history(opened, name, loaded(engine, opened.uid, name))
    if as_json:
        rows = [one.answer() for one in past]
        print_json({"schema": "ds01.history/1", "name": name, "generations": rows})
        return
    click.echo(
        table(
            ["GENERATION", "BUILT", "DIGEST", "LAYERS", "SIZE", "PACKAGES", "STATE"],
            [
                [
                    f"{name}@{one.number}",
                    one.created,
                    one.image.hex[:12],
                    "-" if one.layers is None else str(one.layers),
                    "-" if one.size is None else readable(one.size),
                    str(one.packages or "-"),
                    ", ".join(one.state),
                ]
                for one in past
            ],
        )
    )


@image.command("rollback")
@click.argument("name", metavar="NAME", shell_complete=completers.names)
@click.argument(
    "number",
    metavar="[N]",
    type=click.IntRange(1, 999_999_999),
    required=False,
    shell_complete=completers.generations,
)
@options.loading
@click.option("--restore", is_flag=True, help="Put its recipe and lock back where they lay.")
@click.option("--yes", is_flag=True, help="With --restore: over changes that no generation has.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@options.as_json
@options.quiet
def rollback(
    name: str, number: int | None, dry_run: bool, as_json: bool, quiet: bool, **rest: bool
) -> None:
    """Let NAME stand for its generation N again, by default the one before, and print its tag.

    Nothing is built, and nothing fetched but layers of a base that neither store nor engine has.
    Recipe and lock stay as they are, so the next build comes to what they say.

    \b
    ds01 image rollback thesis
    ds01 image rollback thesis 3 --restore
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json, visible
    from ds01build.cli.progress import progress
    from ds01build.workflow import rolling
    from ds01build.workflow.generations import previous
    from ds01build.workflow.steps import Choices
    from ds01build.workflow.stored import generation

    if rest["load"] and rest["no_load"]:
        raise click.UsageError("--load and --no-load contradict each other")
    load: Load = "always" if rest["load"] else "never" if rest["no_load"] else "if-there"
    opened = wiring.open_store()
    to = previous(opened, name) if number is None else generation(opened, name, number)
    if dry_run:
        done = rolling.preview(opened, name, to, restore=rest["restore"], force=rest["yes"])
    else:
        with progress(quiet=quiet) as report:
            edges = wiring.edges(report, Choices(load=load))
            done = rolling.roll_back(
                name, to, edges, load, restore=rest["restore"], force=rest["yes"]
            )
    if as_json:
        print_json(done.answer(opened.root, is_done=not dry_run))
    elif dry_run:
        click.echo(f"{name}: from generation {done.before or '-'} to {done.number}")
        for path in done.restored:
            click.echo(visible(f"  writes {path}"))
    else:
        click.echo(done.reference(opened.root))
