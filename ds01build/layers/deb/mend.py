"""Files whose mode or owner a maintainer script sets: here the package's own entry has them.

Two layers may not disagree on a path, so what a script would change later must be right at once.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["MENDED", "RESERVED", "Mended"]

# Debian gives out system ids in the order of configuration. A file in a package's layer can't
# depend on what else is installed, so the groups that own such files have ids of their own.
RESERVED = {"_ssh": 101, "crontab": 102, "messagebus": 103}


class Mended(NamedTuple):
    """How ``path`` of ``package`` is after its postinst ran.

    ``listed`` says that the script notes it in dpkg's table of overrides.
    """

    package: str
    path: str
    mode: int
    group: str
    listed: bool
    reason: str


_ROWS = (
    Mended("cron", "usr/bin/crontab", 0o2755, "crontab", True, "users write no tables of others"),
    Mended(
        "dbus",
        "usr/lib/dbus-1.0/dbus-daemon-launch-helper",
        0o4754,
        "messagebus",
        True,
        "only the bus may start services as root",
    ),
    Mended("openssh-client", "usr/bin/ssh-agent", 0o2755, "_ssh", False, "no ptrace of keys"),
    Mended("sudo", "etc/sudoers", 0o440, "root", False, "sudo refuses any other mode"),
)
MENDED = {(row.package, row.path): row for row in _ROWS}
