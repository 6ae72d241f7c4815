"""OpenPGP keys as apt takes them: out of their armour, and together in one keyring."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["dearmored", "keys_of"]

LIMIT = 1024 * 1024  # bytes of a keyring; Debian's has 56 kB

_BLOCK = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----[ \t]*\n"
    r"(?:[A-Za-z]+: [^\n]*\n)*\n"
    r"(?P<body>[A-Za-z0-9+/=\n]+?)"
    r"(?:\n=[A-Za-z0-9+/]{4})?\n*-----END PGP PUBLIC KEY BLOCK-----"
)
_TRUSTED = re.compile(r"/etc/apt/trusted\.gpg|/etc/apt/trusted\.gpg\.d/[^/]+\.(?:gpg|asc)")
_PUBLIC_KEY = (0x98, 0x99, 0x9A, 0xC6)  # first byte of a key packet, RFC 9580 section 4.2


def keys_of(keyrings: Mapping[str, str], signed_by: str) -> bytes:
    """Return the keys that an entry's ``signed_by`` names, those that apt trusts if it names none.

    ``keyrings`` are files in base64 by path. Raises ValueError where there are none.
    """
    if "-----BEGIN" in signed_by:
        lines = (line.strip() for line in signed_by.split("\n"))
        return _some(dearmored("\n".join("" if x == "." else x for x in lines).encode()))
    paths = [word for word in re.split(r"[,\s]+", signed_by) if word]
    if not paths:
        paths = sorted(filter(_TRUSTED.fullmatch, keyrings))
    return _some(_together(_keyring(keyrings, path) for path in paths))


def _decoded(text: str) -> bytes:
    """Return the keys in ``text``, a keyring in base64. Raises ValueError."""
    if len(text) > 2 * LIMIT:
        raise ValueError(f"a keyring of more than {LIMIT} bytes")
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError("a keyring that is not in base64") from error
    return dearmored(content)


def dearmored(content: bytes) -> bytes:
    """Return the keys in ``content``, armoured (RFC 9580 section 6) or not, as packets.

    Raises ValueError for anything but public keys; GnuPG's keyboxes are none for apt either.
    """
    if len(content) > LIMIT:
        raise ValueError(f"a keyring of more than {LIMIT} bytes")
    if b"-----BEGIN PGP" in content:
        content = _unwrapped(content.decode("ascii", errors="replace"))
    if content[:1] and content[0] not in _PUBLIC_KEY:
        raise ValueError("a keyring without a public key")
    return content


def _together(keyrings: Iterable[bytes]) -> bytes:
    """Return one keyring with the keys of all: packets can follow each other."""
    return b"".join(dict.fromkeys(keyrings))


def _unwrapped(text: str) -> bytes:
    lines = "\n".join(line.strip() for line in text.splitlines())
    blocks = [match["body"] for match in _BLOCK.finditer(lines)]
    if not blocks:
        raise ValueError("a keyring with broken armour")
    try:
        keys = [base64.b64decode(block.replace("\n", ""), validate=True) for block in blocks]
    except binascii.Error as error:
        raise ValueError("a keyring with broken armour") from error
    return _together(keys)


def _keyring(keyrings: Mapping[str, str], path: str) -> bytes:
    if not path.startswith("/"):
        raise ValueError("it names its key by fingerprint")
    if path not in keyrings:
        raise ValueError(f"the base has no keyring {path!r:.100}")
    return _decoded(keyrings[path])


def _some(keys: bytes) -> bytes:
    if not keys:
        raise ValueError("the base has no key for it")
    return keys
