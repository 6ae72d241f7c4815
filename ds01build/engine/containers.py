"""Containers that people work in: how they come whole or not at all, what they do, how they go."""

from __future__ import annotations

import re
import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from docker.errors import APIError, NotFound

from ds01build.container import furnishing, payload
from ds01build.container.identity import ACCOUNTS
from ds01build.engine.api import address, asking
from ds01build.engine.changes import contents_of
from ds01build.engine.owner import Owner, current
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ds01build.container import Specification
    from ds01build.engine.api import Engine

__all__ = [
    "Row",
    "aside",
    "claims",
    "create",
    "find",
    "maps_users",
    "pause",
    "remove",
    "rows",
    "start",
    "stop",
    "sweep",
    "unpause",
]

_CONFLICT = 409
_STOP = 10  # seconds that a container has to end
_LOOKS, _PAUSE = 10, 0.2  # seconds between looks for what an engine may still be making
_BASH = "/bin/bash"
_RUNNING = ("running", "paused", "restarting")
_STATE = re.compile(r"[a-z]{1,20}")
# A container that is not whole yet, or that another one is to replace, which ran or was stopped:
# what it is going to be called, or was, and by whom that is done.
_ASIDE = re.compile(
    r"(?P<name>.{1,120})\.(?P<why>creating|stopped|ran)\.(?P<owner>[0-9a-f.-]{1,120})\.[0-9a-f]{8}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A container of an engine's list; ``labels`` are anybody's words."""

    container_id: str
    name: str
    image: str  # what whoever made it called its image
    image_id: str  # with its algorithm, as EngineImage.engine_id
    state: str  # created, running, paused, exited, ...
    status: str  # the same in the engine's words, with since when
    created: int  # seconds since the epoch
    labels: Mapping[str, str]
    is_whole: bool = True  # or it is being made, or replaced: that is not its name just now

    @property
    def rank(self) -> tuple[int, str]:
        """Who was first: no two have the same, and none changes."""
        return (self.created, self.container_id)

    @property
    def is_running(self) -> bool:
        """Whether something runs in it; one that is paused is running, too."""
        return self.state in _RUNNING


def rows(engine: Engine, label: str = "") -> tuple[Row, ...]:
    """Return the containers of an engine, running or not, by name; those with a label if given.

    What is not whole yet is left out, and what is being replaced.
    """
    found = (row for row, aside in _listed(engine, label) if aside is None)
    return tuple(sorted(found, key=lambda row: row.name))


def claims(engine: Engine) -> tuple[Row, ...]:
    """Return the containers of an engine by rank, those that are being made among them.

    What dead processes left half-made claims nothing.
    """
    found = (row for row, aside in _listed(engine) if aside is None or _lives(aside))
    return tuple(sorted(found, key=lambda row: row.rank))


def _listed(engine: Engine, label: str = "") -> Iterator[tuple[Row, re.Match[str] | None]]:
    """Yield what an engine lists, and what names tell that are not for people."""
    with asking(engine.place, "for its containers"):
        answer = engine.client.containers(all=True, filters={"label": label} if label else None)
    for each in answer:
        names = [str(name).removeprefix("/") for name in each.get("Names") or ()]
        name = next((name for name in names if "/" not in name), "")  # others are those of links
        if name:
            aside = _ASIDE.fullmatch(name)
            yield _row(aside["name"] if aside else name, each, is_whole=aside is None), aside


def _lives(aside: re.Match[str]) -> bool:
    owner = _owner(aside["owner"])
    return owner is not None and owner.may_live


def _state(said: object) -> str:
    """Return what an engine says that a container does: one word."""
    return said if isinstance(said, str) and _STATE.fullmatch(said) else "unknown"


def find(engine: Engine, name: str) -> Row | None:
    """Return the container of that very name, None where there is none."""
    return next((row for row in rows(engine) if row.name == name), None)


def _row(name: str, answer: Mapping[str, Any], *, is_whole: bool) -> Row:
    labels = answer.get("Labels") or {}
    return Row(
        container_id=str(answer.get("Id") or ""),
        name=name,
        image=str(answer.get("Image") or ""),
        image_id=address(str(answer.get("ImageID") or "")),
        state=_state(answer.get("State")),
        status=str(answer.get("Status") or ""),
        created=int(answer.get("Created") or 0),
        labels={str(key): str(value) for key, value in labels.items()},
        is_whole=is_whole,
    )


def maps_users(engine: Engine) -> bool:
    """Say whether the uid of a process in a container is another one outside.

    So it is in rootless engines and with user namespaces: files in a workspace would be of nobody.
    """
    with asking(engine.place, "how it runs containers"):
        info = engine.client.info()
    options = {str(each).partition(",")[0] for each in info.get("SecurityOptions") or ()}
    # Podman says it in a field of its own.
    return not options.isdisjoint(("name=rootless", "name=userns")) or info.get("Rootless") is True


def create(
    engine: Engine, wanted: Specification, settle: Callable[[str], None] = lambda _: None
) -> str:
    """Create a container that is stopped, with its user in it, and return its id.

    It gets its name when it is whole: what fails or dies before leaves nothing of that name, and
    ``sweep`` removes it. ``settle`` gets its id right before, and raises where it may not be.
    Raises Ds01Error for a name that is taken, Unavailable.
    """
    client, aside_name = engine.client, _aside_name(wanted.name, "creating")
    with asking(engine.place, f"to create the container {wanted.name}"):
        made = _begun(engine, wanted, aside_name)
        try:
            _furnish(engine, made, wanted)
            settle(str(made))
            _name(engine, made, wanted.name)
        except BaseException:
            with suppress(Exception):
                client.remove_container(made, force=True)
            raise
    return str(made)


def _begun(engine: Engine, wanted: Specification, name: str) -> str:
    """Have an engine make a container, and return its id.

    It makes one also for who does not wait for its answer: that one is removed.
    """
    try:
        return str(engine.client.create_container_from_config(payload(wanted), name)["Id"])
    except APIError:
        raise
    except BaseException:
        for _ in range(_LOOKS):
            with suppress(Exception):
                engine.client.remove_container(name, force=True)
                break
            time.sleep(_PAUSE)
        raise


def _furnish(engine: Engine, container_id: str, wanted: Specification) -> None:
    """Put the accounts and the home of its user into a container."""
    shell = _BASH if _has(engine, container_id, _BASH) else "/bin/sh"
    found = {path: _text(engine, container_id, path) for path in ACCOUNTS}
    archive = furnishing(
        wanted.identity, found, wanted.files, shell=shell, is_admin=wanted.wish.is_admin
    )
    try:
        engine.client.put_archive(container_id, "/", archive)
    except APIError as error:
        if "read-only" not in str(error.explanation or ""):
            raise
        raise Ds01Error(
            f"the container {wanted.name} is read-only, so that nobody can be given an account",
            hint="docker info, for who makes the containers of this engine so",
        ) from error


def _text(engine: Engine, container_id: str, path: str) -> str:
    """Return a small file of a container; empty without one, and for what is no file."""
    with suppress(NotFound):
        content = contents_of(engine, container_id, path).get(path) or b""
        return content.decode(errors="surrogateescape")
    return ""


def _has(engine: Engine, container_id: str, path: str) -> bool:
    client = engine.client
    url = f"{client.base_url}/v{client.api_version}/containers/{container_id}/archive"
    return bool(client.head(url, params={"path": path}).ok)


def _name(engine: Engine, container_id: str, name: str) -> None:
    try:
        engine.client.rename(container_id, name)
    except APIError as error:
        if error.status_code != _CONFLICT:
            raise
        raise taken(name) from error


def taken(name: str) -> Ds01Error:
    """Return the error for a name that a container has already."""
    anew = f"container-create {name.partition('._.')[0]} --recreate"
    return Ds01Error(
        f"there is a container {name} already",
        hint=f"container-list --all shows it; {anew} makes it anew",
    )


def sweep(engine: Engine, uid: int) -> tuple[str, ...]:
    """Put right what a user's dead processes left half-done, and return the names that it is about.

    What was half-made is removed; what was to be replaced has its name again, and runs if it did,
    unless the new one has it.
    """
    done = []
    with asking(engine.place, "for its containers"):
        answer = engine.client.containers(all=True)
        names = {
            str(name).removeprefix("/"): each for each in answer for name in each.get("Names") or ()
        }
        for match in filter(None, map(_ASIDE.fullmatch, sorted(names))):
            owner = _owner(match["owner"])
            if owner and owner.uid == uid and not owner.may_live:
                container, name = names[match[0]]["Id"], match["name"]
                with suppress(NotFound):
                    if match["why"] != "creating" and name not in names:
                        engine.client.rename(container, name)
                        if match["why"] == "ran":
                            engine.client.start(container)
                    else:
                        engine.client.remove_container(container, force=True)
                done.append(name)
    return tuple(done)


def _aside_name(name: str, why: Literal["creating", "stopped", "ran"]) -> str:
    return f"{name}.{why}.{_told(current())}.{secrets.token_hex(4)}"


def _told(owner: Owner) -> str:
    """Return an owner in what names of containers may have."""
    return str(owner).replace("/", ".")


def _owner(text: str) -> Owner | None:
    return Owner.parse(text.replace(".", "/"))


def start(engine: Engine, name: str) -> None:
    """Start a container; one that runs stays as it is."""
    with asking(engine.place, f"to start the container {name}"):
        engine.client.start(name)


def stop(engine: Engine, name: str, seconds: int = _STOP, *, is_killed: bool = False) -> None:
    """Stop a container, or kill it; one that is paused goes on first. A stopped one stays so."""
    client = engine.client
    with asking(engine.place, f"to stop the container {name}"):
        with suppress(APIError):  # most are not paused
            client.unpause(name)
        if is_killed:
            with suppress(APIError):  # it is stopped
                client.kill(name)
            return
        client.stop(name, timeout=seconds)


def pause(engine: Engine, name: str) -> None:
    """Freeze all processes of a container."""
    with asking(engine.place, f"to pause the container {name}"):
        engine.client.pause(name)


def unpause(engine: Engine, name: str) -> None:
    """Let the processes of a container go on."""
    with asking(engine.place, f"to unpause the container {name}"):
        engine.client.unpause(name)


def remove(engine: Engine, name: str, *, volumes: bool = False) -> None:
    """Remove a container that is stopped, with its anonymous volumes where ``volumes``."""
    with asking(engine.place, f"to remove the container {name}"), suppress(NotFound):
        engine.client.remove_container(name, v=volumes)


@contextmanager
def aside(engine: Engine, name: str) -> Iterator[None]:
    """Stop a container and give its name away for the block, and remove it afterwards.

    Where the block raises, what has the name by then is removed, and the container has it again,
    and runs if it did. Where this process is killed meanwhile, ``sweep`` puts it right.
    """
    client = engine.client
    with asking(engine.place, f"to replace the container {name}"):
        was_running = bool(client.inspect_container(name)["State"]["Running"])
        other = _aside_name(name, "ran" if was_running else "stopped")
        client.stop(name, timeout=_STOP)
        client.rename(name, other)
    try:
        yield
    except BaseException:
        with suppress(Ds01Error), asking(engine.place, f"to restore the container {name}"):
            with suppress(NotFound):
                client.remove_container(name, force=True)
            client.rename(other, name)
            if was_running:
                client.start(name)
        raise
    with asking(engine.place, f"to remove the container {other}"):
        client.remove_container(other, force=True)
