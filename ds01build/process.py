"""Starts other programs: argument lists, a closed environment, a deadline. Nothing else may."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Completed", "run"]

OUTPUT_LIMIT = 64 * 1024 * 1024  # bytes


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
) -> Completed:
    """Run ``argv`` to its end, in a session of its own and with no standard input.

    ``environment`` is all that it sees. Raises Unavailable when the program does not exist, takes
    longer than ``seconds``, or prints more than 64 MiB; what it started is killed then, and when
    this process is interrupted.
    """
    command = [str(word) for word in argv]
    try:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise Unavailable(f"{command[0]} is not installed") from error
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{command[0]} did not finish within {seconds:.0f} seconds") from error
    finally:
        _end(process)
    if len(stdout) + len(stderr) > OUTPUT_LIMIT:
        raise Unavailable(f"{command[0]} printed more than {OUTPUT_LIMIT} bytes")
    return Completed(process.returncode, stdout.decode(errors="replace"), _text(stderr))


def _text(output: bytes) -> str:
    return output.decode(errors="replace").strip()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
