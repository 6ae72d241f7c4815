"""The certificate authorities: one bundle, one file and one hash link for each of them.

What update-ca-certificates(8) and ``openssl rehash`` make of /usr/share/ca-certificates when all
of it is trusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ds01build.errors import RejectedFile
from ds01build.layers.root import made
from ds01build.layers.root.keystore import keystore
from ds01build.layers.root.subject import der, subject_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.layers.entry import Entry
    from ds01build.layers.root.tree import Tree

__all__ = ["entries"]

_SOURCE = "usr/share/ca-certificates/"
_CERTS = "etc/ssl/certs"
_PLAIN = str.maketrans({" ": "_", "(": "=", ")": "=", ",": "_"})


class _Certificate(NamedTuple):
    der: bytes
    subject_hash: str


def entries(tree: Tree) -> Iterator[tuple[str, Entry]]:
    """Yield /etc/ca-certificates.conf and what lies in /etc/ssl/certs."""
    if not tree.has("ca-certificates"):
        return
    for entry in _entries(tree):
        yield "ca-certificates", entry


def _entries(tree: Tree) -> Iterator[Entry]:
    pems = tree.kept_below(_SOURCE)
    found = {path: _read(path, pem) for path, pem in pems.items()}
    listed = "".join(f"{path.removeprefix(_SOURCE)}\n" for path in pems)
    yield made.directory("usr/local/share/ca-certificates")
    yield made.file("etc/ca-certificates.conf", listed)
    yield made.file(f"{_CERTS}/ca-certificates.crt", b"".join(map(_ended, pems.values())))
    named = dict(sorted((_name(path), path) for path in pems))
    for name, path in named.items():
        yield made.link(f"{_CERTS}/{name}", f"/{path}")
    yield from _hash_links({name: found[path] for name, path in named.items()})
    if tree.has("ca-certificates-java"):
        yield made.directory(f"{_CERTS}/java")
        der_by_path = {path: each.der for path, each in found.items()}
        yield made.file(f"{_CERTS}/java/cacerts", keystore(der_by_path))


def _read(path: str, pem: bytes) -> _Certificate:
    try:
        raw = der(pem)
        return _Certificate(raw, subject_hash(raw))
    except ValueError as error:
        raise RejectedFile(name=f"/{path}", problem=f"is no certificate ({error})") from error


def _name(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".crt").translate(_PLAIN) + ".pem"


def _ended(pem: bytes) -> bytes:
    return pem if pem.endswith(b"\n") else pem + b"\n"


def _hash_links(certificates: dict[str, _Certificate]) -> Iterator[Entry]:
    """Yield ``HASH.N`` for each different certificate; N counts those with the same subject."""
    counts: dict[str, int] = {}
    seen: set[bytes] = set()
    for name, (raw, stem) in certificates.items():
        if raw in seen:
            continue
        seen.add(raw)
        number = counts[stem] = counts.get(stem, -1) + 1
        yield made.link(f"{_CERTS}/{stem}.{number}", name)
