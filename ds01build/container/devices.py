"""Names of GPUs in labels and in what people ask for: UUIDs, and slots."""

from __future__ import annotations

import re

__all__ = ["MOST", "device_names"]

MOST = 64  # devices of one container; as many as a driver knows
# NVIDIA's GPUs and slices, the latter also as older drivers call them; AMD's, by their unique id or
# by their node; slots, as 0 or 0.1.
_NAME = re.compile(
    r"(?:GPU|MIG)-[0-9A-Za-z-]{1,80}(?:/[0-9]{1,2}/[0-9]{1,2})?"
    r"|/dev/dri/renderD[0-9]{1,4}"
    r"|[0-9]{1,3}(?:\.[0-9]{1,2})?"
)


def device_names(text: str) -> tuple[str, ...] | None:
    """Return the names in a list with commas, none of an empty one, each once.

    None for what is no such list, as a whole.
    """
    if not text:
        return ()
    names = text.split(",", MOST)
    if len(names) > MOST or not all(map(_NAME.fullmatch, names)):
        return None
    return tuple(dict.fromkeys(names))
