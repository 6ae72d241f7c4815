"""The packaged files whose content the root's own files are computed from."""

from __future__ import annotations

import re

__all__ = ["MAX_KEPT", "is_kept"]

MAX_KEPT = 1 << 20  # bytes for one file

_FOLDERS = {
    r"etc/ld\.so\.conf(\.d/[^/]+\.conf)?": "where the loader looks",
    r"usr/lib/R/etc/Renviron\.ucf": "template",
    r"usr/lib/sysusers\.d/[^/]+\.conf": "system users, sysusers.d(5)",
    r"usr/share/base-files/(dot\.bashrc|dot\.profile|info\.dir|motd|profile)": "templates",
    r"usr/share/base-passwd/(group|passwd)\.master": "Debian's static users and groups",
    r"usr/share/ca-certificates/.+\.crt": "certificate authorities",
    r"usr/share/debianutils/shells(\.d/[^/]+)?": "login shells",
    r"usr/share/libc-bin/nsswitch\.conf": "template",
    r"usr/share/openssh/sshd_config": "template",
    r"usr/share/pam(-configs)?/[^/]+": "PAM's templates and profiles",
    r"usr/share/readline/inputrc": "template",
}
_KEPT = re.compile("|".join(_FOLDERS))


def is_kept(path: str) -> bool:
    """Return whether the content of ``path`` is part of a package's facts."""
    return _KEPT.fullmatch(path) is not None
