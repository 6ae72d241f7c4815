"""Which process something in an engine belongs to, so that what dead ones left can be removed."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["Owner", "current"]

_PROC = Path("/proc")
_TEXT = re.compile(r"([0-9]{1,10})/([0-9a-f-]{1,64})/([0-9]{1,20})/([0-9]{1,10})/([0-9]{1,20})")
_STARTED = 19  # after the name in parentheses: field 22 of proc(5)


class Owner(NamedTuple):
    """A process that no other one can be taken for."""

    uid: int
    boot: str  # of the kernel: /proc/sys/kernel/random/boot_id
    namespace: int  # the inode of the PID namespace
    pid: int
    started: int  # in ticks since boot

    def __str__(self) -> str:
        return "/".join(map(str, self))

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """Return the owner that a label names, None where it names none."""
        match = _TEXT.fullmatch(text)
        if match is None:
            return None
        uid, boot, namespace, pid, started = match.groups()
        return cls(int(uid), boot, int(namespace), int(pid), int(started))

    @property
    def is_visible(self) -> bool:
        """Whether this process would see that one: same boot, same namespace of processes."""
        return (self.boot, self.namespace) == (_boot(), _namespace())

    @property
    def is_alive(self) -> bool:
        """Whether that process is there; means nothing for one that is not visible."""
        return _started(self.pid) == self.started

    @property
    def may_live(self) -> bool:
        """Whether that process may still be at work, as far as this one can see."""
        if self.boot != _boot():
            return False
        return self.is_alive if self.is_visible else True


def current() -> Owner:
    """Return this process."""
    pid = os.getpid()
    return Owner(
        uid=os.geteuid(),
        boot=_boot(),
        namespace=_namespace(),
        pid=pid,
        started=_started(pid),
    )


def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def _namespace() -> int:
    return (_PROC / "self/ns/pid").stat().st_ino


def _started(pid: int) -> int:
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return -1
    return int(fields[_STARTED])
