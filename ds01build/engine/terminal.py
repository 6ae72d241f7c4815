"""Runs commands in a container for who sits here: keys go there, and what is printed comes here.

On a terminal the command gets one of its own, of the same size; what is typed is his, Ctrl-C and
all. Without one, input and both outputs are passed on, and the end of the input is told.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import termios
import time
import tty
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import docker.errors
import requests.exceptions

from ds01build.engine.api import asking
from ds01build.engine.frames import STDERR, STDOUT
from ds01build.engine.hijack import hijacked
from ds01build.engine.refusals import Withheld
from ds01build.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ds01build.engine.api import Engine

__all__ = ["KILLED", "Near", "on_terminal", "piped"]

_PIECE = 1 << 16  # bytes
_HEAD = struct.Struct(">B3xI")  # channel and size, as "Attach to a container" of the API has them
KILLED = 137  # what a command ends with whose container is stopped
_PATIENCE = 10.0  # seconds until an engine knows how a command ended
_PAUSE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """This side of a command: descriptors that are read and written."""

    stdin: int
    stdout: int
    stderr: int


def on_terminal(
    engine: Engine,
    container: str,
    argv: Sequence[str],
    near: Near,
    variables: Mapping[str, str],
) -> int:
    """Run a command on a terminal of its own, and return its exit code.

    ``near`` has to be a terminal; it is as before when this returns or raises. Raises NoProgram,
    NotExecutable, Ds01Error where the engine refuses, Unavailable where it, or the way to it, is
    lost.
    """
    created = _created(engine, container, argv, variables, is_tty=True)
    # Engines before API 1.42 do not know this one, and get the size below.
    body = {"Detach": False, "Tty": True, "ConsoleSize": list(_size(near.stdout))}
    with (
        hijacked(engine, f"exec/{created}/start", body, "to start a command") as (far, first),
        _resized() as resized,
        _raw(near.stdin),
    ):
        _resize(engine, created, near.stdout)
        printed = Withheld(lambda content: _write(near.stdout, content))
        pump = _Pump(far, near.stdin, printed.take)
        if first:
            pump.deliver(first)
        pump.run(resized, lambda: _resize(engine, created, near.stdout))
    return _code(engine, created, argv, printed)


def piped(
    engine: Engine,
    container: str,
    argv: Sequence[str],
    near: Near,
    variables: Mapping[str, str],
) -> int:
    """Run a command without a terminal, and return its exit code. Raises as ``on_terminal``."""
    created = _created(engine, container, argv, variables, is_tty=False)
    body = {"Detach": False, "Tty": False}
    with hijacked(engine, f"exec/{created}/start", body, "to start a command") as (far, first):
        printed = Withheld(lambda content: _write(near.stdout, content))

        def deliver(channel: int, content: bytes) -> None:
            if channel == STDOUT:
                printed.take(content)
            else:
                _write(near.stderr, content)

        frames = _Frames(deliver)
        pump = _Pump(far, near.stdin, frames.take, tells_end=True)
        pump.deliver(first)
        pump.run()
    return _code(engine, created, argv, printed)


def _created(
    engine: Engine,
    container: str,
    argv: Sequence[str],
    variables: Mapping[str, str],
    *,
    is_tty: bool,
) -> str:
    with asking(engine.place, f"to run a command in the container {container}"):
        made = engine.client.exec_create(
            container, list(argv), stdin=True, tty=is_tty, environment=dict(variables)
        )
    return str(made["Id"])


def _code(engine: Engine, created: str, argv: Sequence[str], printed: Withheld) -> int:
    """Return the exit code of a command whose output has ended. Raises as ``on_terminal``."""
    try:
        ended = _ended(engine, created)
        printed.settle(ended, argv)
    finally:
        printed.flush()
    return int(ended["ExitCode"])


def _ended(engine: Engine, created: str) -> dict[str, Any]:
    """Return what the engine says of a command whose output has ended."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        with asking(engine.place, "how a command ended"):
            try:
                found: dict[str, Any] = engine.client.exec_inspect(created)
            except docker.errors.NotFound:  # gone with its container
                return {"ExitCode": KILLED}
        if not found.get("Running") and found.get("ExitCode") is not None:
            return found
        time.sleep(_PAUSE)
    raise Unavailable(
        f"the way to the container, through the engine at {engine.place}, broke off; what runs"
        " in it goes on",
        hint="container-list",
    )


@dataclass(slots=True)
class _Pump:
    """Passes on what comes until the far side ends; what is typed waits while that is busy.

    Errors of the far side are its end: how the command ended is asked afterwards. Those of this
    side are raised as OSError.
    """

    far: socket.socket
    stdin: int
    deliver: Callable[[bytes], None]
    tells_end: bool = False  # that of the input
    typed: bytes = b""
    is_open: bool = True  # this side's input

    def run(self, resized: int = -1, resize: Callable[[], None] = lambda: None) -> None:
        """Go on until the far side ends. ``resize`` is called when ``resized`` can be read."""
        self.far.setblocking(False)
        while True:
            far = self.far.fileno()
            ready, writable, _ = select.select(
                [far, *self._wanted(resized)], [far] if self.typed else [], []
            )
            if resized in ready:
                os.read(resized, _PIECE)
                resize()
            if far in ready and not self._receive():
                return
            if self.stdin in ready:
                self._read()
            if writable:
                self._send()

    def _wanted(self, resized: int) -> Iterator[int]:
        if resized >= 0:
            yield resized
        if self.is_open and len(self.typed) < _PIECE:
            yield self.stdin

    def _receive(self) -> bool:
        try:
            content = self.far.recv(_PIECE)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if content:
            self.deliver(content)
        return bool(content)

    def _read(self) -> None:
        try:
            content = os.read(self.stdin, _PIECE)
        except OSError:  # a terminal that has hung up
            content = b""
        self.typed += content
        self.is_open = bool(content)
        self._finish()

    def _send(self) -> None:
        try:
            self.typed = self.typed[self.far.send(self.typed) :]
        except BlockingIOError:
            return
        except OSError:
            # The command may have closed its input, and yet print.
            self.typed, self.is_open = b"", False
            return
        self._finish()

    def _finish(self) -> None:
        if self.tells_end and not self.is_open and not self.typed:
            with contextlib.suppress(OSError):
                self.far.shutdown(socket.SHUT_WR)


@dataclass(slots=True)
class _Frames:
    """Takes apart what an engine frames by channel, however it comes in pieces."""

    deliver: Callable[[int, bytes], None]
    held: bytes = field(default=b"")
    channel: int = 0
    left: int = 0  # bytes of the frame that has begun

    def take(self, content: bytes) -> None:
        """Deliver what is whole. Raises Unavailable for what is no frame."""
        self.held += content
        while self.held:
            if not self.left and not self._begin():
                return
            part, self.held = self.held[: self.left], self.held[self.left :]
            self.left -= len(part)
            if part:
                self.deliver(self.channel, part)

    def _begin(self) -> bool:
        """Read the head of a frame; False while it is not whole."""
        if len(self.held) < _HEAD.size:
            return False
        self.channel, self.left = _HEAD.unpack_from(self.held)
        self.held = self.held[_HEAD.size :]
        if self.channel not in (STDOUT, STDERR):
            raise Unavailable("the engine sent what is no output of a command")
        return True


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


@contextlib.contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    """Let a terminal pass every key on as it is, for the block, and be as before afterwards."""
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor, termios.TCSADRAIN)  # what is typed ahead stays
        yield
    finally:
        with contextlib.suppress(termios.error):  # it may have hung up
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _resized() -> Iterator[int]:
    """Give a descriptor that can be read when the terminal has got another size."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)

    def note(_signal: int, _frame: object) -> None:
        with contextlib.suppress(BlockingIOError):  # there is a note already
            os.write(writes, b"\0")

    before = signal.signal(signal.SIGWINCH, note)
    try:
        yield reads
    finally:
        signal.signal(signal.SIGWINCH, before)
        os.close(reads)
        os.close(writes)


def _size(descriptor: int) -> tuple[int, int]:
    """Return lines and columns of a terminal."""
    found = os.get_terminal_size(descriptor)
    return found.lines, found.columns


def _resize(engine: Engine, created: str, descriptor: int) -> None:
    """Give a command's terminal the size of this one; a command that has ended needs none."""
    lines, columns = _size(descriptor)
    # The engine may be lost, too, which the pump sees.
    with contextlib.suppress(docker.errors.APIError, requests.exceptions.RequestException):
        engine.client.exec_resize(created, height=lines, width=columns)
