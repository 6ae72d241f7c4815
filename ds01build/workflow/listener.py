"""Runs in a container, by its own Python: says who listens on a port, and whom that answers.

``python3 -I -c SOURCE look|stop PORT TOKEN-FILE`` prints one JSON object. Python 3.8 has to read
this. The token is sent to nobody but a process of this container and user.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

LISTENS = "0A"  # proc_pid_net(5): TCP_LISTEN
# 127.0.0.1 and any address, as the kernel prints them on little-endian machines; IPv6's of both.
ADDRESSES = (
    "0100007F",
    "00000000",
    "0" * 32,
    "0000000000000000FFFF00000100007F",
)
SECONDS = 3  # for an answer
PATIENCE = 10  # seconds until a server that was asked to end is killed


def listeners(port: int) -> dict[str, int]:
    """Return who listens on a port of this machine: uids, by the sockets' inodes."""
    found = {}
    for table in ("tcp", "tcp6"):
        rows: list[str] = []
        with suppress(OSError):
            rows = Path("/proc/net", table).read_text().splitlines()[1:]
        for row in rows:
            fields = row.split()
            address, _, number = fields[1].partition(":")
            if fields[3] == LISTENS and address in ADDRESSES and int(number, 16) == port:
                found[fields[9]] = int(fields[7])
    return found


def holder(inodes: dict[str, int]) -> int:
    """Return the process of this container and user that has one of the sockets, 0 for none."""
    sockets = {f"socket:[{inode}]" for inode in inodes}
    for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        with suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with suppress(OSError):
                    if os.readlink(descriptor) in sockets:  # noqa: PTH115 (not in 3.8)
                        return int(process.name)
    return 0


def status(port: int, token: str) -> int:
    """Return how a server answers whom it should know, 0 where it does not answer in time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    headers = {"Authorization": "token " + token} if token else {}
    try:
        connection.request("GET", "/api/status", headers=headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def is_jupyter(process: int) -> bool:
    """Say whether a process is one of Jupyter's, as far as its command line tells."""
    words: list[bytes] = []
    with suppress(OSError):
        words = Path("/proc", str(process), "cmdline").read_bytes().split(b"\0")
    return any(word.rpartition(b"/")[2].startswith(b"jupyter") for word in words)


def end(process: int) -> None:
    """Ask a process to end, kill it where that takes long, and wait until it has gone."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGTERM)
        for _ in range(PATIENCE * 10):
            time.sleep(0.1)
            os.kill(process, 0)
        os.kill(process, signal.SIGKILL)


def look(port: int, token: Path) -> dict[str, object]:
    """Return what there is on a port, without and with the token of a file."""
    held = listeners(port)
    process = holder(held) if held else 0
    mine = bool(process) and is_jupyter(process)
    secret = ""
    with suppress(OSError):
        secret = token.read_text().strip()
    return {
        "uids": sorted(set(held.values())),
        "process": process,
        "is_jupyter": mine,
        "stranger": status(port, "") if mine else 0,
        "owner": status(port, secret) if mine and secret else 0,
    }


def main(action: str, port: str, token: str) -> None:
    """Print what there is on a port, having ended it first if that is asked for."""
    found = look(int(port), Path(token))
    if action == "stop" and found["is_jupyter"]:
        end(int(str(found["process"])))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
