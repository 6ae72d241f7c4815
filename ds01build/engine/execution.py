"""Executes tiers in an engine: run commands or install .debs in a sandbox, and capture it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING

from ds01build.engine import debs
from ds01build.engine.logged import Logged
from ds01build.engine.outage import about
from ds01build.engine.sandbox import InMemory, Supply, opened
from ds01build.errors import Ds01Error, RejectedFile
from ds01build.layers import captured, survey
from ds01build.layers.executed import Captured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from docker import APIClient

    from ds01build.engine.owner import Owner
    from ds01build.engine.sandbox import Ended, Sandbox
    from ds01build.engine.site import Site
    from ds01build.layers.entry import Entry
    from ds01build.layers.executed import Execution
    from ds01build.layers.survey import Changes, Survey

__all__ = ["EngineExecutor"]

_NOT_RUN = (126, 127)  # what engines and shells say of a program that cannot be executed
# Set anew, since an image may have them; tar and find then speak one language.
_PLAIN = {"LC_ALL": "C", "TAR_OPTIONS": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineExecutor:
    """Executes tiers with the engine that ``client`` talks to."""

    client: APIClient
    owner: Owner
    site: Site

    @contextlib.contextmanager
    def execute(self, execution: Execution) -> Iterator[Captured]:
        """Execute a tier, and capture what it changed while the context lasts.

        Raises Ds01Error for a command that fails, with the last lines of its output; Unavailable
        when the engine does.
        """
        with (
            about(execution.tier),
            _named(execution.tier),
            opened(
                self.client,
                execution.image,
                owner=self.owner,
                site=self.site,
                network=execution.network,
                seconds=execution.seconds,
            ) as sandbox,
        ):
            changes = _changes(sandbox, execution)
            notes = list(changes.notes)
            entries = _entries(sandbox, changes, execution.spool, notes)
            yield Captured(entries=entries, notes=notes, log=execution.log)


@contextlib.contextmanager
def _named(tier: str) -> Iterator[None]:
    """Say of which tier it was that something is rejected."""
    try:
        yield
    except RejectedFile as error:
        raise RejectedFile(name=f"{tier}: {error.name}", problem=error.problem) from error


def _changes(sandbox: Sandbox, execution: Execution) -> Changes:
    if sandbox.capture(["/bin/sh", "-c", "tar --version && find --version"])[1].count(b"GNU ") < 2:  # noqa: PLR2004
        raise Ds01Error("the base has no GNU tar and GNU find, which it takes to capture a tier")
    if execution.workdir:
        sandbox.capture(["mkdir", "-p", "--", execution.workdir])
    volumes = sorted({*sandbox.volumes, *execution.volumes})
    # Those of the base are ordinary directories here, if they are there at all.
    before = _survey(sandbox, sandbox.volumes)
    with execution.log.open("xb", buffering=0) as log:  # people read along
        execute = Logged(
            sandbox=sandbox,
            log=log,
            path=str(execution.log),
            env=dict(execution.env),
            workdir=execution.workdir,
            network="" if execution.debs else execution.network,
        )
        for command in execution.commands:
            execute(["/bin/sh", "-euc", "--", command], command)
        if execution.debs:
            debs.install(sandbox, execution.debs, execute)
    sandbox.settle()
    ignored = survey.is_noise if execution.debs else None
    return survey.compare(before, _survey(sandbox, sandbox.volumes), volumes, ignored)


def _survey(sandbox: Sandbox, volumes: Sequence[str]) -> Survey:
    ends: list[Ended] = []
    argv = survey.argv(sandbox.scratch, volumes)
    try:
        found = survey.parse(sandbox.stream(argv, ends.append, env=_PLAIN, workdir="/"))
    except RejectedFile:
        for ended in ends:  # why it is not as find would have it
            _check_end("find", ended)
        raise
    _check_end("find", ends[0])
    return found


def _entries(
    sandbox: Sandbox, changes: Changes, spool: IO[bytes], notes: list[str]
) -> Iterator[Entry]:
    if not changes.present:
        return
    sandbox.put([Supply("paths", InMemory(captured.requested(changes)))])
    argv = [
        *("tar", "--create", "--file=-", "--format=posix", "--numeric-owner", "--xattrs"),
        *("--xattrs-include=*", "--directory=/", "--null", "--no-recursion"),
        f"--files-from={sandbox.scratch}/paths",
    ]
    output = sandbox.stream(argv, partial(_check_end, "tar"), env=_PLAIN, workdir="/")
    with contextlib.closing(output):
        yield from captured.entries(output, changes, spool, notes)


def _check_end(tool: str, ended: Ended) -> None:
    if ended.code in _NOT_RUN:
        raise Ds01Error(f"the commands left no {tool} that runs, which it takes to capture a tier")
    if ended.code != 0:
        problem = ended.stderr.decode(errors="replace")[-300:]
        raise Ds01Error(f"{tool} in the container ended with status {ended.code}: {problem!r}")
