"""A registry on the loopback interface, and stand-ins in it."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from images import succeed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from standins.layout import Layout

_PATIENCE = 30  # seconds
_CONFIGURATION = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: "{directory}"}}
  delete: {{enabled: true}}
http: {{addr: "{address}"}}
"""


@dataclass(frozen=True)
class Registry:
    """Where it listens, such as 127.0.0.1:5555."""

    address: str

    def push(self, layout: Layout, *, repository: str = "standin", tag: str = "latest") -> str:
        """Push the image of ``layout`` and return its reference."""
        reference = f"{self.address}/{repository}/{layout.name}:{tag}"
        source = f"oci:{layout.directory}:{layout.name}"
        succeed(
            *("skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"),
            *(source, f"docker://{reference}"),
        )
        return reference

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.address}/v2/", timeout=5) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def running(directory: Path, port: int = 0) -> Iterator[Registry]:
    """Run Debian's docker-registry with its files in ``directory`` until the block ends.

    It ends with this process, too, in whatever way that ends.
    """
    directory.mkdir(parents=True, exist_ok=True)
    registry = Registry(f"127.0.0.1:{port or _free_port()}")
    configuration = directory / "config.yml"
    storage = directory / "storage"
    configuration.write_text(
        _CONFIGURATION.format(directory=storage, address=registry.address), encoding="utf-8"
    )
    with (directory / "log").open("w") as log:
        serve = ("docker-registry", "serve", configuration)
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *serve], stdout=log, stderr=log
        )
    try:
        _wait(registry, process, directory / "log")
        yield registry
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _wait(registry: Registry, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while not registry.answers():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"docker-registry did not start: {log.read_text()}")
        time.sleep(0.05)
