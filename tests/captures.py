"""Pictures of the prompts for the docs: ``python tests/captures.py docs/captures [NAME...]``.

Real commands on a terminal of 80 and of 120 columns, as a light and as a dark one shows them.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from dataclasses import dataclass
from io import StringIO
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from images import SCRIPT, succeed
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, DIMMED_MONOKAI
from rich.text import Text
from terminals import DOWN, ENTER, INTERRUPT, terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pyte.screens import Char
    from terminals import Terminal

THEMES = {"light": DEFAULT_TERMINAL_THEME, "dark": DIMMED_MONOKAI}
BRIGHT = {"brightblack": "bright_black"}


def picture(shown: Terminal, title: str, theme: str) -> str:
    """Return what is on the screen as SVG."""
    console = Console(record=True, width=shown.columns, file=StringIO(), force_terminal=True)
    for row in range(len(shown.text.splitlines())):
        cells = [shown.screen.buffer[row][column] for column in range(shown.columns)]
        line = Text()
        for style, run in groupby(cells, key=_style):
            line.append("".join(cell.data for cell in run), style)
        line.rstrip()
        console.print(line, no_wrap=True, crop=True)
    svg = console.export_svg(title=title, theme=THEMES[theme], unique_id="ds01")
    # Fonts that would be fetched from elsewhere: every browser has one of its own.
    svg = re.sub(r"(?s)\s*@font-face \{.*?\n\s*\}", "", svg)
    return svg.replace("Fira Code, monospace", "monospace")


def _style(cell: Char) -> Style:
    color = None if cell.fg == "default" else BRIGHT.get(cell.fg, cell.fg)
    return Style(color=color, bold=cell.bold, reverse=cell.reverse)


def create(shown: Terminal) -> None:
    """Answer what image-create asks, up to the build."""
    shown.answer("Name of the image", "thesis", ENTER)
    shown.answer("Select base framework", *[DOWN] * 5, ENTER)
    shown.answer("Debian release", ENTER)
    shown.answer("Where do the Python packages", ENTER)
    shown.answer("Install Jupyter Lab", ENTER)
    shown.answer("Install core data science", ENTER)
    shown.answer("Select use case", ENTER)
    shown.answer("Additional Python packages", "wandb tensorboard", ENTER)
    shown.answer("System packages", "tmux", ENTER)
    shown.await_text("Build image now?", seconds=300)


def choose(shown: Terminal) -> None:
    """Stop where a use case is chosen."""
    shown.answer("Select base framework", "6", ENTER)
    shown.answer("Debian release", ENTER)
    shown.answer("Where do the Python packages", ENTER)
    shown.answer("Install Jupyter Lab", ENTER)
    shown.answer("Install core data science", ENTER)
    shown.answer("Select use case", DOWN)


def tick(shown: Terminal) -> None:
    """Stop on the list of bundles."""
    shown.answer("Select package bundles", DOWN)


def change(shown: Terminal) -> None:
    """Add a package on the menu of image-update, and stop on the menu."""
    shown.answer("What now?", "2", ENTER)
    shown.answer("Python packages (separated", "wandb", ENTER)
    shown.await_text("Custom: wandb")
    shown.await_text("Cancel")


@dataclass(frozen=True)
class Capture:
    """A command line, what is typed, and a command that is run before it."""

    words: tuple[str, ...]
    drive: Callable[[Terminal], None]
    before: tuple[str, ...] = ()


THESIS = ("image-create", "thesis", "--debian", "bookworm")
CAPTURES = {
    "create": Capture(("image-create",), create),
    "use-case": Capture(("image-create", "thesis"), choose),
    "bundles": Capture((*THESIS, "--bundles"), tick),
    "update": Capture(
        ("image-update", "workspace/thesis/recipe.toml"),
        change,
        (*THESIS, "-t", "ml", "-s", "tmux", "--yes", "--no-build", "--quiet"),
    ),
}


def command(words: tuple[str, ...]) -> list[str]:
    return [str(SCRIPT.with_name(words[0])), *words[1:]]


def draw(name: str, columns: int, directory: Path) -> None:
    """Run a command as somebody who has nothing yet, and write its pictures."""
    capture = CAPTURES[name]
    with tempfile.TemporaryDirectory() as home:
        none = f"unix://{home}/none.sock"
        environment = {**os.environ, "HOME": home, "DOCKER_HOST": none, "LANG": "C.UTF-8"}
        if capture.before:
            succeed(*command(capture.before), environment=environment)
        with terminal(command(capture.words), environment, Path(home), columns) as shown:
            capture.drive(shown)
            for theme in THEMES:
                path = directory / f"{name}-{columns}-{theme}.svg"
                path.write_text(picture(shown, capture.words[0], theme), encoding="utf-8")
            shown.press(INTERRUPT)
            shown.end()


def main(directory: Path, names: Collection[str]) -> None:
    directory.mkdir(exist_ok=True)
    for name in names or CAPTURES:
        for columns in (80, 120):
            draw(name, columns, directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
