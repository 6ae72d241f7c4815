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
# Each command in a container takes an engine some 50 ms, so these do several things in one.
# Arguments: format, policy, scratch. Prints three parts with a NUL between them: what is installed,
# whether the policy was made, and where apt-get is.
_BEFORE = r"""
dpkg-query --show --showformat="$1" || exit 1
printf '\0'
[ ! -e "$2" ] && printf '#!/bin/sh\nexit 101\n' >"$2" && chmod 755 "$2" && printf made
printf '\0'
mkdir -p -- "$3/lists/partial" "$3/archives/partial" && command -v apt-get
exit 0
"""
_AFTER = '[ "$2" = - ] || rm -f -- "$2"; dpkg-query --show --showformat="$1"'

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
    before, has_policy, has_apt = _begun(sandbox)
    sandbox.put(Supply(_file(pin), source) for pin, source in debs)
    files = [f"{sandbox.scratch}/{_file(pin)}" for pin, _ in debs]
    command = _apt(sandbox.scratch, files) if has_apt else _dpkg(sandbox.scratch, files)
    execute(command, command[0])
    argv = ["/bin/sh", "-c", _AFTER, "sh", _FORMAT, "-" if has_policy else _POLICY]
    after = _installed(*sandbox.capture(argv, limit=_STATUS_LIMIT))
    _check(before, after, [pin for pin, _ in debs])


def _begun(sandbox: Sandbox) -> tuple[_Installed, bool, bool]:
    """Return what is installed, whether the base has a policy of its own, and whether an apt."""
    argv = ["/bin/sh", "-c", _BEFORE, "sh", _FORMAT, _POLICY, sandbox.scratch]
    code, output = sandbox.capture(argv, limit=_STATUS_LIMIT)
    listed, made, found = [*output.split(b"\0"), b"", b""][:3]
    return _installed(code, listed), made != b"made", bool(found.strip())


def _file(pin: DebPin) -> str:
    return f"{pin.name}_{pin.version.replace(':', '%3a')}_{pin.architecture}.deb"


# What apt and dpkg would keep of it goes to the scratch directory.
def _dpkg(scratch: str, files: Sequence[str]) -> list[str]:
    return ["dpkg", f"--log={scratch}/dpkg.log", "--force-confold", "--install", "--", *files]


def _apt(scratch: str, files: Sequence[str]) -> list[str]:
    settings = [
        "APT::Sandbox::User=root",
        f"Dir::Cache::archives={scratch}/archives/",
        "Dir::Cache::pkgcache=",
        "Dir::Cache::srcpkgcache=",
        "Dir::Etc::sourcelist=/dev/null",
        "Dir::Etc::sourceparts=/dev/null",
        f"Dir::Log={scratch}/",
        f"Dir::State::lists={scratch}/lists/",
        "DPkg::Options::=--force-confold",
        f"DPkg::Options::=--log={scratch}/dpkg.log",
        "DPkg::Use-Pty=false",
    ]
    options = [word for setting in settings for word in ("-o", setting)]
    plain = ["--yes", "--quiet", "--no-remove", "--no-install-recommends"]
    return ["apt-get", "install", *plain, *options, "--", *files]


def _installed(code: int, output: bytes) -> _Installed:
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
