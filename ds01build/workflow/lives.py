"""The life of a user's containers: how they start, pause, stop."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Literal

from ds01build.container import read
from ds01build.engine import containers
from ds01build.errors import Ds01Error, Unavailable
from ds01build.workflow import allotting, owned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ds01build.engine.containers import Row
    from ds01build.workflow.containers import Host

__all__ = [
    "Outcome",
    "each",
    "pause",
    "start",
    "stop",
    "unpause",
    "wake",
]

_PATIENCE = 5.0  # seconds
_MOMENT = 0.3  # seconds in which ends what does not work at all
Woken = Literal["started", "unpaused", "running"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one container of several. ``hint`` is a command that helps where it failed."""

    name: str  # the engine's
    outcome: str  # started, stopped, ...; skipped where there was nothing to do; failed
    reason: str = ""
    hint: str = ""

    def answer(self) -> dict[str, object]:
        """Return the object that commands print of it."""
        return {"name": self.name, "outcome": self.outcome, "reason": self.reason}


def wake(row: Row, host: Host) -> Woken:
    """Let a container run, and say what that took.

    Raises Ds01Error where the engine cannot start it, where it ends at once, and where a GPU that
    it was given is gone.
    """
    engine = host.engine()
    if row.state == "paused":
        containers.unpause(engine, row.name)
        return "unpaused"
    if row.is_running:
        return "running"
    _require_workspace(row)
    if gone := allotting.missing(row.labels, host):
        raise Ds01Error(
            f"{row.name} was given {', '.join(gone)}, which this machine has no more",
            hint=f"container-create {owned.called(row, host)} --recreate makes it anew with others",
        )
    try:
        containers.start(engine, row.name)
    except Ds01Error as error:
        error.hint = error.hint or f"docker logs --tail 20 {row.name}"
        raise
    return "started"


def _require_workspace(row: Row) -> None:
    """Raise Ds01Error where there is no workspace any more, or a link in its place."""
    wish = read(row.labels)
    if wish is None:
        return
    path, shown = Path(wish.workspace), shlex.quote(wish.workspace)
    if path.is_symlink():
        raise Ds01Error(
            f"the workspace of {row.name} is a link by now: {path}",
            hint=f"container-create {wish.name} {wish.image} --recreate --workspace DIR",
        )
    if not path.is_dir():
        raise Ds01Error(f"the workspace of {row.name} is gone: {path}", hint=f"mkdir -p -- {shown}")


def start(row: Row, host: Host) -> Outcome:
    """Start a container; one that is paused goes on."""
    woken = wake(row, host)
    is_new = woken != "running"
    return Outcome(
        name=row.name,
        outcome=woken if is_new else "skipped",
        reason="" if is_new else "it runs already",
    )


def stop(row: Row, host: Host, seconds: int = 10, *, is_killed: bool = False) -> Outcome:
    """Stop a container within ``seconds``, after which it is killed; or kill it at once.

    What is written in it stays: it can be started again.
    """
    if not row.is_running:
        return Outcome(name=row.name, outcome="skipped", reason="it is stopped already")
    begun = monotonic()
    containers.stop(host.engine(), row.name, seconds, is_killed=is_killed)
    took = monotonic() - begun
    _await_end(row, host)
    end = "killed" if is_killed or took >= seconds else "ended by itself"
    return Outcome(name=row.name, outcome="stopped", reason=f"{end}, after {took:.1f} s")


def _await_end(row: Row, host: Host) -> None:
    """Wait until the engine's list says so, too: that may be a moment later."""
    until = monotonic() + _PATIENCE
    while monotonic() < until:
        now = containers.find(host.engine(), row.name)
        if now is None or not now.is_running:
            return
        sleep(_MOMENT)


def pause(row: Row, host: Host) -> Outcome:
    """Freeze what runs in a container; memory and GPUs stay taken."""
    if row.state != "running":
        state = "it is paused already" if row.state == "paused" else "it does not run"
        return Outcome(name=row.name, outcome="skipped", reason=state)
    containers.pause(host.engine(), row.name)
    return Outcome(name=row.name, outcome="paused")


def unpause(row: Row, host: Host) -> Outcome:
    """Let what runs in a container go on."""
    if row.state != "paused":
        return Outcome(name=row.name, outcome="skipped", reason="it is not paused")
    containers.unpause(host.engine(), row.name)
    return Outcome(name=row.name, outcome="unpaused")


def each(rows: Iterable[Row], act: Callable[[Row], Outcome]) -> tuple[Outcome, ...]:
    """Do something with containers; where one fails, the others have their turn.

    Raises Unavailable where the engine does not answer any more.
    """
    return tuple(_tried(row, act) for row in rows)


def _tried(row: Row, act: Callable[[Row], Outcome]) -> Outcome:
    try:
        return act(row)
    except Unavailable:
        raise
    except Ds01Error as error:
        return Outcome(name=row.name, outcome="failed", reason=str(error), hint=error.hint)
