"""Which containers are a user's own, whatever tool made them, and which of those ds01 made."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.container import container_name, full_name
from ds01build.container.labels import MANAGED, uid_of
from ds01build.container.ownership import belongs, shown_name
from ds01build.engine import containers
from ds01build.engine.creating import refuse_replaced
from ds01build.engine.replacing import sweep
from ds01build.errors import Ds01Error
from ds01build.events import Note
from ds01build.fields import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ds01build.engine.containers import Row
    from ds01build.workflow.containers import Host

__all__ = ["called", "find", "find_own", "mine", "names", "of_image", "own", "put_right"]

_ID = re.compile(r"[0-9a-f]{12,64}")


def mine(host: Host) -> tuple[Row, ...]:
    """Return all containers of the user, running or not, by name, whatever tool made them."""
    put_right(host)
    found = containers.rows(host.engine())
    home = str(host.home)
    return tuple(row for row in found if belongs(row.name, row.labels, host.identity, home))


def own(host: Host) -> tuple[Row, ...]:
    """Return the containers of the user that ds01 made, running or not, by name."""
    put_right(host)
    found = containers.rows(host.engine(), f"{MANAGED}=true")
    return tuple(row for row in found if _is_own(row, host))


def _is_own(row: Row, host: Host) -> bool:
    return row.labels.get(MANAGED) == "true" and uid_of(row.labels) == host.identity.uid


def find(name: str, host: Host) -> Row:
    """Return the user's container of that name, short or full, or of that id.

    Raises Ds01Error without one, and where a name is the short one of one and the full one of
    another: nothing is to be done to the wrong one of them.
    """
    rows = mine(host)
    by_name, full = {row.name: row for row in rows}, full_name(name, host.identity.uid)
    if name in by_name and full in by_name:
        other = by_name[name].container_id[:12]
        raise Ds01Error(
            f"you have two containers that {name} may mean: {full}, and one without your uid",
            hint=f"{full} names the first one, its id {other} the other",
        )
    found = by_name.get(full) or by_name.get(name) or _of_id(name, rows)
    if found is None:
        for each in (full, name):
            refuse_replaced(host.engine(), each)
        near = did_you_mean(name, list(names(rows, host).values()))
        raise Ds01Error(f"you have no container {name!r:.130}{near}", hint="container-list --all")
    return found


def _of_id(text: str, rows: Iterable[Row]) -> Row | None:
    """Return the container whose id begins so, with as many digits as engines show."""
    is_id = _ID.fullmatch(text) is not None
    return next((row for row in rows if is_id and row.container_id.startswith(text)), None)


def find_own(name: str, host: Host) -> Row:
    """Return the same of those that ds01 made. Raises Ds01Error for any other.

    One that a command was about to replace when it was killed is found again.
    """
    row = find(name, host)
    if not _is_own(row, host):
        raise Ds01Error(
            f"{row.name} was not made by ds01: container-stop and container-remove end it",
            hint=f"container-stop {row.name}; container-remove {row.name}",
        )
    return row


def names(rows: Iterable[Row], host: Host) -> dict[str, str]:
    """Return what the user calls each of all his containers, by its full name.

    That is the full one where another container has the short one.
    """
    short = {row.name: called(row, host) for row in rows}
    return {full: full if each in short else each for full, each in short.items()}


def called(row: Row, host: Host) -> str:
    """Return what the user calls a container of his."""
    return shown_name(row.name, host.identity.uid)


def of_image(name: str, host: Host) -> Row | None:
    """Return the user's container that belongs to an image, None without one that ds01 made."""
    wanted = full_name(container_name(name), host.identity.uid)
    return next((row for row in own(host) if row.name == wanted), None)


def put_right(host: Host) -> None:
    """Finish or undo what dead processes of the user have left half-done, and tell it."""
    for name in sweep(host.engine(), host.identity.uid):
        host.report(Note(f"put right what was left half-done of {name}"))
