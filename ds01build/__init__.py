"""ds01: content-addressed container images for data science.

The Python API: ``edges`` describes a machine, ``make_lock``, ``make_plan`` and ``build``
work on it.

    import os, pathlib
    import ds01build

    edges = ds01build.edges(os.environ, pathlib.Path.home(), print)
    built = ds01build.build(pathlib.Path("recipe.toml"), edges, ds01build.Choices())
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ds01build.errors import Ds01Error
    from ds01build.workflow.building import build
    from ds01build.workflow.machine import edges
    from ds01build.workflow.planning import make_plan
    from ds01build.workflow.steps import Choices, make_lock

__all__ = ["Choices", "Ds01Error", "__version__", "build", "edges", "make_lock", "make_plan"]

__version__ = "0.1.0"

_HOMES = {
    "Choices": "workflow.steps",
    "Ds01Error": "errors",
    "build": "workflow.building",
    "edges": "workflow.machine",
    "make_lock": "workflow.steps",
    "make_plan": "workflow.planning",
}


def __getattr__(name: str) -> object:
    """Import what is asked for: loading all of it would be most of a command's time."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"ds01build.{_HOMES[name]}"), name)
