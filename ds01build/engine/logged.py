"""Runs a command in a sandbox with its output in a log, and shows the last of it on failure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from ds01build.engine.outage import advice, hints
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from ds01build.engine.sandbox import Ended, Sandbox

__all__ = ["Logged", "without"]

_LAST = 20  # lines
_LINE = 500  # bytes of a line that are shown
_LOG = 1 << 26  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """Runs commands in ``sandbox``; ``path`` is where people find ``log``.

    ``network`` is the container's, where advice about it would help. ``secrets`` are words that
    neither log nor errors hold, whatever a command prints.
    """

    sandbox: Sandbox
    log: IO[bytes]
    path: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    workdir: str = ""
    network: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def __call__(self, argv: Sequence[str], name: str) -> None:
        """Run a command, called ``name``, to its end. Raises Ds01Error where that is not 0."""
        ends: list[Ended] = []
        lines: deque[bytes] = deque([b""], maxlen=_LAST + 1)
        printed = self.sandbox.stream(
            argv, ends.append, env=self.env, workdir=self.workdir, both=True
        )
        for chunk in without(printed, [secret.encode() for secret in self.secrets]):
            if self.log.tell() < _LOG:
                self.log.write(chunk)
            first, *others = chunk.split(b"\n")
            lines[-1] = (lines[-1] + first)[:_LINE]
            lines.extend(line[:_LINE] for line in others[-_LAST - 1 :])
        if ends[0].code != 0:
            shown = _shown(lines)
            raise Ds01Error(
                f"{name!r:.200} ended with status {ends[0].code}\n{shown}",
                hint=hints(f"less {self.path}", advice(self.network, shown)),
            )


def without(chunks: Iterable[bytes], secrets: Collection[bytes]) -> Iterator[bytes]:
    """Yield what ``chunks`` hold with every secret replaced, also one that lies in two of them."""
    keep = max(map(len, secrets), default=1) - 1
    held = b""
    for chunk in chunks:
        held += chunk
        for secret in secrets:
            held = held.replace(secret, b"****")
        end = max(len(held) - keep, 0)
        yield held[:end]
        held = held[end:]
    yield held


def _shown(lines: deque[bytes]) -> str:
    text = b"\n".join(lines).decode(errors="replace").replace("\t", "  ").strip("\n")
    shown = text.split("\n")[-_LAST:]
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in shown)
