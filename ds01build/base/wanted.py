"""Which files' contents facts are made of, how large they may be, and what is kept of each."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["MAX_KEPT", "Want", "excerpt", "wanted"]

_KIB = 1 << 10
_MIB = 1 << 20

MAX_KEPT = 512 * _MIB  # bytes of excerpts of one image


class Want(NamedTuple):
    """How much is read of a file, and the parts that are kept; without a pattern, all of it.

    A larger file counts as unreadable, and is an error where facts need it.
    """

    limit: int  # bytes
    pattern: re.Pattern[bytes] | None = None


_HEADERS = re.compile(rb"\A(?:[^\r\n]+(?:\r?\n|\Z))*")
_SITE_LISTED = re.compile(rb"^/.*/(?:dist|site)-packages/[^/\n]+\.(?:dist|egg)-info$", re.MULTILINE)
# What Debian makes the default; a scheme's name alone stands in copies of it that do not use it.
_LAYOUTS = re.compile(rb"prefix_scheme = ['\"]posix_local['\"]")
_GLIBC = re.compile(rb"GNU C Library [ -~]{0,200}? version [0-9]+\.[0-9]+")
# The literal PY_VERSION, as the end of a C string. It is looked behind only where "3." was found.
_CPYTHON = re.compile(rb"3\.(?<![0-9.]3\.)[0-9]{1,2}\.[0-9]{1,2}(?:(?:a|b|rc)[0-9]{1,2})?\+?(?=\0)")

# Python's names in any prefix; Debian's, apt's and the C library's at their one place.
_WANTS = (
    (r"(?:.+/)?[^/]+\.dist-info/METADATA", Want(16 * _MIB, _HEADERS)),
    (r"(?:.+/)?[^/]+\.dist-info/RECORD", Want(64 * _MIB)),
    (r"(?:.+/)?[^/]+\.egg-info(?:/PKG-INFO)?", Want(16 * _MIB, _HEADERS)),
    (r"(?:.+/)?pyvenv\.cfg", Want(64 * _KIB)),
    (r"(?:.+/)?include/python3\.[0-9]+t?/patchlevel\.h", Want(64 * _KIB)),
    (r"(?:.+/)?lib/python3\.[0-9]+t?/sysconfig(?:/__init__)?\.py", Want(_MIB, _LAYOUTS)),
    (r"(?:.+/)?bin/python(?:3(?:\.[0-9]+t?)?)?", Want(256 * _MIB, _CPYTHON)),
    (r"(?:.+/)?libpython3\.[0-9]+t?\.so(?:\.[0-9.]+)?", Want(256 * _MIB, _CPYTHON)),
    (
        r"(?:usr/)?lib(?:32|64)?/(?:[a-z0-9_-]+/)?(?:libc\.so\.6|libc-2\.[0-9]+\.so)",
        Want(64 * _MIB, _GLIBC),
    ),
    (r"(?:etc|usr/lib)/os-release", Want(64 * _KIB)),
    (r"etc/(?:passwd|group)", Want(4 * _MIB)),
    (r"var/lib/dpkg/status", Want(64 * _MIB)),
    (r"var/lib/apt/extended_states", Want(16 * _MIB)),
    (r"var/lib/dpkg/status\.d/[^/]+(?<!\.md5sums)", Want(_MIB)),
    (r"var/lib/dpkg/info/[^/]+\.list", Want(64 * _MIB, _SITE_LISTED)),
    (r"etc/apt/(?:sources\.list|preferences|trusted\.gpg)", Want(4 * _MIB)),
    (r"etc/apt/(?:sources\.list|preferences|trusted\.gpg|keyrings)(?:\.d)?/[^/]+", Want(4 * _MIB)),
    (r"usr/share/keyrings/[^/]+", Want(4 * _MIB)),
    (r"usr/local/cuda(?:-[0-9.]+)?/version\.(?:json|txt)", Want(256 * _KIB)),
)
_NAMED = re.compile("|".join(f"({pattern})" for pattern, _ in _WANTS))


def wanted(path: str) -> Want | None:
    """Return what is kept of the regular file at ``path`` of an image, None for nothing.

    Only names in printable ASCII are: facts hold no others.
    """
    if not (path.isascii() and path.isprintable()):
        return None
    match = _NAMED.fullmatch(path)
    return _WANTS[match.lastindex - 1][1] if match and match.lastindex else None


def excerpt(want: Want, content: bytes) -> bytes:
    """Return what is kept of ``content``: all, or every match of the pattern on its own line."""
    if want.pattern is None:
        return content
    return b"\n".join(match[0] for match in want.pattern.finditer(content))
