"""Installs locked .debs in a sandbox, offline, with the base's own apt or dpkg."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.engine.sandbox import Supply
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ds01build.engine.sandbox import Sandbox
    from ds01build.layers.entry import Source
    from ds01build.pin import DebPin

__all__ = ["install"]

_STATUS_LIMIT = 1 << 24  # bytes
_FORMAT = "${db:Status-Abbrev}|${Package}|${Architecture}|${Version}\\n"
_POLICY = "/usr/sbin/policy-rc.d"  # asked before a package starts a service; 101 forbids it
_FORBID = (
    f"[ ! -e {_POLICY} ] && printf '#!/bin/sh\\nexit 101\\n' >{_POLICY} && chmod 755 {_POLICY}"
)

_Installed = dict[tuple[str, str], tuple[str, str]]  # name, architecture: status, version


def install(
    sandbox: Sandbox,
    debs: Sequence[tuple[DebPin, Source]],
    execute: Callable[[Sequence[str], str], None],
) -> None:
    """Install ``debs``, and check that they and nothing else came to be installed.

    ``execute`` runs a command, with a name for messages. No service is started, files of the
    configuration that are there are kept, nothing is removed.
    """
    before = _installed(sandbox)
    sandbox.put(Supply(_file(pin), source) for pin, source in debs)
    made = sandbox.capture(["/bin/sh", "-c", _FORBID])[0] == 0
    command = _command(sandbox, [f"{sandbox.scratch}/{_file(pin)}" for pin, _ in debs])
    execute(command, command[0])
    if made:
        sandbox.capture(["rm", "-f", "--", _POLICY])
    _check(before, _installed(sandbox), [pin for pin, _ in debs])


def _file(pin: DebPin) -> str:
    return f"{pin.name}_{pin.version.replace(':', '%3a')}_{pin.architecture}.deb"


def _command(sandbox: Sandbox, files: Sequence[str]) -> list[str]:
    """Return the command; what apt and dpkg would keep of it goes to the scratch directory."""
    scratch = sandbox.scratch
    log = f"--log={scratch}/dpkg.log"
    if sandbox.capture(["/bin/sh", "-c", "command -v apt-get"])[0] != 0:
        return ["dpkg", log, "--force-confold", "--install", "--", *files]
    sandbox.capture(["mkdir", "-p", f"{scratch}/lists/partial", f"{scratch}/archives/partial"])
    settings = [
        "APT::Sandbox::User=root",
        "Dir::Cache::archives=" + f"{scratch}/archives/",
        "Dir::Cache::pkgcache=",
        "Dir::Cache::srcpkgcache=",
        "Dir::Etc::sourcelist=/dev/null",
        "Dir::Etc::sourceparts=/dev/null",
        f"Dir::Log={scratch}/",
        f"Dir::State::lists={scratch}/lists/",
        "DPkg::Options::=--force-confold",
        f"DPkg::Options::={log}",
        "DPkg::Use-Pty=false",
    ]
    options = [word for setting in settings for word in ("-o", setting)]
    plain = ["--yes", "--quiet", "--no-remove", "--no-install-recommends"]
    return ["apt-get", "install", *plain, *options, "--", *files]


def _installed(sandbox: Sandbox) -> _Installed:
    argv = ["dpkg-query", "--show", f"--showformat={_FORMAT}"]
    code, output = sandbox.capture(argv, limit=_STATUS_LIMIT)
    if code != 0:
        raise Ds01Error("the base has no dpkg that answers, so no .debs can be installed in it")
    rows = [line.split("|") for line in output.decode(errors="replace").splitlines()]
    return {(row[1], row[2]): (row[0].strip(), row[3]) for row in rows if len(row) == len("samv")}


def _check(before: _Installed, after: _Installed, pins: Sequence[DebPin]) -> None:
    """Raise Ds01Error unless exactly ``pins`` are new, and installed as a whole."""
    wanted = {(pin.name, pin.architecture): ("ii", pin.version) for pin in pins}
    wrong = sorted(
        name
        for name in before.keys() | after.keys() | wanted.keys()
        if after.get(name) != wanted.get(name, before.get(name))
    )
    for name, architecture in wrong:
        status, version = after.get((name, architecture), ("", "not installed"))
        expected = wanted.get((name, architecture), before.get((name, architecture), ("", "none")))
        raise Ds01Error(
            f"after installing, {name!r:.100} is at {version!r:.100} {status}, and not at "
            f"{expected[1]}"
        )
