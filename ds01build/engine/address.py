"""Where an engine listens: DOCKER_HOST, the current context, the sockets that engines make.

Nothing is asked here, and docker is not imported: the build that changes nothing uses this too.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Address", "Tls", "addresses"]

_LIMIT = 1 << 20  # bytes of a file of Docker's configuration
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.+-]{0,254}")
_UNIX = re.compile(r"unix://(?P<path>/[^\x00-\x1f\x7f]{1,4000})")
_TCP = re.compile(r"(?:tcp|https?)://(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):(?P<port>[0-9]{1,5})/?")
_LAST_PORT = 65535
_REMEDIES = {"DOCKER_HOST": "unset DOCKER_HOST", "the default socket": "systemctl restart docker"}
_START = "systemctl start docker"
_USUAL = ("/var/run/docker.sock", "/run/docker.sock")  # of the engine that systemctl starts
_SSH = re.compile(r"ssh://[A-Za-z0-9._@:/-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The PEM files of a TLS connection. Without ``ca``, the system's authorities count."""

    ca: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where an engine may listen, as Docker writes it (unix:///PATH, tcp://HOST:PORT)."""

    url: str
    origin: str  # what names it, for messages: DOCKER_HOST, context NAME
    tls: Tls | None = None
    is_named: bool = True  # False where an engine of a usual machine would listen

    @property
    def socket(self) -> Path | None:
        """The path of a unix socket; None for another transport."""
        match = _UNIX.fullmatch(self.url)
        return Path(match["path"]) if match else None

    def __str__(self) -> str:
        return str(self.socket or self.url)

    def unanswered(self, reason: str) -> str:
        """Say that no engine answers here, and why."""
        return f"no engine answers at {self} (from {self.origin}): {reason}"

    @property
    def another(self) -> str:
        """What leads to another engine than the one here."""
        if not self.is_named:
            return "set DOCKER_HOST, or: docker context use NAME"
        if self.origin == "DOCKER_HOST":
            return "unset DOCKER_HOST, or name another: export DOCKER_HOST=unix:///PATH"
        return "name another of: docker context ls"

    def way_out(self, *, is_missing: bool) -> str:
        """Say what to do where no engine answers; ``is_missing`` where there is no such socket."""
        if not self.is_named:
            return f"{_START}, or {self.another}"
        if str(self.socket) in _USUAL:
            return f"{_START}, or: {self.another}"
        if is_missing:
            return f"{self.origin} names a socket that is not there: {self.another}"
        return f"start the engine there, or: {self.another}"

    @property
    def remedy(self) -> str:
        """The command that gets away from here where something else than an engine answers."""
        return _REMEDIES.get(self.origin, "docker context ls")


def addresses(environment: Mapping[str, str], home: Path) -> tuple[Address, ...]:
    """Return where to look for an engine, in order.

    That is one place where DOCKER_HOST or a context names it; otherwise Docker's own sockets, and
    Podman's last. A context is what the docker command would take: DOCKER_CONTEXT, else the
    current one of its configuration. Raises Unavailable for a place that cannot be used, and
    Ds01Error for a configuration that is not what Docker writes.
    """
    configuration = Path(environment.get("DOCKER_CONFIG") or home / ".docker")
    host = environment.get("DOCKER_HOST", "")
    if host:
        return (_address(host, "DOCKER_HOST", _default_tls(environment, configuration)),)
    context = environment.get("DOCKER_CONTEXT") or _current_context(configuration)
    if context and context != "default":
        return (_of_context(context, configuration),)
    return tuple(
        Address(url=f"unix://{path}", origin="the default socket", is_named=False)
        for path in _sockets(environment)
    )


def _sockets(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the sockets of engines: a rootless one lies in the user's runtime directory."""
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    own = (Path(runtime),) if runtime.startswith("/") else ()
    return (
        Path("/var/run/docker.sock"),
        *(each / "docker.sock" for each in own),
        *(each / "podman/podman.sock" for each in own),
        Path("/run/podman/podman.sock"),
    )


def _address(url: str, origin: str, tls: Tls | None) -> Address:
    if _UNIX.fullmatch(url):
        return Address(url=url, origin=origin)
    match = _TCP.fullmatch(url)
    if match and 0 < int(match["port"]) <= _LAST_PORT:
        return Address(url=url, origin=origin, tls=tls)
    if _SSH.fullmatch(url):
        raise Unavailable(
            f"{origin} names a place behind ssh, which ds01 does not speak",
            hint="ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST &"
            " export DOCKER_HOST=unix:///tmp/docker.sock",
        )
    shown = f"{url!r:.200}" if "@" not in url else "something with a user's name"
    raise Unavailable(
        f"{origin} is {shown}: neither unix:///PATH nor tcp://HOST:PORT",
        hint=_REMEDIES.get(origin, "docker context ls"),
    )


def _default_tls(environment: Mapping[str, str], configuration: Path) -> Tls | None:
    """Return what DOCKER_TLS_VERIFY and DOCKER_CERT_PATH ask for."""
    if not (environment.get("DOCKER_TLS_VERIFY") or environment.get("DOCKER_TLS")):
        return None
    directory = Path(environment.get("DOCKER_CERT_PATH") or configuration)
    return _tls(directory, verify=bool(environment.get("DOCKER_TLS_VERIFY")))


def _tls(directory: Path, *, verify: bool) -> Tls:
    files = {name: directory / f"{name}.pem" for name in ("ca", "cert", "key")}
    there = {name: path for name, path in files.items() if path.is_file()}
    return Tls(
        ca=there.get("ca"),
        certificate=there.get("cert") if "key" in there else None,
        private_key=there.get("key") if "cert" in there else None,
        verify=verify,
    )


def _current_context(configuration: Path) -> str:
    value = _document(configuration / "config.json").get("currentContext", "")
    if not isinstance(value, str):
        raise Ds01Error(f"{configuration / 'config.json'}: currentContext is not a string")
    return value


def _of_context(name: str, configuration: Path) -> Address:
    """Return the endpoint of a context: a directory called by the sha256 of its name."""
    if not _NAME.fullmatch(name):
        raise Unavailable(f"{name!r:.200} is not the name of a context", hint="docker context ls")
    place = hashlib.sha256(name.encode()).hexdigest()
    meta = configuration / "contexts/meta" / place / "meta.json"
    if not meta.exists():
        raise Unavailable(f"there is no context {name}", hint="docker context ls")
    endpoint: object = _document(meta).get("Endpoints")
    endpoint = endpoint.get("docker") if isinstance(endpoint, dict) else None
    host = endpoint.get("Host") if isinstance(endpoint, dict) else None
    if not isinstance(endpoint, dict) or not isinstance(host, str):
        raise Ds01Error(f"{meta}: Endpoints.docker.Host is missing", hint="docker context ls")
    folder = configuration / "contexts/tls" / place / "docker"
    tls = _tls(folder, verify=not endpoint.get("SkipTLSVerify")) if folder.is_dir() else None
    return _address(host, f"context {name}", tls)


def _document(path: Path) -> dict[str, object]:
    """Return the object in a file of Docker's, empty where there is no such file."""
    try:
        with path.open("rb") as file:
            text = file.read(_LIMIT + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Ds01Error(f"{path} cannot be read: {error.strerror}") from error
    try:
        document: object = json.loads(text) if len(text) <= _LIMIT else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Ds01Error(f"{path} is not a JSON object that Docker writes")
    return document
