"""Containers that people work in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docker.errors import APIError, NotFound
from docker.types import Mount

from ds01build.container import WORKSPACE
from ds01build.engine.api import asking
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from ds01build.container import Specification
    from ds01build.engine.api import Engine

__all__ = ["create", "exists", "start"]

_CONFLICT = 409


def exists(engine: Engine, name: str) -> bool:
    """Say whether there is a container of that name."""
    with asking(engine.place, f"for the container {name}"):
        try:
            engine.client.inspect_container(name)
        except NotFound:
            return False
    return True


def create(engine: Engine, wanted: Specification, network: str) -> None:
    """Create a container that is stopped, with no right that it does not need, on ``network``.

    Raises Ds01Error for a name that is taken.
    """
    client = engine.client
    host = client.create_host_config(
        mounts=[Mount(target=WORKSPACE, source=wanted.workspace, type="bind")],
        security_opt=["no-new-privileges"],
        network_mode=network,
        init=True,
    )
    with asking(engine.place, f"to create the container {wanted.name}"):
        try:
            client.create_container(
                wanted.image,
                name=wanted.name,
                user=f"{wanted.uid}:{wanted.gid}",
                working_dir=WORKSPACE,
                environment={"HOME": WORKSPACE},
                labels=dict(wanted.labels),
                stdin_open=True,
                tty=True,
                host_config=host,
            )
        except APIError as error:
            if error.status_code != _CONFLICT:
                raise
            raise Ds01Error(
                f"there is a container {wanted.name} already",
                hint=f"docker rm {wanted.name}",
            ) from error


def start(engine: Engine, name: str) -> None:
    """Start a container; one that runs stays as it is."""
    with asking(engine.place, f"to start the container {name}"):
        engine.client.start(name)
