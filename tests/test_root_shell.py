from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01build.layers.root import shell


def commands(script: str) -> list[tuple[str, ...]]:
    return list(shell.commands(script))


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("a b c", [("a", "b", "c")]),
        ("a \\\n  b", [("a", "b")]),
        ("a; b && c || d | e", [("a",), ("b",), ("c",), ("d",), ("e",)]),
        ("a # b\n# c\nd#e", [("a",), ("d#e",)]),
        ("a 'b c' \"d e\" f\\ g", [("a", "b c", "d e", "f g")]),
        ("if a; then b; else c; fi", [("a",), ("b",), ("c",), ("fi",)]),
        ("x=1 y='2 3'\na $x ${y} \"$y\" $z", [("a", "1", "2", "3", "2 3", "$")]),
        ("x=1\nif t; then x=$(f); fi\na $x", [("t",), ("fi",), ("a", "1")]),
        ("for i in a b; do c $i; done", [("c", "a"), ("c", "b"), ("done",)]),
        (
            "for i in a b; do for j in 1 2; do c $i$j; done; done",
            [("c", "a1"), ("c", "a2"), ("done",), ("c", "b1"), ("c", "b2"), ("done",), ("done",)],
        ),
        ("a > out 2>&1 < in b", [("a", "b")]),
        ("cat <<EOF > out\nrm -rf /\nEOF\na", [("cat",), ("a",)]),
        ("cat <<-'EOF'\n\trm x\n\tEOF\na", [("cat",), ("a",)]),
        ('a "$(rm x)" `rm y` $(rm z)', [("a", "$", "$", "$")]),
        ("f() { a $1; }\nf x", [("a", "$"), ("}",), ("f", "x")]),
        ("case $1 in\n configure|x)\n a\n ;;\nesac", [("case", "$", "in"), ("a",), ("esac",)]),
        ("(a; b) | c", [("a",), ("b",), ("c",)]),
        ("a 'unended", [("a", "'unended")]),
    ],
)
def test_a_script_is_read_as_its_commands(script: str, expected: list[tuple[str, ...]]) -> None:
    assert commands(script) == expected


def test_functions_are_known_by_name() -> None:
    assert shell.functions("one() {\n a\n}\ntwo () (b)\n") == {"one", "two"}


@given(st.text(max_size=300))
def test_any_text_is_read(script: str) -> None:
    assert all(words for words in commands(script))


@given(st.text(alphabet="a$ '\"`\\\n;|&(){}<>#=", max_size=80))
def test_any_syntax_is_read(script: str) -> None:
    assert all(words for words in commands(script))


def test_loops_cannot_multiply_without_end() -> None:
    loops = "".join(f"for v{i} in {'x ' * 50}; do " for i in range(8))
    assert len(commands(loops + "a; " + "done; " * 8)) == shell.MAX_COMMANDS
