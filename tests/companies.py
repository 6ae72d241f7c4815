"""Which tests stay together where several processes share the work (``pytest -n 3``).

Those that use one engine, because they would meet each other's images there; those that build the
shipped recipes, which a process does once; and those of a file.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

NAMES = ("graph", "containerd", "gallery", "podman")
LONG = (*NAMES, "test_store_faults.py", "test_cli_registry.py", "test_root_network.py")
_KIND = re.compile(r"[\[-](graph|containerd|podman)[\]-]")
# What a file has in it whose tests use an engine, or the shipped recipes.
_MARKS = {"graph": ("desk_fixtures", "engine_fixtures"), "gallery": ("gallery: Gallery",)}


def of(nodeid: str) -> str:
    """Return the name of a test's company: one of NAMES, or its file."""
    path, _, test = nodeid.partition("::")
    kind = _KIND.search(test)
    return kind[1] if kind else _of_file(Path(__file__).parent.parent / path)


@cache
def _of_file(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    for name, marks in _MARKS.items():
        if any(mark in text for mark in marks):
            return name
    return path.name


def rank(nodeid: str) -> int:
    """Return where a test's company stands: the longest come first."""
    name = of(nodeid)
    return LONG.index(name) if name in LONG else len(LONG)


def scheduler(config: pytest.Config, log: object) -> object:
    """Return what hands out companies to processes, in the order in which they were collected."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 (a machine may lack it)

    config.option.loadscopereorder = False
    made = LoadScopeScheduling(config, log)
    made._split_scope = of
    return made
