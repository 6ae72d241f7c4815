"""The configuration that an image inherits from its base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.base.config import BaseConfig, parse_config
from ds01build.digest import Digest
from ds01build.errors import MismatchError
from ds01build.lock import LockedDebian

if TYPE_CHECKING:
    from ds01build.lock import LockedBase
    from ds01build.workflow.steps import Edges

__all__ = ["base_config"]

# A shell that works, and text in UTF-8; the recipe's own settings win.
_DEBIAN = BaseConfig(
    digest=Digest.of(b""),
    architecture="",
    os="linux",
    diff_ids=(),
    environment=(
        ("LANG", "C.UTF-8"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ),
    cmd=("/bin/bash",),
)


def base_config(base: LockedBase, edges: Edges) -> BaseConfig:
    """Return what a locked base says of its containers.

    Raises as ``bases.config`` does, and MismatchError where it is that of other layers.
    """
    if isinstance(base, LockedDebian):
        return _DEBIAN
    config = parse_config(edges.bases.config(base))
    locked = tuple(layer.diff_id for layer in base.layers)
    if (config.diff_ids, config.architecture) != (locked, base.architecture):
        raise MismatchError(
            where=f"the locked layers of {base.reference}",
            expected=f"those of the configuration {config.digest}",
            actual="others",
            hint="remove the lock, then: ds01 lock RECIPE",
        )
    return config
