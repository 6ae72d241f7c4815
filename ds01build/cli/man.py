"""``ds01 man``."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["man"]


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
def man(directory: Path) -> None:
    """Write manual pages of all commands into DIR and print their paths.

    \b
    ds01 man ~/.local/share/man/man1
    """  # noqa: D301
    from ds01build import __version__
    from ds01build.cli import ds01
    from ds01build.cli.reference import manuals

    directory.mkdir(parents=True, exist_ok=True)
    for name, text in manuals(ds01, __version__).items():
        path = directory / name
        path.write_text(text, encoding="utf-8")
        click.echo(path)
