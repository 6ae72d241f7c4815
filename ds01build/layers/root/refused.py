"""Packages that are refused: unpacked without their scripts they would be wrong, not just less."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["reason", "refuse"]

_BOOT = "boots a machine: its scripts write an initramfs or a boot loader"
_DATABASE = "keeps its state in a database that only its scripts create"
_DIRECTORY = "keeps accounts and secrets that only its scripts create"
_DRIVER = "is part of a driver: a container uses the one of its host"
_MAIL = "is configured by its scripts alone: mail would be lost or relayed"

_REFUSED = (
    (r"linux-image-.+|initramfs-tools|dracut|live-boot|casper", _BOOT),
    (r"(grub|lilo|syslinux|extlinux|refind|shim|systemd-boot)(-.+)?", _BOOT),
    (r"(.+-)?dkms|nvidia-(driver|kernel|alternative).*|glx-(diversions|alternative-.+)", _DRIVER),
    (r"(default-mysql|mysql|mariadb)-server(-[0-9.]+)?|postgresql(-[0-9]+)?", _DATABASE),
    (r"firebird[0-9.]+-server|clickhouse-server|rabbitmq-server|couchdb|influxdb", _DATABASE),
    (r"slapd|krb5-(kdc|admin-server)|samba-ad-.+|freeipa-server|389-ds-base", _DIRECTORY),
    (r"postfix|sendmail-bin|exim4-(config|daemon-.+)|dma|nullmailer|ssmtp", _MAIL),
)
_PATTERNS = tuple((re.compile(pattern), text) for pattern, text in _REFUSED)


def reason(package: str) -> str:
    """Return why ``package`` is refused, empty where it is not."""
    return next((text for pattern, text in _PATTERNS if pattern.fullmatch(package)), "")


def refuse(packages: Iterable[str]) -> None:
    """Raise Ds01Error that names every refused package of ``packages`` and why."""
    found = {name: reason(name) for name in sorted(set(packages))}
    lines = [f"{name} {why}" for name, why in found.items() if why]
    if lines:
        raise Ds01Error(
            "maintainer scripts are not run, and cannot be done without: " + "; ".join(lines),
            hint="leave the package out, or use [base] image = ... and a run tier",
        )
