"""Bases with one property each that a builder has to see: over the plain one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from standins.layout import Made, tar
from standins.recipes import SITE
from standins.workshop import ARCHITECTURE, plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from standins.layout import Layout
    from standins.workshop import Maker, Workshop

VOLUME = "/var/cache/standin"
# Directories that a Python layer passes, or lands in, with modes and owners of their own.
OWNED = (
    Made(path="usr/local/bin", mode=0o2775, uid=0, gid=50),
    Made(path=SITE[1:], mode=0o2775, uid=1000, gid=1000),
    Made(path="usr/local/etc", mode=0o750, uid=70000, gid=3_000_000),  # no room in USTAR's field
    Made(path="opt/shared", mode=0o3777, uid=1000, gid=100),
    Made(path="opt/link", to="shared"),
)


def onbuild(layout: Layout) -> None:
    layout.configure({"OnBuild": ["RUN echo from-the-base >/from-the-base"]})


def volume(layout: Layout) -> None:
    layout.append(tar([Made(path=VOLUME[1:])]))
    layout.configure({"Volumes": {VOLUME: {}}})


def foreign(layout: Layout) -> None:
    """Say that it is of another architecture; its bytes are not."""
    other = "amd64" if ARCHITECTURE == "arm64" else "arm64"
    layout.configure({}, architecture=other)


def owners(layout: Layout) -> None:
    layout.append(tar(OWNED))


def variant(change: Callable[[Layout], None]) -> Maker:
    return partial(_make, change)


def _make(change: Callable[[Layout], None], shop: Workshop, destination: Path) -> None:
    change(shop.layout("plain", plain).copied(destination))
