"""Looks into an image that an engine has, through a container that can change nothing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, DockerException

from ds01build.base.layers import read_tar
from ds01build.base.probe import FORMAT, read_probed
from ds01build.engine.frames import attached
from ds01build.errors import RejectedFile, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from docker import APIClient

    from ds01build.base.tree import Tree

__all__ = ["LABEL", "created", "tree_of"]

LABEL = "ds01.probe"
MAX_SECONDS = 120.0  # of find and tar, after which the image is exported
CHUNK = 1 << 20

_LIST = ["find", "/", "-xdev", "-printf", FORMAT]
_PACK = ["tar", "-c", "--hard-dereference", "-f", "-", "-C", "/", "--"]
# The base's own variables could change what find and tar do.
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TAR_OPTIONS": "", "POSIXLY_CORRECT": ""}


class _FailedError(Exception):
    """A command in the container did not do what it was asked to."""


def tree_of(client: APIClient, image: str, *, clock: Callable[[], float]) -> Tree:
    """Return the tree of ``image``, which the engine has, equal to that of its layers.

    The image's ``find`` and ``tar`` are run in containers without network, with a read-only root
    and no capability but that of reading what others own. Where it has none, or keeps files under
    a VOLUME, a container that never starts is exported: every byte of the image is then read.
    The containers are gone afterwards. Raises Unavailable when the engine fails.
    """
    try:
        found: dict[str, Any] = client.inspect_image(image)
        if not (found.get("Config") or {}).get("Volumes"):
            tree = probed(client, found["Id"], clock)
            if tree is not None:
                return tree
        return exported(client, found["Id"], clock)
    except (DockerException, OSError) as error:
        raise Unavailable(f"the engine cannot look into {image}: {error!s:.300}") from error


def probed(client: APIClient, image: str, clock: Callable[[], float]) -> Tree | None:
    """Return the tree as the image's own commands show it, None where they cannot."""
    try:
        return read_probed(_Probe(client, image, clock))
    except (APIError, RejectedFile, _FailedError):
        return None


def exported(client: APIClient, image: str, clock: Callable[[], float]) -> Tree:
    with created(client, image, ["/"]) as container:
        chunks = client.export(container, chunk_size=CHUNK)
        return read_tar(chunks, f"the export of {image}", clock=clock)


class _Probe:
    """The prober of an image: each command is the only process of a container of its own.

    A second process in a running container would be cheaper, but an engine that cannot pivot the
    root (one that runs in a chroot or from a RAM disk) starts it outside of the container's root.
    """

    def __init__(self, client: APIClient, image: str, clock: Callable[[], float]) -> None:
        self._client = client
        self._image = image
        self._clock = clock
        self._end = clock() + MAX_SECONDS

    def listing(self) -> Iterator[bytes]:
        return self._run(_LIST)

    def contents(self, paths: Sequence[str]) -> Iterator[bytes]:
        return self._run([*_PACK, *(f"./{path}" for path in paths)])

    def _run(self, command: Sequence[str]) -> Iterator[bytes]:
        client = self._client
        with created(client, self._image, command) as container:
            with attached(client, container) as frames:
                client.start(container)
                for frame in frames:
                    if self._clock() > self._end:
                        raise _FailedError(f"{command[0]} took over {MAX_SECONDS:.0f} seconds")
                    yield frame.content
            code = client.wait(container)["StatusCode"]
        if code != 0:
            raise _FailedError(f"{command[0]} ended with {code}")


@contextmanager
def created(client: APIClient, image: str, command: Sequence[str]) -> Iterator[str]:
    """Create a container of ``command`` and remove it at the end."""
    host = client.create_host_config(
        read_only=True,
        network_mode="none",
        cap_drop=["ALL"],
        cap_add=["DAC_OVERRIDE"],
        security_opt=["no-new-privileges"],
        pids_limit=64,
        log_config={"type": "none"},
    )
    container: str = client.create_container(
        image,
        entrypoint=[command[0]],
        command=list(command[1:]),
        user="0:0",
        working_dir="/",
        network_disabled=True,
        environment=_ENVIRONMENT,
        healthcheck={"test": ["NONE"]},
        labels={LABEL: "1"},
        host_config=host,
    )["Id"]
    try:
        yield container
    finally:
        client.remove_container(container, v=True, force=True)
