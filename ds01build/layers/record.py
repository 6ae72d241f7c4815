"""RECORD: which files a distribution has, with their hashes (packaging.python.org, recording)."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ds01build.layers.zip import Member

__all__ = ["Row", "check_covers", "encode", "parse", "row"]

_SHA256 = re.compile(r"sha256=([A-Za-z0-9_-]{43})")


class Row(NamedTuple):
    """One line: ``checksum`` as ``sha256=`` and base64, ``size`` in bytes; both may be empty."""

    path: str
    checksum: str
    size: str

    @property
    def content(self) -> str:
        """The sha256 in hex. Raises ValueError when the row has none."""
        match = _SHA256.fullmatch(self.checksum)
        if match is None:
            raise ValueError(f"RECORD has no sha256 for {self.path!r:.100}")
        return base64.urlsafe_b64decode(match[1] + "=").hex()


def row(path: str, content: bytes) -> Row:
    """Return the row of a file with these bytes."""
    encoded = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    return Row(path, f"sha256={encoded}", str(len(content)))


def parse(content: bytes) -> dict[str, Row]:
    """Return the rows by path. Raises ValueError for a second one, or one that is not of three."""
    rows: dict[str, Row] = {}
    try:
        lines = content.decode().splitlines()
        for fields in csv.reader(lines, strict=True):
            if len(fields) != len(Row._fields):
                raise ValueError(f"RECORD has a row with {len(fields)} fields")
            if fields[0] in rows:
                raise ValueError(f"RECORD has {fields[0]!r:.100} twice")
            rows[fields[0]] = Row(*fields)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError("RECORD is not a CSV file in UTF-8") from error
    return rows


def check_covers(
    rows: Mapping[str, Row], members: Mapping[str, Member], unhashed: frozenset[str]
) -> None:
    """Raise ValueError unless ``rows`` are about exactly ``members``, each with a checksum.

    Those in ``unhashed`` (RECORD itself, its signatures) need neither that nor a row.
    """
    for path in sorted(rows.keys() - members.keys()):
        raise ValueError(f"RECORD has {path!r:.100}, and the wheel has not")
    for path in sorted(members.keys() - rows.keys() - unhashed):
        raise ValueError(f"RECORD does not have {path!r:.100}")
    for path, listed in rows.items():
        if path not in unhashed and not listed.checksum:
            raise ValueError(f"RECORD has no sha256 for {path!r:.100}")
        if listed.size not in ("", str(members[path].size)):
            raise ValueError(f"RECORD has another size for {path!r:.100}")


def encode(rows: Iterable[Row]) -> bytes:
    """Return the file, its rows in the order that pip gives them."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(sorted(rows))
    return text.getvalue().encode()
