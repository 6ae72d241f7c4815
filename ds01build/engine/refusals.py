"""What an engine says in the place of output where it cannot execute a command.

Docker sends that as if the command had printed it, and says in its exit code alone that none ran.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.engine.api import shown
from ds01build.errors import Ds01Error, NoProgram, NotExecutable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Withheld"]

_BEGINS = b"OCI runtime exec failed: "
_ENDS = b"\r\n"
_LIMIT = 4096  # bytes
_CODES = (126, 127)
_WHY = re.compile(r'exec: "(?:[^"\\]|\\.)*": (?P<why>.*)', re.DOTALL)
_ABSENT = ("executable file not found", "no such file or directory")


@dataclass(slots=True)
class Withheld:
    """Passes on what a command prints, but for what is the engine's word that it did not run.

    That comes at once and alone, so that nothing else waits: output that only looks like it is
    passed on with what follows it, or at the end.
    """

    deliver: Callable[[bytes], None]
    held: bytes = b""
    is_first: bool = True

    def take(self, content: bytes) -> None:
        """Pass output on, unless it may be the engine's."""
        if self.is_first and _is_refusal(content):
            self.held = content
        else:
            self.flush()
            self.deliver(content)
        self.is_first = False

    def flush(self) -> None:
        """Pass on what was held back: it was output."""
        content, self.held = self.held, b""
        if content:
            self.deliver(content)

    def settle(self, ended: Mapping[str, object], argv: Sequence[str]) -> None:
        """Raise Ds01Error where an engine's word for how a command ended says that it never ran."""
        if self.held and ended.get("ExitCode") in _CODES and not ended.get("Pid"):
            said, self.held = self.held.decode(errors="replace").strip(), b""
            raise _refusal(said, argv[0])
        self.flush()


def _is_refusal(content: bytes) -> bool:
    is_short = len(content) <= _LIMIT and content.count(b"\n") == 1
    return is_short and content.startswith(_BEGINS) and content.endswith(_ENDS)


def _refusal(said: str, program: str) -> Ds01Error:
    """Return the error for what an engine said of a program."""
    match = _WHY.search(said)
    if match is None:
        return NotExecutable(f"the engine cannot run {program!r:.200}: {shown(said)}")
    if any(each in match["why"] for each in _ABSENT):
        return NoProgram(f"there is no program {program!r:.200} in the container")
    why = match["why"].replace(": unknown", "")  # the runtime, of why it failed
    return NotExecutable(f"{program!r:.200} in the container cannot be executed: {shown(why)}")
