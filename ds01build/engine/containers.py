"""Containers that people work in: how they come, what they were made from, how they go."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from docker.errors import APIError, NotFound
from docker.types import Mount

from ds01build.container import WORKSPACE
from ds01build.engine.api import asking
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ds01build.container import Specification
    from ds01build.engine.api import Engine

__all__ = ["aside", "create", "inspect", "origin", "start", "stop_and_remove"]

_CONFLICT = 409
_STOP = 10  # seconds that a container has to end


def inspect(engine: Engine, name: str) -> Mapping[str, str] | None:
    """Return the labels of a container, None where there is none of that name."""
    with asking(engine.place, f"for the container {name}"):
        try:
            found = engine.client.inspect_container(name)
        except NotFound:
            return None
    labels = (found.get("Config") or {}).get("Labels") or {}
    return {str(key): str(value) for key, value in labels.items()}


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
                labels=wanted.labels,
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


@contextmanager
def aside(engine: Engine, name: str) -> Iterator[None]:
    """Stop a container and give its name away for the block, and remove it afterwards.

    Where the block raises, what has the name by then is removed, and the container has it again.
    """
    client, other = engine.client, f"{name}.old"
    with asking(engine.place, f"to replace the container {name}"):
        client.stop(name, timeout=_STOP)
        client.rename(name, other)
    try:
        yield
    except BaseException:
        with suppress(Ds01Error), asking(engine.place, f"to restore the container {name}"):
            with suppress(NotFound):
                client.remove_container(name, force=True)
            client.rename(other, name)
        raise
    with asking(engine.place, f"to remove the container {other}"):
        client.remove_container(other, force=True)


def origin(engine: Engine, container_id: str) -> str:
    """Return what whoever made a container called its image; empty where the container is gone."""
    with asking(engine.place, f"for the container {container_id[:12]}"):
        try:
            answer = engine.client.inspect_container(container_id)
        except NotFound:
            return ""
    config = answer.get("Config")
    return str(config.get("Image") or "") if isinstance(config, dict) else ""


def stop_and_remove(engine: Engine, container_id: str) -> None:
    """Stop a container and remove it, if it is still there; its volumes stay.

    Raises Ds01Error with what the engine says.
    """
    with asking(engine.place, f"to remove the container {container_id[:12]}"):
        with suppress(APIError):  # one that is paused: it is killed below
            engine.client.stop(container_id, timeout=_STOP)
        with suppress(NotFound):
            engine.client.remove_container(container_id, force=True)
