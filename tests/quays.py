"""Containers for people, in real engines: an image with a few tools, and whoever is to use it."""

from __future__ import annotations

import io
import os
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from engines import Tars, image

from ds01build.container import Identity, Policy, Wish
from ds01build.engine.load import load
from ds01build.errors import Ds01Error
from ds01build.limits import Limits
from ds01build.workflow.containers import Host

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ds01build.engine.api import Engine
    from ds01build.events import Event

UID = 1722830498  # what a directory service hands out; each test has one near it
LOGIN = "maximiliana.musterfrau-beispielhausen.jr"  # 40 characters
PASSWD = "root:x:0:0:root:/root:/bin/bash\nubuntu:x:1000:1000::/home/ubuntu:/bin/bash\n"
GROUP = "root:x:0:\nubuntu:x:1000:\nvideo:x:44:\n"


@dataclass
class Quay:
    """An engine with an image, and a directory for homes of people of this host."""

    engine: Engine
    tag: str
    root: Path
    token: str
    told: list[Event] = field(default_factory=list)

    @property
    def uid(self) -> int:
        """The uid of a user whom no other test has."""
        return UID + int(self.token, 16) % (1 << 24)

    def host(
        self,
        uid: int | None = None,
        login: str = LOGIN,
        policy: Policy | None = None,
        limits: Limits | None = None,
    ) -> Host:
        """Return this host for a user, whose home directory is made."""
        uid = self.uid if uid is None else uid
        home = self.root / str(uid)
        (home / "workspace").mkdir(parents=True, exist_ok=True)
        return Host(
            engine=lambda: self.engine,
            identity=Identity(uid=uid, gid=uid, login=login),
            home=home,
            report=self.told.append,
            now=lambda: "2026-11-28T12:00:00Z",
            policy=policy or Policy(),
            limits=lambda: limits or Limits(),
        )

    def wish(self, host: Host, name: str = "thesis", **more: object) -> Wish:
        """Return the wish for a container on a workspace that is there, of the host's user."""
        short = f"{name}-{self.token}"
        workspace = host.home / "workspace" / short
        workspace.mkdir(exist_ok=True)
        for path in (host.home, workspace):
            path.chmod(0o755)
        os.chown(workspace, host.identity.uid, host.identity.gid)
        wish = Wish(name=short, image=self.tag, workspace=str(workspace), network="host")
        return replace(wish, **more)  # type: ignore[arg-type]

    def derived(self, *instructions: str) -> str:
        """Return the tag of an image upon the one that is there, by lines of a Dockerfile."""
        tag = f"{self.tag.rpartition(':')[0]}:derived"
        text = io.BytesIO("\n".join([f"FROM {self.tag}", *instructions]).encode())
        said = list(self.engine.client.build(fileobj=text, tag=tag, rm=True, decode=True))
        assert not [each for each in said if "error" in each]
        return tag

    def laid(self, *tars: bytes) -> str:
        """Return the tag of an image with those layers, lowest first."""
        tag = f"{self.tag.rpartition(':')[0]}:laid"
        load(self.engine, image(tars), Tars.of(tars), [tag])
        return tag

    def says(self, name: str, *argv: str) -> str:
        """Return what a command prints in a container that runs, as its user, without the end."""
        client = self.engine.client
        made = client.exec_create(name, list(argv))["Id"]
        said: bytes = client.exec_start(made)
        return said.decode().rstrip("\n")

    def described(self, name: str) -> dict[str, Any]:
        """Return what the engine says of a container."""
        found: dict[str, Any] = self.engine.client.inspect_container(name)
        return found

    @property
    def names(self) -> list[str]:
        """The names of all containers of this test, finished or not."""
        rows = self.engine.client.containers(all=True, filters={"name": self.token})
        return sorted(name.removeprefix("/") for row in rows for name in row["Names"])


def at_once(create: Callable[[int], str], count: int) -> tuple[list[str], list[Ds01Error]]:
    """Return the names of containers that are created at once, and why there are no others."""
    names: list[str] = []
    refused: list[Ds01Error] = []

    def take(number: int) -> None:
        try:
            names.append(create(number))
        except Ds01Error as error:
            refused.append(error)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) + len(refused) == count, "one ended otherwise"
    return sorted(names), refused
