"""``ds01 completion``."""

from __future__ import annotations

from typing import Literal

import click

__all__ = ["completion"]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: Literal["bash", "zsh", "fish"]) -> None:
    """Print a script that lets the Tab key complete commands, images, recipes and packages.

    \b
    eval "$(ds01 completion bash)"
    """  # noqa: D301
    from ds01build.cli import programs
    from ds01build.cli.completing import script

    for program in programs():
        click.echo(script(shell, program))
