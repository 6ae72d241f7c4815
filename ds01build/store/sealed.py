"""Small JSON documents that show when a byte of them has changed.

A sealed document is canonical JSON with one more member, ``check``, the digest of the rest. It
guards against accidents only: whoever can write the file can seal another one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from ds01build.digest import Digest, canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.digest import Canonical

__all__ = ["corrected", "parse_json", "seal", "unseal"]

_SMALL = 2048  # bytes of a document that is searched for one that is wrong

Document = dict[str, "Canonical"]


def seal(document: Mapping[str, Canonical]) -> bytes:
    """Return ``document`` as sealed JSON text with a final newline."""
    check = Digest.of(canonical(document))
    return canonical({**document, "check": check.value}) + b"\n"


def unseal(text: bytes) -> Document | None:
    """Return what was sealed, or None when ``text`` isn't exactly what ``seal`` wrote."""
    try:
        document = parse_json(text)
        if not isinstance(document, dict):
            return None
        document.pop("check", None)
        return document if seal(document) == text else None
    except (ValueError, TypeError):
        return None


def corrected(text: bytes) -> bytes | None:
    """Return the sealed document from which ``text`` differs in one byte, or None.

    Tries them all, which takes seconds, and only for small documents.
    """
    for place in range(len(text) if len(text) <= _SMALL else 0):
        for byte in range(256):
            one = b"%b%c%b" % (text[:place], byte, text[place + 1 :])
            if unseal(one) is not None:
                return one
    return None


def parse_json(text: bytes) -> Canonical:
    """Return the value of JSON ``text``, refusing what two readers could understand differently.

    Raises ValueError for duplicate members, floats, NaN, deep nesting and what isn't JSON.
    """
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_float=_refuse,
            parse_constant=_refuse,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return cast("Canonical", value)


def _unique(members: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(members)
    if len(document) != len(members):
        raise ValueError("a member is given twice")
    return document


def _refuse(text: str) -> None:
    raise ValueError(f"not a whole number: {text!r:.40}")
