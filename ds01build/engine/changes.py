"""Reads what differs in a container from its image, and the few files that say what it means.

The container may run or not, and nothing in it is executed; what it says is hostile. Nothing of it
is kept, and no image is made.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import docker.errors

from ds01build.base.unpack import Plain
from ds01build.base.untar import members
from ds01build.engine.api import asking
from ds01build.engine.probe import created
from ds01build.errors import Ds01Error, RejectedFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ds01build.engine.api import Engine

__all__ = [
    "Container",
    "Mounted",
    "changes_of",
    "contents_of",
    "find_container",
    "image_contents",
    "modified",
]

MAX_LISTING = 256 << 20  # bytes
MAX_ARCHIVE = 192 << 20  # bytes of one path
CHUNK = 1 << 20  # bytes

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_PATH = re.compile(r"(?!.*/\.\.?(?:/|\Z))(?:/[ -.0-~]{1,255}){1,255}")  # printable ASCII
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_KINDS: Mapping[int, Literal["modified", "added", "deleted"]]
_KINDS = {0: "modified", 1: "added", 2: "deleted"}


class Mounted(NamedTuple):
    """A directory that a container mounts: ``source`` is the engine's path of it, and absolute.

    What lies in it is in no layer, and no change of the container.
    """

    source: str
    target: str  # in the container, relative to the root


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container as its engine describes it; ``reference`` is what it was created from."""

    container_id: str
    image: str  # the engine's name of the image
    reference: str
    labels: Mapping[str, str]  # of the image
    mounts: tuple[Mounted, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def find_container(engine: Engine, *names: str) -> Container:
    """Return the container of the first of names or ids that there is, running or not.

    Raises Ds01Error without one.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise Ds01Error(f"{name!r:.100} is not the name of a container", hint="docker ps -a")
    with asking(engine.place, f"for the container {names[0]}"):
        found = next(filter(None, (_inspected(engine, name) for name in names)), None)
        if found is None:
            raise Ds01Error(
                f"the engine at {engine.place} has no container {' or '.join(names)}",
                hint="container-list --all, or docker ps -a",
            )
        container_id, image = found["Id"], found["Image"]
        reference = str((found.get("Config") or {}).get("Image") or "")
        try:
            described: dict[str, Any] = engine.client.inspect_image(image)
        except docker.errors.NotFound as error:
            raise Ds01Error(
                f"the image that the container {names[0]} was made from is gone, so what differs "
                "cannot be told"
            ) from error
    labels = (described.get("Config") or {}).get("Labels") or {}
    return Container(
        container_id=container_id,
        image=image,
        reference=reference,
        labels={str(key): str(value) for key, value in labels.items()},
        mounts=tuple(_mounts(found.get("Mounts"))),
        environment=dict(_variables((found.get("Config") or {}).get("Env"))),
    )


def _inspected(engine: Engine, name: str) -> dict[str, Any] | None:
    try:
        return dict(engine.client.inspect_container(name))
    except docker.errors.NotFound:
        return None


def _mounts(described: object) -> Iterator[Mounted]:
    """Yield the mounts with a source, such as no tmpfs has; odd paths are in none of them."""
    for each in described if isinstance(described, list) else ():
        source, target = str(each.get("Source") or ""), str(each.get("Destination") or "")
        if _PATH.fullmatch(source) and _PATH.fullmatch(target):
            yield Mounted(source, target[1:])


def _variables(described: object) -> Iterator[tuple[str, str]]:
    for each in described if isinstance(described, list) else ():
        name, equals, value = str(each).partition("=")
        if equals:
            yield name, value


def changes_of(
    engine: Engine, container: Container
) -> Iterator[tuple[Literal["modified", "added", "deleted"], str]]:
    """Yield how each path differs, relative to the root; names outside of printable ASCII don't.

    Raises Ds01Error for a list of more than 256 MiB, and what ``asking`` raises.
    """
    client = engine.client
    url = f"{client.base_url}/v{client.api_version}/containers/{container.container_id}/changes"
    with (
        asking(engine.place, "what differs in a container"),
        client.get(url, stream=True) as answer,
    ):
        content = b"".join(_limited(answer.iter_content(CHUNK), MAX_LISTING, "its changes"))
        if not answer.ok:
            raise docker.errors.APIError(content[:500].decode(errors="replace"))
    try:
        rows = json.loads(content) or []
        pairs = [(_KINDS[row["Kind"]], row["Path"]) for row in rows]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Ds01Error(f"the engine at {engine.place} describes no changes") from error
    for kind, path in pairs:
        if isinstance(path, str) and _PATH.fullmatch(path):
            yield kind, path[1:]


def contents_of(engine: Engine, container: str, path: str) -> dict[str, bytes | None]:
    """Return the files at and below ``path`` that facts are made of, by their whole paths.

    Empty where there is nothing. Raises RejectedFile for what is no archive of an engine.
    """
    source = f"/{path} of the container"
    with asking(engine.place, f"for {source}"):
        try:
            chunks, _ = engine.client.get_archive(container, f"/{path}", chunk_size=CHUNK)
        except docker.errors.NotFound:
            return {}
        plain = Plain(_limited(chunks, MAX_ARCHIVE, source))
        found: dict[str, bytes | None] = {
            member.path: member.content
            for member in members(plain, source, below=path.rpartition("/")[0])
            if member.content is not None and f"{member.path}/".startswith(f"{path}/")
        }
        plain.finish()
        return found


def image_contents(engine: Engine, container: Container, path: str) -> bytes:
    """Return a file of the image, from a container of it that never starts and is removed."""
    with (
        asking(engine.place, "for a file of an image"),
        created(engine.client, container.image, ["/"]) as beside,
    ):
        return contents_of(engine, beside, path).get(path) or b""


def modified(engine: Engine, container: str, path: str) -> int | None:
    """Return when what lies at ``path`` was modified, in microseconds since 1970.

    None where there is nothing. That of a mount is what the engine has there.
    """
    client = engine.client
    url = f"{client.base_url}/v{client.api_version}/containers/{container}/archive"
    with asking(engine.place, f"for /{path} of the container"):
        answer = client.head(url, params={"path": f"/{path}"})
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        if not answer.ok:
            raise docker.errors.APIError(f"it answers {answer.status_code}")
    try:
        described = json.loads(base64.b64decode(answer.headers["X-Docker-Container-Path-Stat"]))
        since = _moment(described["mtime"]) - datetime.fromtimestamp(0, timezone.utc)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Ds01Error(f"the engine at {engine.place} describes no file") from error
    return since // timedelta(microseconds=1)


def _moment(text: str) -> datetime:
    """Read a time as Go writes it (RFC 3339), with up to nine digits. Raises ValueError."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r:.100} is no time")
    fraction, zone = (match[2] or "")[:6], match[3].replace("Z", "+00:00")
    return datetime.fromisoformat(f"{match[1]}.{fraction:0<6}{zone}")


def _limited(chunks: Iterable[bytes], limit: int, what: str) -> Iterator[bytes]:
    for chunk in chunks:
        limit -= len(chunk)
        if limit < 0:
            raise RejectedFile(name="the container", problem=f"{what}: more than anybody installs")
        yield chunk
