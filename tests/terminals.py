"""A person at a terminal: keys go in, and what the screen shows comes out."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyte

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

ENTER, SPACE, DOWN, UP, INTERRUPT, END = "\r", " ", "\x1b[B", "\x1b[A", "\x03", "\x04"
LINES = 400  # so that nothing scrolls away


@dataclass
class Terminal:
    """A process on a terminal of its own."""

    process: int
    descriptor: int
    columns: int
    screen: pyte.Screen = field(init=False)
    code: int | None = None

    def __post_init__(self) -> None:
        self.screen = pyte.Screen(self.columns, LINES)
        self._stream = pyte.ByteStream(self.screen)

    @property
    def text(self) -> str:
        """What is on the screen, without what is empty below."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def press(self, *keys: str) -> None:
        """Type, a moment between keys: a program reads an escape sequence as one."""
        for key in keys:
            os.write(self.descriptor, key.encode())
            self._read(0.05)

    def answer(self, question: str, *keys: str) -> None:
        """Wait for a question, and type what answers it."""
        self.await_text(question)
        self.press(*keys)

    def await_text(self, text: str, seconds: float = 60, times: int = 1) -> None:
        end = time.monotonic() + seconds
        while self._count(text) < times:
            assert time.monotonic() < end, f"{text!r} never came:\n{self.text}"
            alive = self._read(0.1)
            assert alive or self._count(text) >= times, f"ended:\n{self.text}"

    def _count(self, text: str) -> int:
        return self.text.replace("\n", "").count(text)

    def end(self, seconds: float = 60) -> int:
        """Wait until the process ends, and return its code."""
        end = time.monotonic() + seconds
        while self._read(0.1):
            assert time.monotonic() < end, f"still there:\n{self.text}"
        if self.code is None:
            _, status = os.waitpid(self.process, 0)
            self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def leave(self, question: str, seconds: float = 20) -> int:
        """Wait for a question, end the input, and return the code of the process.

        The end is typed again as long as nothing comes of it: between two questions a terminal is
        not yet the program's, and drops it.
        """
        self.await_text(question)
        end = time.monotonic() + seconds
        while self._is_there(1):
            assert time.monotonic() < end, f"still there:\n{self.text}"
        return self.end(seconds)

    def _is_there(self, seconds: float) -> bool:
        """Say whether the process is there for some seconds after the input has ended."""
        with suppress(OSError):
            os.write(self.descriptor, END.encode())
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not self._read(0.1):
                return False
        return True

    def _read(self, seconds: float) -> bool:
        """Take what comes within some time; False when nothing will come any more."""
        ready, _, _ = select.select([self.descriptor], [], [], seconds)
        if not ready:
            return True
        try:
            content = os.read(self.descriptor, 1 << 16)
        except OSError:  # the process has closed its side
            return False
        self._stream.feed(content)
        if b"\x1b[6n" in content:  # where is the cursor?
            cursor = self.screen.cursor
            os.write(self.descriptor, f"\x1b[{cursor.y + 1};{cursor.x + 1}R".encode())
        return bool(content)


@contextmanager
def terminal(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    cwd: Path,
    columns: int = 80,
) -> Iterator[Terminal]:
    """Run a command on a terminal; it is killed where it is still there at the end."""
    process, descriptor = pty.fork()
    if process == 0:
        os.chdir(cwd)
        words = list(map(str, command))
        os.execve(words[0], words, {**environment, "TERM": "xterm-256color"})
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
    made = Terminal(process, descriptor, columns)
    try:
        yield made
    finally:
        if made.code is None:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        os.close(descriptor)
