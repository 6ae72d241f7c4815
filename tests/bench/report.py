"""Makes the table and the plot of the docs from what ``bench --json FILE`` has written.

``python tests/bench/report.py FILE SCENARIO [--plot SVG]`` prints Markdown.
"""

from __future__ import annotations

import argparse
import html
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH, _ROW, _LEFT = 720, 18, 330  # of the plot, in pixels
_COLOURS = ("#0b7285", "#adb5bd", "#868e96", "#495057")


def table(outcome: dict[str, Any]) -> str:
    """Return the medians and spreads of a scenario, and its bounds, as two tables."""
    lines = ["| measured | median | spread |", "| --- | --- | --- |"]
    for one in outcome["series"]:
        values, unit = one["values"], one["unit"]
        spread = f"{min(values):.2f} to {max(values):.2f} {unit}"
        lines.append(f"| {one['name']} | {one['median']:.2f} {unit} | {spread} |")
    lines += ["", "| ratio or limit | measured | bound | |", "| --- | --- | --- | --- |"]
    for one in outcome["verdicts"]:
        met = "met" if one["met"] else "**missed**"
        unit = one["unit"]
        bound = f"{one['kind']} {one['bound']:g}"
        lines.append(f"| {one['name']} | {one['value']:.2f} {unit} | {bound} | {met} |")
    return "\n".join(lines) + "\n"


def plot(outcome: dict[str, Any]) -> str:
    """Return an SVG with a bar for each series, the longest as wide as there is room."""
    series = outcome["series"]
    longest = max((one["median"] for one in series), default=0.0) or 1.0
    names = list(dict.fromkeys(one["name"].rpartition(", ")[0] for one in series))
    rows = []
    for number, one in enumerate(series):
        top = 10 + number * _ROW
        wide = max(1.0, (_WIDTH - _LEFT - 70) * one["median"] / longest)
        colour = _COLOURS[names.index(one["name"].rpartition(", ")[0]) % len(_COLOURS)]
        rows.append(
            f'<text x="{_LEFT - 6}" y="{top + 12}" text-anchor="end">'
            f"{html.escape(one['name'])}</text>"
            f'<rect x="{_LEFT}" y="{top + 2}" width="{wide:.1f}" height="{_ROW - 5}"'
            f' fill="{colour}"/>'
            f'<text x="{_LEFT + wide + 5:.1f}" y="{top + 12}">'
            f"{one['median']:.2f} {html.escape(one['unit'])}</text>"
        )
    height = 20 + len(series) * _ROW
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
            ' font-family="sans-serif" font-size="11" fill="#343a40">'
        ),
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        *rows,
        "</svg>\n",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Print the tables of one scenario, and write its plot where that is asked for."""
    parser = argparse.ArgumentParser(prog="report", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("scenario")
    parser.add_argument("--plot", type=Path, metavar="SVG")
    chosen = parser.parse_args(arguments)
    outcomes = {one["scenario"]: one for one in json.loads(chosen.file.read_text())}
    if chosen.scenario not in outcomes:
        parser.error(f"{chosen.file} has {', '.join(outcomes) or 'nothing'}")
    sys.stdout.write(table(outcomes[chosen.scenario]))
    if chosen.plot:
        chosen.plot.write_text(plot(outcomes[chosen.scenario]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
