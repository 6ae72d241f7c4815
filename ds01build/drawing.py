"""Draws a graph: as lines, in Graphviz's language, and in Mermaid's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ds01build.graph import Graph, Node

__all__ = ["dot", "mermaid", "text"]

_SHOWN = 12  # hex digits of a key


def text(graph: Graph) -> str:
    """Return one line for each node, in an order in which it follows what it needs."""
    width = max(len(node.name) for node in graph.nodes)
    return "".join(
        f"{node.name.ljust(width)}  {_key(node)}  {node.kind:<6}  {len(node.specs):>3} layers"
        f"{'  needs ' + ', '.join(node.needs) if node.needs else ''}\n"
        for node in graph.nodes
    )


def dot(graph: Graph) -> str:
    """Return the graph in the DOT language of Graphviz, needs pointing to what needs them."""
    nodes = "".join(
        f'  "{node.name}" [label="{node.name}\\n{node.kind}, {len(node.specs)} layers\\n'
        f'{_key(node)}"];\n'
        for node in graph.nodes
    )
    edges = "".join(f'  "{need}" -> "{name}";\n' for need, name in graph.edges())
    return f"digraph ds01 {{\n  rankdir=BT;\n  node [shape=box];\n{nodes}{edges}}}\n"


def mermaid(graph: Graph) -> str:
    """Return the graph as a Mermaid flowchart."""
    number = {node.name: f"n{place}" for place, node in enumerate(graph.nodes)}
    nodes = "".join(
        f'  {number[node.name]}["{node.name}<br>{node.kind}, {len(node.specs)} layers<br>'
        f'{_key(node)}"]\n'
        for node in graph.nodes
    )
    edges = "".join(f"  {number[need]} --> {number[name]}\n" for need, name in graph.edges())
    return f"flowchart BT\n{nodes}{edges}"


def _key(node: Node) -> str:
    return node.key.hex[:_SHOWN]
