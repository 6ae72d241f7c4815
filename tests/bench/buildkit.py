"""BuildKit in an engine, with what a build needs of this machine handed in as secrets."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MARK = "ds01-bench"  # in every command, so that what the builds leave can be found again
# At the start of every RUN that installs something.
ENTER = f": {MARK}; . /run/secrets/settings"
SECRETS = "--mount=type=secret,id=settings --mount=type=secret,id=ca"

_PASSED = re.compile(r"(PIP|UV)_\w+|(https?|all|no)_proxy", re.IGNORECASE)
_PATHS = re.compile(r"\w*(CERT|FIND_LINKS|CONFIG_FILE|CACHE_DIR|CONSTRAINT|PYTHON)\w*")  # here only
_RECORD = re.compile(r"^ID:\s+(\S+)$(?:\n.+)*?\nDescription:\s+(.*)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Builder:
    """An engine, the command of buildx, and a directory for secrets."""

    host: str  # as in DOCKER_HOST
    command: tuple[str, ...]
    secrets: Path

    def build(self, context: Path, tag: str, *options: str) -> float:
        """Build the Dockerfile in ``context``, which must succeed, and return the seconds."""
        handed = (f"--secret=id={name},src={self.secrets / name}" for name in ("settings", "ca"))
        command = [*self.command, "build", "--quiet", "--network=host", *handed, *options]
        start = time.perf_counter()
        self._run([*command, "--tag", tag, str(context)])
        return time.perf_counter() - start

    def pull(self, image: str) -> None:
        self._run(["docker", "pull", "--quiet", image])

    def run(self, image: str, *command: str) -> str:
        """Return what a command prints in a container without a network."""
        docker = ("docker", "run", "--rm", "--network=none", "--entrypoint=")
        return self._run([*docker, image, *command])

    def forget(self, *tags: str) -> None:
        """Remove the tags, and what builds with MARK have left in the cache."""
        for tag in tags:
            subprocess.run(
                ["docker", "--host", self.host, "rmi", "--force", tag],
                check=False,
                capture_output=True,
            )
        said = self._run([*self.command, "du", "--verbose"])
        for found in _RECORD.finditer(said):
            if MARK in found[2]:
                self._run([*self.command, "prune", "--force", f"--filter=id={found[1]}"])

    def _run(self, command: Sequence[str]) -> str:
        environment = {**os.environ, "DOCKER_HOST": self.host}
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}\n{done.stderr.decode(errors='replace')}")
        return done.stdout.decode()


def builder(host: str, directory: Path, plugins: Sequence[Path] = ()) -> Builder:
    """Return a builder for the engine at ``host``; secrets are written into ``directory``.

    Raises LookupError where docker has no buildx, and none of ``plugins`` is there.
    """
    write_secrets(directory, os.environ)
    if _works(("docker", "buildx")):
        return Builder(host=host, command=("docker", "buildx"), secrets=directory)
    for plugin in plugins:
        if _works((str(plugin),)):
            return Builder(host=host, command=(str(plugin),), secrets=directory)
    raise LookupError("there is no docker buildx")


def write_secrets(directory: Path, environment: Mapping[str, str]) -> None:
    """Write the shell settings, and the certificates, with which builds reach the packages."""
    lines = [
        f"export {name}={_quoted(value)}\n"
        for name, value in sorted(environment.items())
        if _PASSED.fullmatch(name) and not _PATHS.fullmatch(name)
    ]
    own = environment.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    names = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
    lines += [f"export {name}=/run/secrets/ca\n" for name in names]
    directory.mkdir(mode=0o700, exist_ok=True)
    (directory / "settings").write_text("".join(lines), encoding="utf-8")
    (directory / "settings").chmod(0o600)
    shutil.copyfile(own, directory / "ca")


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


def _works(command: Sequence[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run([*command, "version"], check=False, capture_output=True).returncode == 0
