"""Questions that are longer than a line are broken between words, and have room for an answer."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from terminals import ENTER, INTERRUPT, terminal

if TYPE_CHECKING:
    from pathlib import Path

ASKING = """
from ds01build.asking import Option
from ds01build.cli.terminal import Terminal
asker = Terminal(lambda topic: None)
options = [Option(value="a", title="One"), Option(value="b", title="Two")]
asker.confirm(f"/home/{'x' * 90}/recipe.toml exists. Overwrite?", default=False)
asker.choose("Select what fits best of all that there is to be selected", options, "a")
asker.check("Select what fits best of all that there is to be selected", options, ["a"])
asker.text("Additional Python packages? (separated by spaces, or Enter to skip)", str)
asker.text("Short", str)
"""


@pytest.mark.parametrize("columns", [80, 120])
def test_no_word_of_a_question_is_torn_and_nothing_is_cut(tmp_path: Path, columns: int) -> None:
    with terminal([sys.executable, "-c", ASKING], os.environ, tmp_path, columns) as shown:
        shown.answer("Overwrite? [y/N]", ENTER)
        assert shown.text.count("x") > 90
        for end in ("a number, then Enter)", "toggle, Enter to continue)"):
            shown.await_text(end)
            assert end in shown.text, "on one line"
            shown.press(ENTER)
        shown.answer("Additional Python packages", "wandb tensorboard", ENTER)
        shown.await_text("? Short")
        assert "wandb tensorboard" in shown.text, "on one line"
        assert "? Short" in shown.text.splitlines()[-1]
        shown.press(INTERRUPT)
        assert shown.end() != 0
    assert {"Overwrite?", "[y/N]No"} <= set(shown.text.split())
