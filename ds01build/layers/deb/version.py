"""The order of Debian's versions (Debian Policy 5.6.12)."""

from __future__ import annotations

__all__ = ["is_newer"]


def is_newer(version: str, other: str) -> bool:
    """Say whether ``version`` comes after ``other``; where one is none, their texts decide."""
    from debian.debian_support import NativeVersion

    try:
        return bool(NativeVersion(version) > NativeVersion(other))
    except ValueError:
        return version > other
