"""A container takes the place of another: at each moment one of the two is whole."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from docker.errors import APIError, NotFound

from ds01build.engine.api import asking
from ds01build.engine.creating import CONFLICT
from ds01build.engine.interim import interim, interim_name
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.engine.api import Engine
    from ds01build.engine.containers import Row

__all__ = ["aside", "sweep"]

_STOP = 10  # seconds that a container has to end


@contextmanager
def aside(engine: Engine, row: Row) -> Iterator[None]:
    """Give a container's name away for the block, stop it, and remove it afterwards.

    Where the block raises, what it made has to be gone by then: the container has its name again,
    and runs if it did. Where this process is killed meanwhile, ``sweep`` puts it right. Raises
    Ds01Error where another command replaces it, Unavailable.
    """
    was_running = _give_away(engine, row)
    try:
        with asking(engine.place, f"to stop the container {row.name}"):
            _end(engine, row.container_id)
        yield
    except BaseException as error:
        if not _is_back(engine, row, was_running=was_running) and isinstance(error, Ds01Error):
            raise _lost(row) from error
        raise
    with asking(engine.place, f"to remove the container {row.name}"), suppress(NotFound):
        engine.client.remove_container(row.container_id, v=True, force=True)


def _give_away(engine: Engine, row: Row) -> bool:
    """Give a container a name for the meantime, and say whether it runs."""
    client = engine.client
    with asking(engine.place, f"to replace the container {row.name}"):
        try:
            found = client.inspect_container(row.container_id)
            if _name_of(found) != row.name:
                raise _lost(row)
            was_running = bool(found["State"]["Running"])
            other = interim_name(row.name, "ran" if was_running else "stopped")
            client.rename(row.container_id, other)
            if _name_of(client.inspect_container(row.container_id)) != other:
                raise _lost(row)  # another command has renamed it after this one
        except NotFound as error:
            raise _lost(row) from error
    return was_running


def _name_of(found: dict[str, object]) -> str:
    return str(found["Name"]).removeprefix("/")


def _lost(row: Row) -> Ds01Error:
    return Ds01Error(
        f"another command replaces the container {row.name} just now", hint="container-list --all"
    )


def _end(engine: Engine, container_id: str) -> None:
    with suppress(APIError):  # most are not paused
        engine.client.unpause(container_id)
    engine.client.stop(container_id, timeout=_STOP)


def _is_back(engine: Engine, row: Row, *, was_running: bool) -> bool:
    """Give a container its name again, and say whether that is still to be had."""
    client = engine.client
    with suppress(Ds01Error), asking(engine.place, f"to restore the container {row.name}"):
        try:
            client.rename(row.container_id, row.name)
        except NotFound:
            return False
        except APIError as error:
            if error.status_code == CONFLICT:
                return False
            raise
        if was_running:
            client.start(row.container_id)
    return True


def sweep(engine: Engine, uid: int) -> tuple[str, ...]:
    """Put right what a user's dead processes left half-done, and return the names that it is about.

    What was half-made is removed; what was to be replaced has its name again, and runs if it did,
    unless the new one has it.
    """
    done = []
    with asking(engine.place, "for its containers"):
        answer = engine.client.containers(all=True)
        names = {
            str(name).removeprefix("/"): str(each["Id"])
            for each in answer
            for name in each.get("Names") or ()
        }
        for full, container_id in sorted(names.items()):
            left = interim(full)
            if left and left.owner and left.owner.uid == uid and not left.may_live:
                is_kept = left.why != "creating" and left.name not in names
                with suppress(NotFound):
                    if is_kept:
                        _restore(engine, container_id, left.name, was_running=left.why == "ran")
                    else:
                        engine.client.remove_container(container_id, v=True, force=True)
                done.append(left.name)
    return tuple(done)


def _restore(engine: Engine, container_id: str, name: str, *, was_running: bool) -> None:
    engine.client.rename(container_id, name)
    if was_running:
        with suppress(APIError):  # it is paused, or cannot start any more: it is listed so
            engine.client.start(container_id)
