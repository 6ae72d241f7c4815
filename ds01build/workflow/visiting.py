"""Visits to a container: a shell in it for a person, or one command."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic, sleep
from typing import TYPE_CHECKING

from ds01build.engine import containers
from ds01build.engine.terminal import KILLED, on_terminal, piped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ds01build.engine.containers import Row
    from ds01build.engine.terminal import Near
    from ds01build.workflow.containers import Host

__all__ = ["SHELL", "Visit", "visit"]

# As the container's own user, in its workspace: what an exec has where nothing else is said.
SHELL = ("/bin/sh", "-c", "[ -x /bin/bash ] && exec /bin/bash; exec /bin/sh")
_MOMENT, _PAUSE = 3.0, 0.1  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What came of a visit. ``status`` is the engine's word for the container afterwards."""

    code: int
    is_running: bool
    status: str


def visit(
    row: Row,
    host: Host,
    near: Near,
    argv: Sequence[str] = SHELL,
    *,
    terminal: str | None,
    variables: Mapping[str, str] | None = None,
) -> Visit:
    """Run a command in a container that runs, as its user, and say how it ended.

    ``terminal`` is what kind of terminal ``near`` is (TERM), None where it is none. Raises
    Ds01Error, and Unavailable where the engine is lost; a terminal is as before in every case.
    """
    engine = host.engine()
    given = dict(variables or {})
    if terminal is None:
        code = piped(engine, row.name, argv, near, given)
    else:
        code = on_terminal(engine, row.name, argv, near, {"TERM": terminal, **given})
    now = _afterwards(row, host, is_killed=code == KILLED)
    return Visit(
        code=code,
        is_running=now is not None and now.is_running,
        status=now.status if now is not None else "gone",
    )


def _afterwards(row: Row, host: Host, *, is_killed: bool) -> Row | None:
    """Return a container after a visit; None where it is gone.

    What runs in a container that is stopped ends a moment before the engine says so of itself.
    """
    until = monotonic() + (_MOMENT if is_killed else 0)
    while True:
        now = containers.find(host.engine(), row.name)
        if now is None or not now.is_running or monotonic() >= until:
            return now
        sleep(_PAUSE)
