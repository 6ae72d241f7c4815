"""``ds01 image``: what the store holds, and how it leaves it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ds01build.cli import options

if TYPE_CHECKING:
    from ds01build.workflow.export import Form

__all__ = ["image"]


@click.group()
def image() -> None:
    """List and export images."""


@image.command("list")
@options.as_json
def list_images(as_json: bool) -> None:
    """List the images of the store, with the generation that each name stands for."""
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json, readable, table
    from ds01build.workflow.inventory import images

    found = images(wiring.open_store())
    if as_json:
        print_json({"schema": "ds01.images/1", "images": [row.answer() for row in found]})
        return
    rows = [
        [
            row.name,
            str(row.generation or "-"),
            row.digest.hex[:12],
            str(row.layers),
            readable(row.size),
            row.created,
        ]
        for row in found
    ]
    click.echo(table(["NAME", "GENERATION", "DIGEST", "LAYERS", "SIZE", "BUILT"], rows))


@image.command("export")
@click.argument("name", metavar="IMAGE")
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
@click.argument("name", metavar="IMAGE")
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
