"""What runs in an engine to make a layer, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ds01build.layers.entry import Entry, Source
    from ds01build.pin import DebPin

__all__ = ["Captured", "Execution", "Executor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One tier to execute over an image that the engine has.

    Either ``commands``, for the image's shell one after the other, or ``debs`` with their bytes.
    ``env`` and ``workdir`` are added to the image's own; ``volumes`` (absolute) may not be written
    to, beside those that the image's configuration names. ``log`` is a new file for the output;
    ``spool`` is overwritten with the largest file.
    """

    tier: str
    image: str  # the engine's id of the image
    commands: tuple[str, ...] = ()
    debs: tuple[tuple[DebPin, Source], ...] = field(default=(), repr=False)
    env: tuple[tuple[str, str], ...] = ()
    workdir: str = ""
    volumes: tuple[str, ...] = ()
    network: Literal["none", "bridge", "host"] = "none"
    seconds: float = 3600  # for all of it
    log: Path
    spool: IO[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """What a tier changed.

    ``entries`` can be read once; a body is valid until the next entry is asked for. ``notes`` say
    what was left out, and are complete when the last entry has been read.
    """

    entries: Iterator[Entry]
    notes: list[str]
    log: Path


class Executor(Protocol):
    """Executes tiers."""

    def execute(self, execution: Execution) -> AbstractContextManager[Captured]:
        """Execute a tier; its container is there until the context is left, and no longer.

        Raises Ds01Error for a command that fails, Unavailable when the engine does.
        """
