from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from lock_strategies import locks
from values import a_lock, digest, wheel_pin

from ds01build.cli.markdown import code, markdown
from ds01build.cli.output import visible
from ds01build.difference import Side, compare
from ds01build.placed import stack_of

if TYPE_CHECKING:
    from ds01build.lock import Lock

HOSTILE = st.text(alphabet="a|`\\<>&*_[](){}#@!~ \n\r\t\x1b\u202e\u200b-$é", max_size=12)


def between(a: Lock, b: Lock, name: str = "b") -> str:
    sides = [Side(name=n, lock=x, stack=stack_of(x, {})) for n, x in (("a", a), (name, b))]
    return markdown(compare(*sides))


def read(cell: str) -> str:
    """Return the text that a reader of Markdown shows for code."""
    if cell.startswith("<code>"):
        inner = cell.removeprefix("<code>").removesuffix("</code>")
        assert re.fullmatch(r"(?:\w|&#[0-9]+;)*", inner), "nothing that could be markup"
        return html.unescape(inner)
    assert re.fullmatch(r"`[^`|\\\n]+`", cell), "a code span that ends where it should"
    return cell[1:-1]


@given(HOSTILE)
def test_text_stays_text_whatever_is_in_it(text: str) -> None:
    shown = code(text)
    assert shown.isprintable()
    assert "|" not in shown
    if text:
        assert read(shown) == visible(text)


@given(locks(), locks())
def test_each_table_has_rows_of_as_many_cells(a: Lock, b: Lock) -> None:
    for block in between(a, b).split("\n\n"):
        lines = block.splitlines()
        if lines[0].startswith("|"):
            assert len({line.count("|") for line in lines}) == 1
            assert len(lines) > 2


def test_a_difference_is_a_heading_a_summary_and_tables() -> None:
    lock = a_lock()
    numpy = wheel_pin("numpy", version="2.0", size=21 * 1024 * 1024)
    image = replace(lock.image, env=(("A", "a|`b`"), ("B", "2")))
    other = replace(lock, wheels=(numpy, *lock.wheels[1:]), image=image)
    assert between(lock, other) == (
        "### `a` → `b`\n"
        "\n"
        "Packages: 1 upgraded. Layers: 21.0 MiB (+1.0 MiB); a pull sends 21.0 MiB.\n"
        "\n"
        "| package | change | before | after | tier | size |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| `numpy` | upgraded | `1.0` | `2.0` | `work` | +1.0 MiB |\n"
        "\n"
        "| setting | before | after |\n"
        "| --- | --- | --- |\n"
        "| `image.env.A` | `1` | <code>a&#124;&#96;b&#96;</code> |\n"
        "\n"
        "| layer | tier | holds | size |\n"
        "| --- | --- | --- | --- |\n"
        "| only B | `work` | `numpy==2.0` | 21.0 MiB |\n"
        "| moved | `work` | `2 packages, pandas==1.0 to six==1.0` | 2.0 KiB |\n"
        "| moved | `(state)` | `state of 2 .debs` | 3.9 KiB |\n"
        "| moved | `config` | `2 files, /etc/motd to /opt/run.sh` | 20 B |\n"
        "| only A | `work` | `numpy==1.0` | 20.0 MiB |"
    )


def test_nothing_differs_is_said() -> None:
    assert between(a_lock(), a_lock()) == "### `a` → `b`\n\nNothing differs."
    named = between(a_lock(), a_lock(), "x`](http://evil)|")
    assert named.startswith("### `a` → <code>x&#96;&#93;&#40;http&#58;")


def test_a_long_table_says_how_much_more_there_is() -> None:
    lock = a_lock()
    many = tuple((f"V{number:03}", digest(str(number)).hex) for number in range(250))
    text = between(lock, replace(lock, image=replace(lock.image, env=many)))
    assert "\n\nand 52 more" in text
