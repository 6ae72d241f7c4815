"""Finds an engine and says, where there is none, what to do about it."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shlex
import stat
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
import docker.tls
import requests

from ds01build.engine.address import addresses
from ds01build.engine.api import Engine, cause, shown
from ds01build.engine.unix import UnixConnection
from ds01build.errors import NoEngine, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from ds01build.engine.address import Address, Tls
    from ds01build.engine.api import Kind

__all__ = ["connect", "open_engine"]

_PATIENCE = 10  # seconds to the first answer
_SECONDS = 600  # of silence: an engine is quiet while it unpacks a layer of gigabytes
_SPOKEN = (1, 47)  # the newest API whose answers are known here; engines keep older ones
_OLDEST = (1, 41)  # of Docker 20.10 and Podman 4
_VERSION = re.compile(r"1\.[0-9]{1,3}")
_CONTAINERD = "io.containerd.snapshotter.v1"


def connect(environment: Mapping[str, str], home: Path) -> Engine:
    """Return the first engine that answers where ``addresses`` says one may be.

    Raises Unavailable that says why there is none, of the place that came nearest to one, which is
    NoEngine where no place is named and no socket is there.
    """
    failures: list[Unavailable] = []
    for address in addresses(environment, home):
        found = _tried(address)
        if isinstance(found, Engine):
            return found
        failures.append(found)
    raise next((each for each in failures if not isinstance(each, NoEngine)), failures[0])


def _tried(address: Address) -> Engine | Unavailable:
    try:
        return open_engine(address)
    except Unavailable as failure:
        return failure


def open_engine(address: Address) -> Engine:
    """Return the engine at ``address``. Raises Unavailable."""
    if address.socket is not None:
        _reach(address.socket, address)
    with (
        _introduction(address, _PATIENCE),
        closing(_client(address, _OLDEST, _PATIENCE)) as first,
    ):
        version: dict[str, Any] = first.version(api_version=False)
    with _introduction(address, _SECONDS):
        client = _client(address, _negotiated(version, address), _SECONDS)
        description: dict[str, Any] = client.info()
        return Engine(
            client=client,
            place=str(address),
            kind=_kind(version, description),
            version=str(version.get("Version") or ""),
            architecture=str(version.get("Arch") or ""),
        )


@contextmanager
def _introduction(address: Address, seconds: int) -> Iterator[None]:
    """Raise Unavailable for what does not answer in time, or otherwise than an engine would."""
    try:
        yield
    except docker.errors.APIError as error:
        said = shown(str(error.explanation or ""))
        raise _stranger(address, f"{error.status_code} {said:.80}".rstrip()) from error
    except requests.exceptions.Timeout as error:
        hint = address.way_out(is_missing=False)
        reason = f"nothing came within {seconds} seconds"
        raise Unavailable(address.unanswered(reason), hint=hint) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _stranger(address, "no JSON of the right form") from error
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        hint = address.way_out(is_missing=False)
        raise Unavailable(address.unanswered(cause(error)), hint=hint) from error


def _stranger(address: Address, answer: str) -> Unavailable:
    return Unavailable(
        f"what listens at {address} (from {address.origin}) is no engine: it answers {answer}",
        hint=address.remedy,
    )


def _reach(socket: Path, address: Address) -> None:
    """Connect once, because docker-py's errors hide what the system says."""
    connection = UnixConnection(socket, timeout=_PATIENCE)
    try:
        connection.connect()
    except PermissionError as error:
        raise Unavailable(
            f"no permission to use the engine's socket {socket} (from {address.origin})",
            hint=_admission(socket, address),
        ) from error
    except OSError as error:
        is_missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        reason = error.strerror or str(error)
        wrong = NoEngine if is_missing and not address.is_named else Unavailable
        hint = address.way_out(is_missing=is_missing)
        raise wrong(address.unanswered(reason), hint=hint) from error
    finally:
        connection.close()


def _admission(socket: Path, address: Address) -> str:
    """Say how a user gets at a socket that is closed to him."""
    try:
        status = socket.stat()
    except OSError:  # a directory on the way is closed, too
        return f"namei -l -- {shlex.quote(str(socket))}"
    owner = _named(lambda: pwd.getpwuid(status.st_uid).pw_name) or f"uid {status.st_uid}"
    group = _named(lambda: grp.getgrgid(status.st_gid).gr_name)
    is_for_group = status.st_gid != 0 and status.st_mode & stat.S_IWGRP
    if not group or not is_for_group or status.st_gid in (os.getegid(), *os.getgroups()):
        return f"only {owner} may use it: {address.another}"
    return (
        f"sudo usermod -aG {shlex.quote(group)} $USER, then log in again"
        f" (the group is as good as {owner})"
    )


def _named(look: Callable[[], str]) -> str:
    """Return a name of an account, empty where nobody knows it."""
    try:
        return look()
    except KeyError:
        return ""


def _client(address: Address, version: tuple[int, int], seconds: int) -> docker.APIClient:
    client = docker.APIClient(
        base_url=address.url,
        version=_text(version),
        timeout=seconds,
        tls=_tls(address.tls) if address.tls else False,
    )
    client.trust_env = False  # no proxy, and no password from .netrc, for an engine
    return client


def _tls(files: Tls) -> docker.tls.TLSConfig:
    pair = None
    if files.certificate is not None and files.private_key is not None:
        pair = (str(files.certificate), str(files.private_key))
    ca = str(files.ca) if files.ca is not None else None
    return docker.tls.TLSConfig(client_cert=pair, ca_cert=ca, verify=files.verify)


def _negotiated(version: Mapping[str, Any], address: Address) -> tuple[int, int]:
    """Return the newest API that both sides speak."""
    newest, least = _number(version.get("ApiVersion")), _number(version.get("MinAPIVersion"))
    if newest is None:
        raise _stranger(address, "no version")
    if newest < _OLDEST:
        raise Unavailable(
            f"the engine at {address} speaks API {_text(newest)}; ds01 needs {_text(_OLDEST)} or"
            " later, which is Docker 20.10"
        )
    return max(min(newest, _SPOKEN), least or _OLDEST)


def _number(text: object) -> tuple[int, int] | None:
    if not isinstance(text, str) or not _VERSION.fullmatch(text):
        return None
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def _kind(version: Mapping[str, Any], description: Mapping[str, Any]) -> Kind:
    components = version.get("Components") or ()
    if any(str(each.get("Name", "")).startswith("Podman") for each in components):
        return "podman"
    status = description.get("DriverStatus") or ()
    return "containerd" if any(_CONTAINERD in row for row in status) else "graph"
