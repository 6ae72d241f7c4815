"""Imports in the background, while a command waits for somebody else."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from threading import Thread

__all__ = ["import_ahead"]


def import_ahead(name: str) -> None:
    """Begin to import a module; who imports it meanwhile waits until that is done.

    Says nothing where it fails: the import that needs the module fails as well.
    """
    Thread(target=_import, args=(name,), name=f"import {name}").start()


def _import(name: str) -> None:
    with suppress(Exception):
        import_module(name)
