"""Starts other programs: argument lists, a closed environment, a deadline. Nothing else may."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Completed", "attend", "run"]

OUTPUT_LIMIT = 64 * 1024 * 1024  # bytes
_INPUT_LIMIT = 4096  # bytes
_CHUNK = 64 * 1024  # bytes; what a pipe holds


@dataclass(frozen=True, slots=True)
class Completed:
    """What a program that ended left behind; its output as text, errors replaced."""

    code: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    cwd: Path,
    seconds: float = 600,
    input: bytes = b"",  # noqa: A002  (subprocess's own word)
) -> Completed:
    """Run ``argv`` to its end, in a session of its own; ``input`` is at most 4 KiB.

    ``environment`` is all that it sees. Raises Unavailable when the program does not exist, takes
    longer than ``seconds``, or prints more than 64 MiB; what it started is killed then, and when
    this process is interrupted.
    """
    command = [str(word) for word in argv]
    with _started(command, environment, cwd, input) as process:
        try:
            stdout, stderr = _output(process, seconds)
        except subprocess.TimeoutExpired as error:
            problem = f"did not finish within {seconds:.0f} seconds"
            raise Unavailable(f"{command[0]} {problem}") from error
        except BufferError as error:
            raise Unavailable(f"{command[0]} printed more than {OUTPUT_LIMIT} bytes") from error
        finally:
            _end(process)
    return Completed(process.returncode, stdout.decode(errors="replace"), _text(stderr))


def attend(argv: Sequence[str], *, environment: Mapping[str, str], cwd: Path) -> int:
    """Run a program that talks to the user, such as an editor, and return its exit code.

    It has this process's terminal, and as much time as it takes; where stdout leads elsewhere, what
    it shows goes to stderr. Raises Unavailable.
    """
    shown = None if os.isatty(1) else 2
    try:
        done = subprocess.run(list(argv), env=dict(environment), cwd=cwd, stdout=shown, check=False)
    except OSError as error:
        raise Unavailable(f"{argv[0]} cannot be started: {error.strerror}") from error
    return done.returncode


def _started(
    command: list[str], environment: Mapping[str, str], cwd: Path, content: bytes
) -> subprocess.Popen[bytes]:
    stdin = _pipe_with(content)
    try:
        return subprocess.Popen(
            command,
            env=dict(environment),
            cwd=cwd,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise Unavailable(f"{command[0]} is not installed") from error
    except OSError as error:
        raise Unavailable(f"{command[0]} cannot be started: {error.strerror}") from error
    finally:
        os.close(stdin)


def _pipe_with(content: bytes) -> int:
    """Return the end of a pipe that gives ``content``, which every pipe holds without a reader."""
    assert len(content) <= _INPUT_LIMIT, "nobody reads yet"
    reading, writing = os.pipe()
    with open(writing, "wb") as file:  # noqa: PTH123  (a descriptor)
        file.write(content)
    return reading


def _output(process: subprocess.Popen[bytes], seconds: float) -> tuple[bytes, bytes]:
    """Return what ``process`` prints, once it and whoever else holds its output have ended.

    Raises TimeoutExpired, and BufferError as soon as there is too much.
    """
    assert process.stdout is not None, "it has a pipe for either"
    assert process.stderr is not None, "it has a pipe for either"
    deadline = time.monotonic() + seconds
    printed = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    with selectors.DefaultSelector() as waiting:
        for descriptor in printed:
            waiting.register(descriptor, selectors.EVENT_READ)
        while waiting.get_map():
            ready = waiting.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise subprocess.TimeoutExpired(process.args, seconds)
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK)
                printed[key.fd] += chunk
                if not chunk:
                    waiting.unregister(key.fd)
            if sum(map(len, printed.values())) > OUTPUT_LIMIT:
                raise BufferError
    process.wait(max(0.0, deadline - time.monotonic()))
    stdout, stderr = printed.values()
    return bytes(stdout), bytes(stderr)


def _text(output: bytes) -> str:
    return output.decode(errors="replace").strip()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a program that was not waited for, and of what it started."""
    if process.returncode is None:  # nobody else can have its id, even when it has ended
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
