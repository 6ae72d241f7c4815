from __future__ import annotations

import re

from values import a_lock, python_lock

from ds01build import drawing, graph

GRAPH = graph.of(a_lock())
KEYS = {node.name: node.key.hex[:12] for node in GRAPH.nodes}


def test_text_has_a_line_for_each_node_below_what_it_needs() -> None:
    assert drawing.text(GRAPH) == (
        f"base     {KEYS['base']}  base      1 layers\n"
        f"system   {KEYS['system']}  apt       1 layers  needs base\n"
        f"work     {KEYS['work']}  python    2 layers  needs base\n"
        f"config   {KEYS['config']}  files     1 layers  needs base, work\n"
        f"(state)  {KEYS['(state)']}  state     1 layers  needs base, system\n"
    )


def test_dot_has_each_node_and_an_arrow_from_what_is_needed() -> None:
    drawn = drawing.dot(GRAPH)
    assert drawn.startswith("digraph ds01 {\n")
    assert drawn.endswith("}\n")
    assert rf'  "work" [label="work\npython, 2 layers\n{KEYS["work"]}"];' in drawn
    assert re.findall(r'^  "(.+)" -> "(.+)";$', drawn, re.MULTILINE) == [*GRAPH.edges()]
    assert re.findall(r'^  "(.+)" \[', drawn, re.MULTILINE) == [*KEYS]


def test_mermaid_has_each_node_and_an_arrow_from_what_is_needed() -> None:
    drawn = drawing.mermaid(GRAPH)
    assert drawn.startswith("flowchart BT\n")
    assert f'  n2["work<br>python, 2 layers<br>{KEYS["work"]}"]\n' in drawn
    numbers = {f"n{place}": name for place, name in enumerate(KEYS)}
    arrows = re.findall(r"^  (n\d) --> (n\d)$", drawn, re.MULTILINE)
    assert [(numbers[need], numbers[name]) for need, name in arrows] == [*GRAPH.edges()]


def test_drawings_are_the_same_each_time() -> None:
    for draw in (drawing.text, drawing.dot, drawing.mermaid):
        assert draw(graph.of(python_lock(30))) == draw(graph.of(python_lock(30)))
