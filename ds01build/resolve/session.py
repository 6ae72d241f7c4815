"""A private apt: its own directories and configuration, nothing of the host's, any user."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ds01build.errors import ResolveError, Unavailable
from ds01build.process import run
from ds01build.resolve.keys import dearmored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ds01build.process import Completed
    from ds01build.resolve.sources import AptSource

__all__ = [
    "AptPlan",
    "AptRunner",
    "AptSession",
    "HostRunner",
    "carried",
    "has_apt",
    "host_checks_expiry",
    "prepare",
    "shown",
]

_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAMS = ("apt-get", "apt-cache")
_VERIFIERS = ("gpgv", "sqv")
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


class AptRunner(Protocol):
    """Where apt runs, and the directory that it works in: on this machine, or in a container.

    Nobody else may write to the directory while a session uses it.
    """

    @property
    def directory(self) -> str:
        """Return its absolute path, as apt sees it."""

    def make(self, names: Sequence[str]) -> None:
        """Make the directory and directories below it, for their owner only, where they lack."""

    def write(self, name: str, content: bytes) -> None:
        """Write or replace a file below the directory, for its owner only."""

    def find(self, program: str, path: str) -> str | None:
        """Return where a program is on the search path ``path``, if it is there."""

    def run(self, argv: Sequence[str], environment: Mapping[str, str]) -> Completed:
        """Run a program to its end; of this process it sees ``environment`` and nothing else.

        Raises Unavailable where it cannot be run or takes too long.
        """


@dataclass(frozen=True, slots=True)
class HostRunner:
    """This machine's apt, over a directory of the caller's alone: new, or of an earlier session."""

    directory: str

    def make(self, names: Sequence[str]) -> None:
        """Make the directory and directories below it."""
        root = Path(self.directory)
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in names:
            (root / name).mkdir(mode=0o700, exist_ok=True)

    def write(self, name: str, content: bytes) -> None:
        """Write or replace a file below the directory, unless it is the same.

        What apt has made of a file is void for it when the file's time is another.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        path = Path(self.directory) / name
        if path.is_file() and not path.is_symlink() and path.read_bytes() == content:
            return
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(content)

    def find(self, program: str, path: str) -> str | None:
        """Return where a program is."""
        return shutil.which(program, path=path)

    def run(self, argv: Sequence[str], environment: Mapping[str, str]) -> Completed:
        """Run a program to its end."""
        return run(argv, environment=environment, cwd=Path(self.directory))


@dataclass(frozen=True, slots=True, kw_only=True)
class AptSession:
    """A directory that apt works in. ``absent`` are sources that it goes on without, and why.

    ``environment`` is all that apt sees of the caller's. ``title`` is what the packages are of,
    such as Debian bookworm.
    """

    runner: AptRunner
    sources: tuple[AptSource, ...]
    absent: tuple[tuple[AptSource, str], ...]
    architecture: str
    environment: Mapping[str, str] = field(repr=False)  # a proxy may have a password
    title: str

    def run(self, program: str, *arguments: str) -> Completed:
        """Run one of apt's programs over this directory."""
        return self.runner.run([self.program(program), *arguments], self.environment)

    def program(self, name: str) -> str:
        """Return the path of one of apt's programs, or raise Unavailable."""
        path = self.has(name)
        if path is None:
            raise Unavailable(f"{name} is not installed", hint=_ELSEWHERE)
        return path

    def has(self, name: str) -> str | None:
        """Return the path of a program, if there is one."""
        return self.runner.find(name, self.environment["PATH"])

    def write(self, name: str, text: str) -> None:
        """Write a file of this directory, for its owner only."""
        self.runner.write(name, text.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class AptPlan:
    """What a session is to be for: packages of ``title``, from ``sources``.

    ``status`` is that of dpkg to begin with, so that apt reads its indexes together with it once.
    """

    sources: tuple[AptSource, ...]
    architecture: str  # Debian's name
    title: str
    status: str = field(default="", repr=False)


def prepare(runner: AptRunner, plan: AptPlan, environment: Mapping[str, str]) -> AptSession:
    """Lay out the directory of ``runner``; what apt has downloaded there stays.

    Raises Unavailable and ResolveError for what apt cannot work with.
    """
    _check_surroundings(runner.directory, plan)
    names = ("lists", "lists/partial", "archives", "archives/partial", "etc", "keys", "log", "tmp")
    runner.make(names)
    session = AptSession(
        runner=runner,
        sources=plan.sources,
        absent=(),
        architecture=plan.architecture,
        environment=_closed(runner.directory, environment),
        title=plan.title,
    )
    for program in _PROGRAMS:
        session.program(program)
    if not any(session.has(verifier) for verifier in _VERIFIERS):
        raise Unavailable("gpgv is not installed", hint="sudo apt-get install gpgv")
    _configure(session, plan)
    return session


def _configure(session: AptSession, plan: AptPlan) -> None:
    directory, architecture = session.runner.directory, session.architecture
    text = _CONFIGURATION.replace("DIR/", f"{directory}/").replace("ARCHITECTURE", architecture)
    session.write("apt.conf", text)
    session.write("status", plan.status)
    for empty in ("extended_states", "etc/preferences"):
        session.write(empty, "")
    for keys in {source.keys for source in session.sources if source.keys}:
        session.runner.write(_keyring(keys), keys)
    lines = (_line(each, architecture, directory) for each in session.sources)
    session.write("etc/sources.list", "".join(lines))


def has_apt(environment: Mapping[str, str]) -> bool:
    """Return whether this machine has an apt that can check signatures."""
    path = environment.get("PATH", _SYSTEM_PATH)
    there = {name for name in (*_PROGRAMS, *_VERIFIERS) if shutil.which(name, path=path)}
    return there.issuperset(_PROGRAMS) and not there.isdisjoint(_VERIFIERS)


def carried(plan: AptPlan) -> AptPlan:
    """Return ``plan`` with the keyrings of this machine in it, for apt in a container."""
    return replace(plan, sources=tuple(map(_with_keys, plan.sources)))


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


def _check_surroundings(directory: str, plan: AptPlan) -> None:
    if not directory.startswith("/") or re.search(r'["\x00-\x1f\x7f]', directory):
        raise Unavailable(f"apt cannot work in the directory {directory!r:.200}")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", plan.architecture):
        raise ResolveError(f"not an architecture of Debian's: {plan.architecture!r:.50}")
    for keyring in {source.signed_by for source in plan.sources if not source.keys}:
        if not os.access(keyring, os.R_OK):
            raise Unavailable(
                f"the keyring {keyring!r:.200} does not exist or may not be read",
                hint="export DS01_APT_KEYRING=FILE with the keys of the Debian archive",
            )


def _with_keys(source: AptSource) -> AptSource:
    if source.keys:
        return source
    try:
        return replace(source, keys=dearmored(Path(source.signed_by).read_bytes()))
    except (OSError, ValueError) as error:
        raise Unavailable(f"the keyring {source.signed_by!r:.200} cannot be used") from error


def _keyring(keys: bytes) -> str:
    return f"keys/{hashlib.sha256(keys).hexdigest()[:32]}.gpg"


def _closed(directory: str, environment: Mapping[str, str]) -> dict[str, str]:
    proxies = {name: environment.get(name) or environment.get(name.upper()) for name in _PROXIES}
    return {
        **{name: value for name, value in proxies.items() if value},
        "PATH": environment.get("PATH", _SYSTEM_PATH),
        "LC_ALL": "C",
        "HOME": "/nonexistent",
        "TMPDIR": f"{directory}/tmp",  # noqa: S108 (below a directory of the session's own)
        "APT_CONFIG": f"{directory}/apt.conf",
    }


def _line(source: AptSource, architecture: str, directory: str) -> str:
    keyring = f"{directory}/{_keyring(source.keys)}" if source.keys else source.signed_by
    options = [f"arch={architecture}", f"signed-by={keyring}"]
    options += [] if source.expires else ["check-valid-until=no"]
    uri = source.uri.replace("%", "%25")  # apt decodes the words of this file once
    words = (f"[{' '.join(options)}]", uri, source.suite, *source.components)
    return f"deb {' '.join(words)}\n"
