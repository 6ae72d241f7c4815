"""Names of images that no registry can have, for builders that would ask one for what is missing.

A builder that is told ``FROM NAME`` and finds no such image asks the registry in the name, the
public one where there is none: who owns the name there would decide what is built. These name port
0 of the loopback interface, where nothing can listen. They also say which process made them: that
one removes them, and when it died first, the next one of the same user does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.engine.intermediate import Builder

if TYPE_CHECKING:
    from ds01build.digest import Key
    from ds01build.engine.api import Engine

__all__ = ["alias", "remove_aliases"]

_NOWHERE = "127.0.0.1:0/ds01/"


def alias(builder: Builder, key: Key) -> str:
    """Return what ``builder`` calls the image of a stage."""
    return f"{_NOWHERE}{builder}:{key.hex}"


def remove_aliases(engine: Engine, uid: int) -> int:
    """Remove the names that dead builders of the user ``uid`` left, and return how many."""
    removed = 0
    for image in engine.images():
        for tag in image.tags:
            builder = Builder.parse(tag.removeprefix(_NOWHERE).rpartition(":")[0])
            if builder and builder.owner.uid == uid and not builder.owner.may_live:
                removed += engine.remove(tag)
    return removed
