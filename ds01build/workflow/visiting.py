"""Visits to a container: a shell in it for a person, or one command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.engine import containers
from ds01build.engine.terminal import on_terminal, piped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ds01build.engine.containers import Row
    from ds01build.engine.terminal import Near
    from ds01build.workflow.containers import Host

__all__ = ["SHELL", "Visit", "visit"]

# As the container's own user, in its workspace: what an exec has where nothing else is said.
SHELL = ("/bin/sh", "-c", "[ -x /bin/bash ] && exec /bin/bash; exec /bin/sh")


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
    now = containers.find(engine, row.name)
    return Visit(
        code=code,
        is_running=now is not None and now.is_running,
        status=now.status if now is not None else "gone",
    )
