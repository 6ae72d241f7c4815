"""The name of a certificate's subject as OpenSSL hashes it, for links in /etc/ssl/certs.

A certificate (RFC 5280) is DER (X.690). The hash is the first four bytes, little-endian, of the
SHA-1 of the subject in a canonical form: its text in UTF-8, lower case, with single spaces
(OpenSSL, crypto/x509/x_name.c, x509_name_canon and asn1_string_canon).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["der", "subject_hash"]

_PEM = re.compile(
    rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+)-----END ", re.ASCII
)
_SEQUENCE, _SET, _UTF8 = 0x30, 0x31, 0x0C
_VERSION = 0xA0
_ENCODINGS = {  # the string types that OpenSSL turns into UTF-8: ASN1_MASK_CANON
    0x0C: "utf-8",
    0x13: "latin-1",  # PrintableString
    0x14: "latin-1",  # T61String
    0x16: "latin-1",  # IA5String
    0x1A: "latin-1",  # VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}
_BLANK = re.compile(r"[ \t\n\v\f\r]+")


class _Value(NamedTuple):
    tag: int
    content: bytes


def der(pem: bytes) -> bytes:
    """Return the first certificate in ``pem``. Raises ValueError where there is none."""
    match = _PEM.search(pem)
    if match is None:
        raise ValueError("no PEM certificate")
    try:
        return base64.b64decode(b"".join(match[1].split()), validate=True)
    except binascii.Error as error:
        raise ValueError("no PEM certificate") from error


def subject_hash(certificate: bytes) -> str:
    """Return the 8 hex digits that OpenSSL looks a certificate up by.

    Raises ValueError for what is not a certificate.
    """
    names = b"".join(_canonical(relative) for relative in _values(_subject(certificate)))
    digest = hashlib.sha1(names, usedforsecurity=False).digest()
    return digest[3::-1].hex()


def _subject(certificate: bytes) -> bytes:
    """Return the content of the subject: the fifth field after the optional version."""
    signed = list(_values(_content(_content(certificate, _SEQUENCE), _SEQUENCE)))
    fields = signed[1:] if signed and signed[0].tag == _VERSION else signed
    if len(fields) < 5 or fields[4].tag != _SEQUENCE:  # noqa: PLR2004 (see above)
        raise ValueError("no subject")
    return fields[4].content


def _canonical(relative: _Value) -> bytes:
    """Return a relative distinguished name: a set of attributes, in the order of its encoding."""
    if relative.tag != _SET:
        raise ValueError("no relative distinguished name")
    attributes = []
    for attribute in _values(relative.content):
        kind, value = list(_values(attribute.content))[:2]
        if value.tag in _ENCODINGS:
            text = value.content.decode(_ENCODINGS[value.tag])
            value = _Value(_UTF8, _plain(text).encode())
        attributes.append(_encoded(_Value(_SEQUENCE, _encoded(kind) + _encoded(value))))
    return _encoded(_Value(_SET, b"".join(sorted(attributes))))


def _plain(text: str) -> str:
    """Collapse blanks and lower ASCII letters; other scripts are left alone."""
    collapsed = _BLANK.sub(" ", text).strip(" ")
    return "".join(each.lower() if each.isascii() else each for each in collapsed)


def _content(raw: bytes, tag: int) -> bytes:
    first = next(_values(raw), None)
    if first is None or first.tag != tag:
        raise ValueError("not a certificate")
    return first.content


def _values(raw: bytes) -> Iterator[_Value]:
    """Yield the values that ``raw`` is made of (X.690 8.1, definite lengths)."""
    offset = 0
    while offset < len(raw):
        tag, offset = raw[offset], offset + 1
        length, offset = _length(raw, offset)
        if offset + length > len(raw):
            raise ValueError("DER is cut short")
        yield _Value(tag, raw[offset : offset + length])
        offset += length


def _length(raw: bytes, offset: int) -> tuple[int, int]:
    if offset >= len(raw):
        raise ValueError("DER is cut short")
    first, offset = raw[offset], offset + 1
    if first < 0x80:  # noqa: PLR2004 (the short form)
        return first, offset
    end = offset + (first & 0x7F)
    return int.from_bytes(raw[offset:end], "big"), end


def _encoded(value: _Value) -> bytes:
    length = len(value.content)
    if length < 0x80:  # noqa: PLR2004 (the short form)
        size = bytes([length])
    else:
        digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
        size = bytes([0x80 | len(digits)]) + digits
    return bytes([value.tag]) + size + value.content
