"""``ds01 base``: what is in an image that tiers may stand on."""

from __future__ import annotations

import click

from ds01build.cli import completers, options

__all__ = ["base"]


@click.group()
def base() -> None:
    """Look into base images."""


@base.command()
@click.argument("reference", metavar="REF", shell_complete=completers.frameworks)
@click.option("--all", "every", is_flag=True, help="List every package, not the key ones alone.")
@options.as_json
@options.quiet
def show(reference: str, every: bool, as_json: bool, quiet: bool) -> None:
    """Print what the image REF has: system, Python, key packages, CUDA.

    REF is an image, a framework of the catalogue (pytorch, tensorflow, ...), or FRAMEWORK:VERSION.
    Its registry says which image that is; what is in it says an engine that has that very image,
    without a network, or else its layers, which are read from there. What was found is remembered.
    An image that only an engine has is not found: docker push brings it to a registry.

    \b
    ds01 base show python:3.12-slim
    ds01 base show pytorch --all
    """  # noqa: D301
    from ds01build.base import show as showing
    from ds01build.cli import wiring
    from ds01build.cli.output import print_json
    from ds01build.cli.progress import progress
    from ds01build.workflow.looking import look
    from ds01build.workflow.steps import Choices

    with progress(quiet=quiet) as report:
        seen = look(wiring.edges(report, Choices(load="never")).bases, reference)
    if as_json:
        print_json(showing.answer(seen.facts, seen.reference, architecture=seen.architecture))
    else:
        click.echo(showing.screen(seen.facts, seen.reference, architecture=seen.architecture))
        if every:
            click.echo(showing.every_package(seen.facts))
