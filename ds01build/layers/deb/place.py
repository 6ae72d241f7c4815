"""Where a package's files go: Debian's own paths on a root with a merged /usr."""

from __future__ import annotations

import re

__all__ = ["ALIASES", "place"]

# /bin and its like are links into /usr (usr-is-merged), /var/run and /var/lock links into /run
# (base-files' postinst), whatever directories a package calls them.
ALIASES = {
    "bin": "usr/bin",
    "lib": "usr/lib",
    "lib32": "usr/lib32",
    "lib64": "usr/lib64",
    "libo32": "usr/libo32",
    "libx32": "usr/libx32",
    "sbin": "usr/sbin",
    "var/lock": "run/lock",
    "var/run": "run",
}
_ALIAS = re.compile(rf"({'|'.join(ALIASES)})(/.*)?")


def place(path: str) -> str:
    """Return where ``path`` lies, its own name included."""
    match = _ALIAS.fullmatch(path)
    return ALIASES[match[1]] + (match[2] or "") if match else path


def alias(path: str) -> str:
    """Return the alias that ``path`` is or passes through, empty for none."""
    match = _ALIAS.fullmatch(path)
    return match[1] if match else ""
