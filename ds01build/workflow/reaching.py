"""Whether what packages come from answers: asked as locking asks it, once, in bounded time."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.errors import Unavailable
from ds01build.fetch.transport import HttpTransport
from ds01build.http.answer import Absent, Interrupted, Refused
from ds01build.location import redact
from ds01build.process import run
from ds01build.resolve.uv import NoSolution, Workspace, compile_requirements
from ds01build.workflow import machine as machines
from ds01build.workflow.checked import Checked
from ds01build.workflow.configured import configuration_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.resolve.uv import Uv
    from ds01build.workflow.doctor import Machine

__all__ = ["index", "mirror", "tool"]

_SECONDS = 20.0  # for an index
_CONNECT, _READ = 5.0, 10.0  # seconds, of a mirror
_MOST = 3  # archives that are asked
_ASKED = "pip"  # a project that nearly every index has; that it lacks it is an answer, too
_ANSWERED = "No solution found"  # as uv says it of what an index lacks, too
_SUITE = "stable"  # of an archive whose suites nobody says; an answer is one, whatever it has


def tool(looked_at: Machine) -> Iterator[Checked]:
    """Say which uv resolves Python packages. Raises Unavailable without one that starts."""
    found = _uv(looked_at)
    done = run(
        [found.program, "--version"], environment=found.environment, cwd=Path("/"), seconds=10
    )
    if done.code != 0:
        raise Unavailable(f"{found.program} ended with {done.code}", hint="pip install uv")
    yield Checked(topic="uv", says=f"{done.stdout.strip():.60} at {found.program}")


def index(looked_at: Machine) -> Iterator[Checked]:
    """Say that the package index answers. Raises Unavailable where it does not."""
    found = _uv(looked_at)
    names = ", ".join(redact(each.url) for each in found.indexes) or "uv's own"
    with tempfile.TemporaryDirectory(prefix="ds01-doctor-") as directory:
        patience = {
            "UV_HTTP_TIMEOUT": "10",
            "UV_HTTP_RETRIES": "0",
            "UV_CACHE_DIR": f"{directory}/kept",
        }
        asked = replace(found, environment={**found.environment, **patience})
        workspace = Workspace(Path(directory, "asked"))
        workspace.root.mkdir()
        inputs = [workspace.write("asked.in", [_ASKED])]
        try:
            compile_requirements(asked, workspace, inputs, ["--no-deps"], seconds=_SECONDS)
        except NoSolution as error:
            if _ANSWERED not in str(error):
                raise Unavailable(f"the package index cannot be asked: {error!s:.300}") from error
    yield Checked(topic="index", says=f"answers: {names}")


def mirror(looked_at: Machine) -> Iterator[Checked]:
    """Say which archives of .debs answer."""
    configuration = configuration_of(looked_at.environment, looked_at.home)
    sources = machines.host_sources(looked_at.environment)
    asked = dict.fromkeys(configuration.apt_mirror.split(), _SUITE)
    asked = asked or {each.uri: each.suite for each in sources}
    if not asked:
        says = "none is configured: .debs are locked over the base's own, in an engine"
        yield Checked(
            topic="mirror", says=says, state="warning", remedy="export DS01_APT_MIRROR=URL"
        )
    settings = machines.asking(configuration, sources)
    transport = HttpTransport(lambda: replace(settings, connect=_CONNECT, read=_READ))
    for uri, suite in list(asked.items())[:_MOST]:
        yield _answered(transport, uri, suite)
    transport.close()


def _answered(transport: HttpTransport, uri: str, suite: str) -> Checked:
    shown = redact(uri)
    try:
        with transport.get(f"{uri}/dists/{suite}/InRelease", 0):
            pass
    except (Interrupted, Refused) as error:
        says = f"{shown} cannot be reached: {error.reason}"
        remedy = "DS01_APT_MIRROR=URL names another mirror"
        return Checked(topic="mirror", says=says, state="problem", remedy=remedy)
    except Absent:
        pass  # it answered
    return Checked(topic="mirror", says=f"answers: {shown}")


def _uv(looked_at: Machine) -> Uv:
    configuration = configuration_of(looked_at.environment, looked_at.home)
    try:
        return machines.uv_of(configuration, offline=False)
    except FileNotFoundError as error:
        raise Unavailable("uv is not installed beside ds01", hint="pip install uv") from error
