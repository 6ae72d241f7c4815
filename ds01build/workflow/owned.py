"""Which containers are a user's own, whatever tool made them, and which of those ds01 made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.container import container_name, full_name
from ds01build.container.labels import MANAGED, uid_of
from ds01build.container.ownership import belongs, shown_name
from ds01build.engine import containers
from ds01build.engine.replacing import sweep
from ds01build.errors import Ds01Error
from ds01build.events import Note
from ds01build.fields import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ds01build.engine.containers import Row
    from ds01build.workflow.containers import Host

__all__ = ["called", "find", "find_own", "mine", "of_image", "own", "put_right"]


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
    return tuple(row for row in found if (uid_of(row.labels) or (None,))[0] == host.identity.uid)


def find(name: str, host: Host) -> Row:
    """Return the user's container of that name, short or full. Raises Ds01Error without one."""
    return _found(name, mine(host), host)


def find_own(name: str, host: Host) -> Row:
    """Return the same of those that ds01 made. Raises Ds01Error without one.

    One that a command was about to replace when it was killed is found again.
    """
    return _found(name, own(host), host)


def _found(name: str, among: Iterable[Row], host: Host) -> Row:
    rows = {row.name: row for row in among}
    for each in (full_name(name, host.identity.uid), name):
        if each in rows:
            return rows[each]
    near = did_you_mean(name, [called(row, host) for row in rows.values()])
    raise Ds01Error(f"you have no container {name!r:.130}{near}", hint="container-list --all")


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
