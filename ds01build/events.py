"""What long work reports while it runs; whoever shows it decides how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = [
    "Event",
    "Expected",
    "Note",
    "Received",
    "Report",
    "Sent",
    "Verified",
    "Verifying",
    "Warned",
    "Written",
]


@dataclass(frozen=True, slots=True)
class Note:
    """Something began, or is done in another way than planned; the result is the same."""

    text: str


@dataclass(frozen=True, slots=True)
class Warned:
    """The result is not what one would expect, which even who wants no progress has to know."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is about to be done in all: downloads (files, bytes) and layers to write."""

    files: int
    size: int  # bytes
    layers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """Some bytes of a download came in; the last ones where ``complete``."""

    name: str
    size: int  # bytes
    complete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A layer is in the store."""

    tier: str
    title: str
    size: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Some bytes of a layer went to an engine."""

    size: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifying:
    """The blobs of a store are about to be read: from the first, whatever was read before."""

    size: int  # bytes of all


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """Some bytes of a blob were read."""

    size: int  # bytes


Event = Note | Warned | Expected | Received | Written | Sent | Verifying | Verified
Report = Callable[[Event], None]  # called from any thread
