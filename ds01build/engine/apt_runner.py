"""Runs a base image's own apt, in a container of it, over a directory of that container."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.engine.answering import answering
from ds01build.engine.frames import STDERR, STDOUT, executed
from ds01build.errors import Unavailable
from ds01build.layers.tar import END, header, padding
from ds01build.process import OUTPUT_LIMIT, Completed
from ds01build.stack import Stat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from docker import APIClient

__all__ = ["ContainerRunner"]

_DIRECTORY = re.compile(r"(?:/[A-Za-z0-9][A-Za-z0-9._-]*)+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_FIND = 'PATH="$2" command -v -- "$1"'


@dataclass(frozen=True, slots=True)
class ContainerRunner:
    """apt in a running container of a base image, as root there.

    ``directory`` is absolute; what of it does not exist is made. It must lie where no link of the
    image leads elsewhere, as a new name below / does. Whoever started the container gives it a
    network, and ends it: also when it takes too long. Errors of the engine are Unavailable.
    """

    client: APIClient
    container: str
    directory: str

    def __post_init__(self) -> None:
        if not _DIRECTORY.fullmatch(self.directory):
            raise ValueError("not an absolute path of plain names")

    def make(self, names: Sequence[str]) -> None:
        """Make the directory and directories below it, for root only."""
        root = self.directory[1:]
        parts = [root, *(f"{root}/{name}" for name in names)]
        rows = (header(part, Stat("directory", 0o700, 0, 0, ""), 0) for part in parts)
        self._put("/", b"".join(rows))
        # An engine that runs in a chroot may execute commands in the root of the whole machine.
        if self.run(["/bin/sh", "-c", '[ -d "$1" ]', "sh", self.directory], {}).code:
            raise Unavailable("the engine executes commands outside of their container")

    def write(self, name: str, content: bytes) -> None:
        """Write or replace a file below the directory, for root only."""
        if not _NAME.fullmatch(name):
            raise ValueError("not a path of plain names")
        stat = Stat("file", 0o600, 0, 0, "")
        row = header(name, stat, len(content)) + content + padding(len(content))
        self._put(self.directory, row)

    def find(self, program: str, path: str) -> str | None:
        """Return where a program is on the search path ``path``."""
        done = self.run(["/bin/sh", "-c", _FIND, "sh", program, path], {})
        line = done.stdout.strip()
        return line if done.code == 0 and line.startswith("/") else None

    def run(self, argv: Sequence[str], environment: Mapping[str, str]) -> Completed:
        """Run a program to its end; the image's own variables are there too."""
        with answering():
            started = self.client.exec_create(
                self.container, list(argv), environment=dict(environment), user="0", workdir="/"
            )["Id"]
            out, err = self._printed(started, argv[0])
            code = self.client.exec_inspect(started)["ExitCode"]
        if code is None:
            raise Unavailable(f"the container ended while {argv[0]} ran in it")
        return Completed(code, out, err.strip())

    def _printed(self, started: str, program: str) -> tuple[str, str]:
        printed = {STDOUT: bytearray(), STDERR: bytearray()}
        with executed(self.client, started) as frames:
            for frame in frames:
                printed[frame.channel] += frame.content
                if sum(map(len, printed.values())) > OUTPUT_LIMIT:
                    raise Unavailable(f"{program} printed more than {OUTPUT_LIMIT} bytes")
        out, err = (each.decode(errors="replace") for each in printed.values())
        return out, err

    def _put(self, path: str, rows: bytes) -> None:
        with answering():
            self.client.put_archive(self.container, path, rows + END)
