"""Runs Python under strace, which lists its system calls, kills it at one, or lets one fail.

As the interpreter itself: the calls of a wrapper would count too.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="injects with strace")

SETTINGS = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
SECONDS = 60


@dataclass(frozen=True)
class Program:
    """Python code that runs with the paths of this process, in a directory and environment."""

    code: str
    cwd: Path | None = None
    environment: dict[str, str] | None = None  # this process's, if None


@dataclass(frozen=True)
class Traced:
    """What came of a program, and the lines that strace wrote."""

    code: int
    err: str
    log: tuple[str, ...]

    @property
    def is_killed(self) -> bool:
        """Whether it was killed; a shell between says so by its own code."""
        return any("+++ killed by SIGKILL +++" in line for line in self.log)


@dataclass(frozen=True)
class Call:
    """A system call of a program's first thread: the ``number``-th of its name."""

    name: str
    number: int
    line: str


def script(path: str, *arguments: str) -> Program:
    """Return what runs a script of these tests."""
    code = f"import runpy; sys.argv = {[path, *arguments]!r}; "
    return Program(code + f"runpy.run_path({path!r}, run_name='__main__')")


def ds01(*arguments: str, cwd: Path, environment: dict[str, str]) -> Program:
    """Return what runs a command of ds01."""
    code = f"sys.argv = {['ds01', *arguments]!r}; from ds01build.cli import main; main()"
    return Program(code, cwd, environment)


def traced(program: Program, log: Path, *options: str) -> Traced:
    start = f"import sys; sys.path = {sys.path!r}; {program.code}"
    python = [os.path.realpath(sys.executable), "-c", start]
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", str(log), *options, *python],
        env={**(program.environment or os.environ), **SETTINGS},
        cwd=program.cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    lines = log.read_text(errors="replace").splitlines()
    return Traced(code=done.returncode, err=done.stderr, log=tuple(lines))


def watched(program: Program, log: Path, names: str) -> list[Call]:
    """Return the calls of these names, with commas between, that a whole run makes.

    Those of its first thread: strace counts for each by itself.
    """
    done = traced(program, log, "-e", f"trace={names}")
    assert done.code == 0, done.err
    counts: dict[str, int] = {}
    found = []
    for line in done.log:
        match = re.match(r"\d+ +(\w+)\(", line)
        if match and line.split()[0] == done.log[0].split()[0]:
            counts[match[1]] = counts.get(match[1], 0) + 1
            found.append(Call(name=match[1], number=counts[match[1]], line=line))
    return found


def killed(program: Program, log: Path, name: str, number: int) -> bool:
    """Kill a program at a call of a thread; False if it was through before that."""
    inject = f"inject={name}:signal=SIGKILL:when={number}"
    done = traced(program, log, "-e", f"trace={name}", "-e", inject)
    codes = (-signal.SIGKILL, 128 + signal.SIGKILL) if done.is_killed else (0,)
    assert done.code in codes, (name, number, done)
    return done.is_killed
