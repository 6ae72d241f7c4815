"""Who a user is to a registry: Docker's and Podman's credential files, and credential helpers."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.errors import RejectedFile, Unavailable
from ds01build.process import run
from ds01build.reference import DEFAULT_REGISTRY
from ds01build.registry.document import limited, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ds01build.registry.document import Table

__all__ = ["Keyring", "Login", "credential_files"]

_LIMIT = 1024 * 1024  # bytes of a credential file
_SECONDS = 60  # a helper may ask its user
_HELPER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_HUB = f"https://index.{DEFAULT_REGISTRY}/v1/"  # by which Docker files its own registry
_TOKEN_USER = "<token>"  # noqa: S105  (what a helper says in place of a user)
_NOT_FOUND = "credentials not found"  # docker-credential-helpers' message, by which clients know


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user's password, or an identity token that stands for both."""

    user: str = ""
    password: str = field(default="", repr=False)
    identity: str = field(default="", repr=False)


def credential_files(environment: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """Return where Docker and Podman keep credentials, in the order in which they are asked."""
    docker = Path(environment.get("DOCKER_CONFIG") or home / ".docker")
    configuration = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    named = [environment["REGISTRY_AUTH_FILE"]] if environment.get("REGISTRY_AUTH_FILE") else []
    runtime = [environment["XDG_RUNTIME_DIR"]] if environment.get("XDG_RUNTIME_DIR") else []
    return (
        *map(Path, named),
        docker / "config.json",
        *(Path(directory) / "containers/auth.json" for directory in runtime),
        configuration / "containers/auth.json",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """Credential files, the first first; a file that is not there is passed over.

    ``environment`` is what credential helpers see.
    """

    files: tuple[Path, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def of(self, registry: str, repository: str) -> Login | None:
        """Return the login for a repository, None where no file has one.

        Raises RejectedFile for a file that is damaged, Unavailable for a helper that fails.
        """
        for path in self.files:
            table = _file(path)
            login = self._login(table, registry, repository) if table is not None else None
            if login is not None:
                return login
        return None

    def _login(self, table: Table, registry: str, repository: str) -> Login | None:
        """Ask the registry's own helper, else what the file holds, else the helper for all."""
        names = list(_names(registry, repository))
        helpers = table.table("credHelpers")
        helper = next(filter(None, map(helpers.text, names)), "")
        if helper:
            return self._ask(helper, registry, table.name)
        stored = _stored(table.table("auths"), names)
        store = table.text("credsStore")
        return stored or (self._ask(store, registry, table.name) if store else None)

    def _ask(self, helper: str, registry: str, source: str) -> Login | None:
        if not _HELPER.fullmatch(helper):
            raise RejectedFile(name=source, problem="names a credential helper that cannot be one")
        program = f"docker-credential-{helper}"
        server = _HUB if registry == DEFAULT_REGISTRY else registry
        done = run(
            [program, "get"],
            environment=self.environment,
            cwd=Path("/"),
            seconds=_SECONDS,
            input=server.encode(),
        )
        if done.code != 0:
            if _NOT_FOUND in done.stdout:
                return None
            raise Unavailable(f"{program} failed with exit code {done.code}")
        answer = parse(done.stdout.encode(), f"what {program} printed")
        user, secret = answer.text("Username"), answer.text("Secret")
        if user == _TOKEN_USER:
            return Login(identity=secret)
        return Login(user=user, password=secret) if secret else None


def _names(registry: str, repository: str) -> Iterator[str]:
    """Yield the keys that may stand for a repository, the most particular first."""
    parts = repository.split("/")
    for length in range(len(parts), 0, -1):
        yield "/".join((registry, *parts[:length]))
    yield from (registry, f"https://{registry}", f"http://{registry}")
    if registry == DEFAULT_REGISTRY:
        yield from (_HUB, f"index.{registry}", f"registry-1.{registry}")


def _stored(auths: Table, names: list[str]) -> Login | None:
    # Docker once wrote whole URLs: https://registry.example.org/v2/.
    kept = {re.sub(r"(?<=[^/])/(?:v[12]/?)?\Z", "", key): key for key in auths.values}
    for name in names:
        key = name if name in auths.values else kept.get(name)
        login = _of_entry(auths.table(key)) if key else None
        if login is not None:
            return login
    return None


def _of_entry(entry: Table) -> Login | None:
    """Return what an entry of ``auths`` holds; that of a credential store is empty."""
    identity = entry.text("identitytoken")
    if identity:
        return Login(identity=identity)
    encoded = entry.text("auth")
    if not encoded:
        user, password = entry.text("username"), entry.text("password")
        return Login(user=user, password=password) if password else None
    try:
        plain = base64.b64decode(encoded, validate=True).decode().rstrip("\0")
    except (binascii.Error, UnicodeDecodeError):
        plain = ""
    user, colon, password = plain.partition(":")
    if not colon:
        raise RejectedFile(name=entry.name, problem="an auth that is not USER:PASSWORD in base64")
    return Login(user=user, password=password)


def _file(path: Path) -> Table | None:
    try:
        with path.open("rb") as file:
            content = limited([file.read(_LIMIT + 1)], _LIMIT, str(path))
    except OSError:
        return None  # not there, or not for this user
    return parse(content, str(path)) if content.strip() else None
