"""A container takes the place of another: at each moment one of the two is whole."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, NotFound

from ds01build.container.labels import REPLACES
from ds01build.engine.api import asking
from ds01build.engine.creating import CONFLICT, lost
from ds01build.engine.interim import interim, interim_name
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ds01build.engine.api import Engine
    from ds01build.engine.containers import Row
    from ds01build.engine.interim import Interim

__all__ = ["aside", "sweep"]

_LONGEST = 97  # characters of a name that gets a number
_MOST = 100  # containers whose names differ in a number
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
        name = _taken_back(engine, row, was_running=was_running)
        if name != row.name and isinstance(error, Ds01Error):
            raise _displaced(row, name) from error
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
                raise lost(row.name)
            was_running = bool(found["State"]["Running"])
            other = interim_name(row.name, "ran" if was_running else "stopped")
            client.rename(row.container_id, other)
            if _name_of(client.inspect_container(row.container_id)) != other:
                raise lost(row.name)  # another command has renamed it after this one
        except NotFound as error:
            raise lost(row.name) from error
    return was_running


def _name_of(found: dict[str, object]) -> str:
    return str(found["Name"]).removeprefix("/")


def _end(engine: Engine, container_id: str) -> None:
    with suppress(APIError):  # most are not paused
        engine.client.unpause(container_id)
    engine.client.stop(container_id, timeout=_STOP)


def _taken_back(engine: Engine, row: Row, *, was_running: bool) -> str:
    """Give a container its name again, and return what it is called; empty where it is gone.

    Where something else has the name by now, it gets one like it: nothing of it is lost. Where
    that replaces it, it is left to whoever does that.
    """
    client = engine.client
    with suppress(Ds01Error), asking(engine.place, f"to restore the container {row.name}"):
        with suppress(NotFound):
            holder = client.inspect_container(row.name)["Config"]
            if _replaces(holder, row.container_id):
                return ""
        with suppress(NotFound):
            return _restored(engine, row.container_id, row.name, was_running=was_running)
        return ""
    return row.name


def _replaces(holder: Mapping[str, Any], container_id: str) -> bool:
    """Say whether what an engine says of a container has the label of one that replaces another."""
    return (holder.get("Labels") or {}).get(REPLACES) == container_id


def _displaced(row: Row, name: str) -> Ds01Error:
    if not name:
        return lost(row.name)
    return Ds01Error(
        f"something else is called {row.name} by now; the container that was is called {name}",
        hint="container-list --all",
    )


def sweep(engine: Engine, uid: int) -> tuple[str, ...]:
    """Put right what a user's dead processes left half-done, and return the names that it is about.

    What was half-made is removed. What was to be replaced has its name again, and runs if it did;
    it goes where the one that has the name was made to replace it.
    """
    done = []
    with asking(engine.place, "for its containers"):
        answer = engine.client.containers(all=True)
        names = {
            str(name).removeprefix("/"): each for each in answer for name in each.get("Names") or ()
        }
        for full in sorted(names):
            left = interim(full)
            if left and left.owner and left.owner.uid == uid and not left.may_live:
                with suppress(NotFound):
                    _put_right(engine, str(names[full]["Id"]), left, names.get(left.name))
                done.append(left.name)
    return tuple(dict.fromkeys(done))


def _put_right(
    engine: Engine, container_id: str, left: Interim, holder: Mapping[str, Any] | None
) -> None:
    """Put one right; ``holder`` is the container that has its name."""
    if left.why == "creating" or _replaces(holder or {}, container_id):
        engine.client.remove_container(container_id, v=True, force=True)
    else:
        _restored(engine, container_id, left.name, was_running=left.why == "ran")


def _restored(engine: Engine, container_id: str, name: str, *, was_running: bool) -> str:
    """Rename a container, start it if it ran, and return its name: another one if that is taken."""
    short, mark, rest = name.partition("._.")
    for each in (name, *(f"{short[:_LONGEST]}-{number}{mark}{rest}" for number in range(2, _MOST))):
        try:
            engine.client.rename(container_id, each)
            break
        except APIError as error:
            if error.status_code != CONFLICT:
                raise
    if was_running:
        with suppress(APIError):  # it is paused, or cannot start any more: it is listed so
            engine.client.start(container_id)
    return each
