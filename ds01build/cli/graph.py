"""``ds01 graph``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from ds01build.cli import options

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["graph"]


@click.command()
@options.recipe
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "dot", "mermaid"]),
    default="text",
    show_default=True,
    help="Graphviz's language, Mermaid's, or plain lines.",
)
def graph(recipe: Path, form: Literal["text", "dot", "mermaid"]) -> None:
    r"""Print the graph of RECIPE: its tiers, and what each needs. RECIPE must have a fresh lock.

    \b
    ds01 graph recipes/ml.toml --format dot | dot -Tsvg >graph.svg
    """
    from ds01build import drawing
    from ds01build import graph as graphs
    from ds01build.workflow import steps as workflow

    made = graphs.of(workflow.check_lock(recipe).lock)
    draw = {"text": drawing.text, "dot": drawing.dot, "mermaid": drawing.mermaid}[form]
    click.echo(draw(made), nl=False)
