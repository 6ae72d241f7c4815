"""A private apt: its own directories and configuration, nothing of the host's, any user."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.errors import ResolveError, Unavailable
from ds01build.process import run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.process import Completed
    from ds01build.resolve.sources import AptSource

__all__ = ["AptSession", "host_checks_expiry", "prepare", "shown"]

_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")  # apt knows them in lower case only
_ELSEWHERE = "lock on a Debian or Ubuntu machine: the lock builds on any other"

# Every place and every choice that would otherwise be the host's or depend on apt's version.
# DIR is the session's directory; see apt.conf(5).
_CONFIGURATION = """\
#clear Dir;
Dir "DIR/";
Dir::State "DIR/";
Dir::State::lists "DIR/lists/";
Dir::State::status "DIR/status";
Dir::State::extended_states "DIR/extended_states";
Dir::State::cdroms "/dev/null";
Dir::Cache "DIR/";
Dir::Cache::archives "DIR/archives/";
Dir::Cache::pkgcache "DIR/pkgcache.bin";
Dir::Cache::srcpkgcache "DIR/srcpkgcache.bin";
Dir::Etc "DIR/etc/";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "DIR/etc/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "DIR/etc/preferences";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::netrc "/dev/null";
Dir::Etc::netrcparts "/dev/null";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "/dev/null";
Dir::Log "DIR/log/";
Dir::Bin::methods "/usr/lib/apt/methods";
Dir::Bin::solvers "/usr/lib/apt/solvers";
Dir::Bin::planners "/usr/lib/apt/planners";
Dir::Bin::dpkg "/bin/false";
APT::Architecture "ARCHITECTURE";
APT::Architectures { "ARCHITECTURE"; };
APT::Sandbox::User "";
APT::Solver "internal";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Get::AllowUnauthenticated "false";
APT::Get::Always-Include-Phased-Updates "true";
APT::Update::Error-Mode "any";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::ForceHash "SHA256";
Acquire::Languages "none";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::PDiffs "false";
Acquire::GzipIndexes "false";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Debug::NoLocking "true";
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AptSession:
    """A directory that apt works in. ``absent`` are optional sources that the mirror lacks.

    ``environment`` is all that apt sees of the caller's.
    """

    directory: Path
    sources: tuple[AptSource, ...]
    absent: tuple[AptSource, ...]
    architecture: str
    environment: Mapping[str, str] = field(repr=False)  # a proxy may have a password

    def run(self, program: str, *arguments: str) -> Completed:
        """Run one of apt's programs over this directory."""
        words = [self.program(program), *arguments]
        return run(words, environment=self.environment, cwd=self.directory)

    def program(self, name: str) -> str:
        """Return the path of one of apt's programs, or raise Unavailable."""
        path = self.has(name)
        if path is None:
            raise Unavailable(f"{name} is not installed", hint=_ELSEWHERE)
        return path

    def has(self, name: str) -> str | None:
        """Return the path of a program, if there is one."""
        return shutil.which(name, path=self.environment["PATH"])

    def write(self, name: str, text: str) -> None:
        """Write a file of this directory, for its owner only."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self.directory / name, flags, 0o600), "w") as file:
            file.write(text)


def prepare(
    directory: Path,
    sources: tuple[AptSource, ...],
    architecture: str,
    environment: Mapping[str, str],
) -> AptSession:
    """Lay out ``directory`` for ``sources``; what apt has downloaded there stays.

    Raises Unavailable and ResolveError for what apt cannot work with.
    """
    _check_surroundings(directory, sources, architecture)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("lists", "lists/partial", "archives", "archives/partial", "etc", "log", "tmp"):
        (directory / name).mkdir(mode=0o700, exist_ok=True)
    session = AptSession(
        directory=directory,
        sources=sources,
        absent=(),
        architecture=architecture,
        environment=_closed(directory, environment),
    )
    for program in ("apt-get", "apt-cache"):
        session.program(program)
    if not any(session.has(verifier) for verifier in ("gpgv", "sqv")):
        raise Unavailable("gpgv is not installed", hint="sudo apt-get install gpgv")
    text = _CONFIGURATION.replace("DIR/", f"{directory}/").replace("ARCHITECTURE", architecture)
    session.write("apt.conf", text)
    for empty in ("status", "extended_states", "etc/preferences"):
        session.write(empty, "")
    session.write("etc/sources.list", "".join(_line(each, architecture) for each in sources))
    return session


def host_checks_expiry(environment: Mapping[str, str]) -> bool:
    """Return whether the host's own apt refuses an index that is past its Valid-Until.

    This reads the host's apt configuration; where there is no apt, the answer is yes.
    """
    path = environment.get("PATH", _SYSTEM_PATH)
    program = shutil.which("apt-config", path=path)
    if program is None:
        return True
    words = [program, "shell", "CHECK", "Acquire::Check-Valid-Until/b"]
    outcome = run(words, environment={"PATH": path, "LC_ALL": "C"}, cwd=Path("/"))
    return outcome.stdout.strip() != "CHECK='false'"


def shown(text: str) -> str:
    """Return a message of apt's as it may be shown: one line, without URLs and addresses."""
    text = re.sub(r"\[IP: [^\]]*\]", "", text)
    text = re.sub(r"[a-z+]+://\S+", "(URL)", text)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:300]


def _check_surroundings(directory: Path, sources: tuple[AptSource, ...], architecture: str) -> None:
    if not directory.is_absolute() or re.search(r'["\x00-\x1f\x7f]', str(directory)):
        raise Unavailable(f"apt cannot work in the directory {str(directory)!r:.200}")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", architecture):
        raise ResolveError(f"not an architecture of Debian's: {architecture!r:.50}")
    for keyring in {source.signed_by for source in sources}:
        if not os.access(keyring, os.R_OK):
            raise Unavailable(
                f"the keyring {keyring!r:.200} does not exist or may not be read",
                hint="export DS01_APT_KEYRING=FILE with the keys of the Debian archive",
            )


def _closed(directory: Path, environment: Mapping[str, str]) -> dict[str, str]:
    proxies = {name: environment.get(name) or environment.get(name.upper()) for name in _PROXIES}
    return {
        **{name: value for name, value in proxies.items() if value},
        "PATH": environment.get("PATH", _SYSTEM_PATH),
        "LC_ALL": "C",
        "HOME": "/nonexistent",
        "TMPDIR": str(directory / "tmp"),
        "APT_CONFIG": str(directory / "apt.conf"),
    }


def _line(source: AptSource, architecture: str) -> str:
    options = [f"arch={architecture}", f"signed-by={source.signed_by}"]
    options += [] if source.expires else ["check-valid-until=no"]
    uri = source.uri.replace("%", "%25")  # apt decodes the words of this file once
    words = (f"[{' '.join(options)}]", uri, source.suite, *source.components)
    return f"deb {' '.join(words)}\n"
