"""Images that hold layers in an engine until the real one is complete, and who may remove them.

They have no name but a label that says which process made them. That process removes them; when it
died first, the next one of the same user does.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ds01build.digest import canonical
from ds01build.engine.owner import Owner, current

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ds01build.engine.api import Engine, Row
    from ds01build.layer import Layer

__all__ = ["LABEL", "Builder", "abandoned", "config", "remove_intermediates", "this_builder"]

LABEL = "ds01.intermediate"
_LEASE = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """One load of a process: it may have several at once."""

    owner: Owner
    lease: str = field(default_factory=lambda: secrets.token_hex(8))

    def __str__(self) -> str:
        return f"{self.owner}/{self.lease}"

    @classmethod
    def parse(cls, text: str) -> Builder | None:
        """Return the builder that a label names, None where it names none."""
        owner, _, lease = text.rpartition("/")
        found = Owner.parse(owner)
        if found is None or not _LEASE.fullmatch(lease):
            return None
        return cls(owner=found, lease=lease)


def this_builder() -> Builder:
    """Return this process as a builder, with a lease of its own."""
    return Builder(owner=current())


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


def remove_intermediates(engine: Engine, uid: int, rows: Iterable[Row] | None = None) -> int:
    """Remove what dead builders of the user ``uid`` left in ``engine``, and return how many.

    ``rows`` are its images, if the caller asked already. A layer that another build counted on
    meanwhile is sent again by that build.
    """
    return sum(map(engine.remove, abandoned(engine, uid, rows)))


def abandoned(engine: Engine, uid: int, rows: Iterable[Row] | None = None) -> Iterator[str]:
    """Yield what ``engine`` calls the images that dead builders of the user ``uid`` left there.

    ``rows`` are its images, if the caller asked already.
    """
    for row in engine.rows(LABEL) if rows is None else rows:
        builder = Builder.parse(row.labels.get(LABEL, ""))
        if builder and builder.owner.uid == uid and not builder.owner.may_live:
            yield str(row.engine_id)
