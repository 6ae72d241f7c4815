"""A Java keystore of trusted certificates (format JKS, version 2), as the JDK reads by default."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["keystore"]

_MAGIC, _VERSION, _TRUSTED = 0xFEEDFEED, 2, 2
_CREATED = 315_619_200_000  # 1980-01-02 in milliseconds, as the time stamps of layers
_PASSWORD = "changeit"  # noqa: S105 (the JDK's documented default: it guards nothing)
_SALT = b"Mighty Aphrodite"  # part of the format


def keystore(certificates: Mapping[str, bytes]) -> bytes:
    """Return the keystore of ``certificates``: DER by the path of its file, in this order.

    Aliases are ``debian:`` and the file's name in lower case, as ca-certificates-java gives them.
    """
    content = struct.pack(">III", _MAGIC, _VERSION, len(certificates))
    for path, der in certificates.items():
        alias = f"debian:{path.rpartition('/')[2].lower()}".encode().decode("ascii", "ignore")
        alias = alias.removesuffix(".crt") + ".pem"
        content += struct.pack(">I", _TRUSTED) + _text(alias) + struct.pack(">Q", _CREATED)
        content += _text("X.509") + struct.pack(">I", len(der)) + der
    salted = _PASSWORD.encode("utf-16-be") + _SALT
    return content + hashlib.sha1(salted + content, usedforsecurity=False).digest()


def _text(text: str) -> bytes:
    raw = text.encode("ascii")
    return struct.pack(">H", len(raw)) + raw
