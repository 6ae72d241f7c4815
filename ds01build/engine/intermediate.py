"""Images that hold layers in an engine until the real one is complete, and who may remove them.

They have no name but a label that says which process made them. That process removes them; when it
died first, the next one of the same user does.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.digest import canonical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.engine.api import Engine
    from ds01build.layer import Layer

__all__ = ["LABEL", "Builder", "config", "is_alive", "remove_intermediates", "this_builder"]

LABEL = "ds01.intermediate"
_PROC = Path("/proc")
_WRITTEN = re.compile(
    r"(?P<uid>[0-9]{1,10})/(?P<boot>[0-9a-f-]{1,64})/(?P<namespace>[0-9]{1,20})/"
    r"(?P<pid>[0-9]{1,10})/(?P<began>[0-9]{1,20})/(?P<lease>[0-9a-f]{16})"
)
_BEGAN = 19  # the place of starttime after the command's name in /proc/PID/stat (proc_pid_stat(5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """A process, told from all others: of other boots, of other containers, with the same pid."""

    uid: int
    boot: str
    namespace: int  # of process ids, by inode
    pid: int
    began: int  # clock ticks after the boot
    lease: str = field(default_factory=lambda: secrets.token_hex(8))  # two loads of one process

    def __str__(self) -> str:
        words = (self.uid, self.boot, self.namespace, self.pid, self.began, self.lease)
        return "/".join(map(str, words))

    @classmethod
    def parse(cls, text: str) -> Builder | None:
        """Return the builder that a label names, None where it names none."""
        found = _WRITTEN.fullmatch(text)
        if found is None:
            return None
        numbers = {name: int(found[name]) for name in ("uid", "namespace", "pid", "began")}
        return cls(boot=found["boot"], lease=found["lease"], **numbers)


def this_builder() -> Builder:
    """Return this process as a builder, with a lease of its own."""
    return Builder(
        uid=os.geteuid(),
        boot=_boot(),
        namespace=_namespace(),
        pid=os.getpid(),
        began=_began(os.getpid()) or 0,
    )


def is_alive(builder: Builder) -> bool:
    """Say whether a builder may still be at work, as far as this process can see."""
    if builder.boot != _boot():
        return False
    if builder.namespace != _namespace():
        return True  # in a container, or this is in one: its processes can't be seen
    return _began(builder.pid) == builder.began


def config(layers: Sequence[Layer], builder: Builder, architecture: str) -> bytes:
    """Return the configuration of an intermediate image of ``builder``."""
    return canonical(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Labels": {LABEL: str(builder)}},
            "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in layers]},
        }
    )


def remove_intermediates(engine: Engine, uid: int) -> int:
    """Remove what dead builders of the user ``uid`` left in ``engine``, and return how many.

    A layer that another build counted on meanwhile is sent again by that build.
    """
    removed = 0
    for image in engine.images(LABEL):
        builder = Builder.parse(image.labels.get(LABEL, ""))
        if builder is not None and builder.uid == uid and not is_alive(builder):
            removed += engine.remove(str(image.engine_id))
    return removed


def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def _namespace() -> int:
    return (_PROC / "self/ns/pid").stat().st_ino


def _began(pid: int) -> int | None:
    """Return when a process began, None where there is none."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The name stands in parentheses, and may hold some itself.
    return int(text.rpartition(")")[2].split()[_BEGAN])
