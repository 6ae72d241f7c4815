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
@options.as_json
def graph(recipe: Path, form: Literal["text", "dot", "mermaid"], as_json: bool) -> None:
    """Print the graph of RECIPE: its tiers, and what each needs. RECIPE must have a fresh lock.

    \b
    ds01 graph recipes/ml.toml --format dot | dot -Tsvg >graph.svg
    """  # noqa: D301
    from ds01build import drawing
    from ds01build import graph as graphs
    from ds01build.cli.output import print_json
    from ds01build.workflow import steps as workflow

    made = graphs.of(workflow.check_lock(recipe).lock)
    if as_json:
        nodes = [
            {"tier": n.name, "kind": n.kind, "key": str(n.key), "layers": len(n.specs)}
            for n in made.nodes
        ]
        edges = [list(edge) for edge in made.edges()]
        print_json({"schema": "ds01.graph/1", "nodes": nodes, "edges": edges})
        return
    draw = {"text": drawing.text, "dot": drawing.dot, "mermaid": drawing.mermaid}[form]
    click.echo(draw(made), nl=False)
