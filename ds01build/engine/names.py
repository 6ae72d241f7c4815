"""What ds01 calls its images in an engine, which many users share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ds01build.digest import Digest

__all__ = ["fixed_tag", "moving_tag"]

_SHOWN = 12  # hex digits, as many as Docker shows


def moving_tag(uid: int, name: str) -> str:
    """Return the tag that stands for the newest image of a recipe's name."""
    return f"ds01-{uid}/{name}:latest"


def fixed_tag(uid: int, name: str, config_digest: Digest) -> str:
    """Return the tag that never moves: it names the image by its configuration."""
    return f"ds01-{uid}/{name}:{config_digest.hex[:_SHOWN]}"
