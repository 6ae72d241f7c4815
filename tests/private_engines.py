"""Engines for one test alone, which it may fill or kill: their data lies in memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from engines import place
from images import require

from ds01build.engine.connect import connect
from ds01build.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ds01build.engine.api import Engine

# Its mounts lie in a namespace of their own and go with its last process.
_START = """
enter=
if [ "$1" != / ]; then
    mount --bind "$1" "$1"
    for each in proc sys dev; do mount --rbind "/$each" "$1/$each"; done
    enter="chroot $1"
fi
mount -t tmpfs tmpfs "$1/run"
mount -t tmpfs -o "size=$2" tmpfs "$1/var/lib/docker"
printf %s "$3" >"$1/run/daemon.json"
if [ "$5" = remapped ]; then
    echo nobody:200000:65536 >"$1/run/ranges"
    for each in subuid subgid; do mount --bind "$1/run/ranges" "$1/etc/$each"; done
fi
exec $enter dockerd --config-file /run/daemon.json --host "unix://$4"
"""
_PLAIN = '{"bridge": "none", "iptables": false, "ip6tables": false%s}'
_FEATURES = {
    "graph": "",
    "containerd": ', "features": {"containerd-snapshotter": true}',
    "remapped": ', "userns-remap": "nobody:nogroup"',  # uid 0 of a container is 200000 outside
}
_ROOTLESS = 12345  # a uid that nobody has
_SECONDS = 60


@contextmanager
def private(
    kind: str, directory: Path, size: str = "64m"
) -> Iterator[tuple[Engine, subprocess.Popen[bytes]]]:
    """Yield an engine of that kind with room for ``size``, and its process."""
    require("dockerd", "unshare", root=True)
    root = _root(kind)
    is_here = root == Path("/")
    socket = directory / "engine.sock" if is_here else root / f"socket/{directory.name}"
    inside = str(socket) if is_here else f"/socket/{directory.name}"
    shell = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", _START, "sh"]
    words = [*shell, str(root), size, _PLAIN % _FEATURES[kind], inside, kind]
    with _serving(words, socket, directory) as found:
        yield found


@contextmanager
def rootless() -> Iterator[Engine]:
    """Yield Podman as a user without privileges runs it, and without ranges of other uids."""
    require("podman", "setpriv", root=True)
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        os.chown(directory, _ROOTLESS, _ROOTLESS)
        user = ["setpriv", f"--reuid={_ROOTLESS}", f"--regid={_ROOTLESS}", "--clear-groups"]
        stores = ["--storage-driver=vfs", f"--root={made}/root", f"--runroot={made}/run"]
        socket = directory / "engine.sock"
        words = [*user, "podman", *stores, "system", "service", "--time=0", f"unix://{socket}"]
        own = {"PATH": os.environ["PATH"], "HOME": made, "XDG_RUNTIME_DIR": made}
        with _serving(words, socket, directory, own) as (engine, _process):
            yield engine


@contextmanager
def _serving(
    words: Sequence[str],
    socket: Path,
    directory: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[tuple[Engine, subprocess.Popen[bytes]]]:
    """Yield the engine that a command starts at a socket, and its process, which ends with it."""
    with (
        (directory / "engine.log").open("wb") as log,
        subprocess.Popen(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        try:
            engine = _answering(socket, process, directory)
            yield engine, process
            engine.close()
        finally:
            process.terminate()
            process.wait()
            socket.unlink(missing_ok=True)


def _root(kind: str) -> Path:
    """Return the root file system in which the dockerd of that kind lies."""
    if kind != "containerd":
        return Path("/")
    root = Path(place(kind).removeprefix("unix://")).parent.parent
    if not (root / "usr/sbin/dockerd").exists():
        pytest.skip(f"{root} has no dockerd (.ci/engine {kind} makes one)")
    return root


def _answering(socket: Path, process: subprocess.Popen[bytes], directory: Path) -> Engine:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(Unavailable):
            return connect({"DOCKER_HOST": f"unix://{socket}"}, directory)
        time.sleep(0.2)
    last = (directory / "engine.log").read_text(errors="replace").splitlines()[-3:]
    pytest.skip(f"an engine of one's own does not start here: {' / '.join(last)}")
