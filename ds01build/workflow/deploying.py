"""Brings containers about, as commands want them: stopped or running, also where one is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ds01build.container import full_name
from ds01build.engine import containers as engines
from ds01build.engine.creating import refuse_replaced, taken
from ds01build.errors import Ds01Error
from ds01build.workflow import containers, lives, owned

if TYPE_CHECKING:
    from ds01build.container import Specification, Wish
    from ds01build.engine.containers import Row
    from ds01build.workflow.containers import Host

__all__ = ["Clash", "Made", "deploy", "make", "require_free", "there"]

# What becomes of a container that has the name already.
Clash = Literal["refuse", "use", "recreate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A container that is there now; ``specification`` is None for one that was there before."""

    name: str
    outcome: Literal["created", "existing", "recreated"]
    specification: Specification | None = None


def there(name: str, host: Host) -> Row | None:
    """Return the user's container of a short name, None without one.

    Raises Ds01Error for one of that name that is not known to be his.
    """
    full = full_name(name, host.identity.uid)
    found = next((row for row in owned.own(host) if row.name == full), None)
    if found is None:
        refuse_replaced(host.engine(), full)
    if found is None and engines.find(host.engine(), full) is not None:
        raise Ds01Error(
            f"there is a container {full} that ds01 did not create for you",
            hint="give yours another name; container-list --all shows what there is",
        )
    return found


def require_free(name: str, host: Host) -> None:
    """Raise Ds01Error where a container has that short name already."""
    row = there(name, host)
    if row is not None:
        raise taken(row.name)


def make(wish: Wish, host: Host, clash: Clash = "refuse") -> Made:
    """Create a container that is stopped; ``clash`` says what happens to one that is there.

    One in the place of another has its name; where anything fails it is as before. Raises
    Ds01Error, Unavailable.
    """
    row = _in_the_way(wish, host, clash)
    if row is None:
        return _created(containers.create(wish, host))
    if clash == "use":
        return Made(name=row.name, outcome="existing")
    return _recreated(containers.replaced(row, wish, host, is_started=False))


def deploy(wish: Wish, host: Host, clash: Clash = "refuse") -> Made:
    """Have a container run: a new one, or as ``make``. One that fails to start is not left behind.

    Raises Ds01Error, Unavailable.
    """
    row = _in_the_way(wish, host, clash)
    if row is None:
        return _created(containers.bring_up(wish, host))
    if clash == "use":
        lives.wake(row, host)
        return Made(name=row.name, outcome="existing")
    return _recreated(containers.replaced(row, wish, host, is_started=True))


def _in_the_way(wish: Wish, host: Host, clash: Clash) -> Row | None:
    row = there(wish.name, host)
    if row is not None and clash == "refuse":
        raise taken(row.name)
    return row


def _created(made: Specification) -> Made:
    return Made(name=made.name, outcome="created", specification=made)


def _recreated(made: Specification) -> Made:
    return Made(name=made.name, outcome="recreated", specification=made)
