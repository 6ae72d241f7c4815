"""People of this machine, each with a uid of his own, who use the commands of containers."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from engines import place
from images import require
from quays import UID
from relays import relayed
from terminals import terminal
from world import SCRIPT, Outcome

from ds01build.container import Identity, full_name
from ds01build.workflow import containers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quays import Quay
    from relays import Relay
    from terminals import Terminal

    from ds01build.container import Specification
    from ds01build.workflow.containers import Host

# The interpreter and what it runs may lie where he may not read.
_AS = ("--clear-groups", "--inh-caps=+dac_override", "--ambient-caps=+dac_override")


@dataclass
class Sailor:
    """Somebody with a home and a way to an engine; all containers of his are of one test."""

    quay: Quay
    relay: Relay
    home: Path
    uid: int
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> Host:
        """What his commands see."""
        host = self.quay.host(self.uid, str(self.uid))
        return containers.Host(
            engine=host.engine,
            identity=Identity(uid=self.uid, gid=self.uid, login=str(self.uid)),
            home=self.home,
            report=host.report,
            now=host.now,
        )

    def create(self, name: str = "thesis", *, runs: bool = False) -> str:
        """Create a container of that name, and return what the engine calls it."""
        host = self.host
        wish = self.quay.wish(self.quay.host(self.uid), name)
        make = containers.bring_up if runs else containers.create
        made: Specification = make(wish, host)
        return made.name

    def short(self, name: str = "thesis") -> str:
        """Return what he calls a container of this test."""
        return f"{name}-{self.quay.token}"

    def full(self, name: str = "thesis") -> str:
        return full_name(self.short(name), self.uid)

    def state(self, name: str = "thesis") -> str:
        return str(self.quay.described(self.full(name))["State"]["Status"])

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "DOCKER_HOST": self.relay.url,
            "DS01_STORE": str(self.home / "store"),
            **self.variables,
        }

    def command(self, name: str, *arguments: str) -> list[str]:
        """Return the command line that runs a program as him."""
        uid, program = str(self.uid), str(SCRIPT.with_name(name))
        return [
            str(shutil.which("setpriv")),
            *_AS,
            "--reuid",
            uid,
            "--regid",
            uid,
            program,
            *arguments,
        ]

    def does(self, name: str, *arguments: str, typed: bytes = b"") -> Outcome:
        """Run a command without a terminal, to its end."""
        done = subprocess.run(
            self.command(name, *arguments),
            env=self.environment,
            cwd=self.home,
            input=typed,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    @contextmanager
    def sits(self, name: str, *arguments: str) -> Iterator[Terminal]:
        """Run a command on a terminal."""
        with terminal(self.command(name, *arguments), self.environment, self.home) as shown:
            yield shown


@pytest.fixture
def sailor(quay: Quay) -> Iterator[Sailor]:
    require("setpriv", root=True)
    uid = UID + secrets.randbelow(100_000_000)
    home = Path(tempfile.mkdtemp(prefix="home"))
    try:
        home.chmod(0o755)
        shutil.chown(home, uid, uid)
        with relayed(place(quay.engine.kind)) as relay:
            yield Sailor(quay, relay, home, uid)
    finally:
        shutil.rmtree(home, ignore_errors=True)
