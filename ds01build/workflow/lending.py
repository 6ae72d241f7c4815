"""Read-only stores of this machine: what they have is copied, verified, before it is used.

A copy, not a reference: who reads the store as an OCI layout finds it whole, and an image stays
when the other store is gone. Not a hard link either: its owner could still write to it.
"""

from __future__ import annotations

import pwd
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ds01build import spec
from ds01build.errors import MismatchError, StoreError
from ds01build.events import Note
from ds01build.store.facts import read_fact
from ds01build.store.readonly import open_read_only

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ds01build.configuration import Configuration
    from ds01build.digest import Digest, Key
    from ds01build.events import Report
    from ds01build.layer import Layer
    from ds01build.plan import Loan
    from ds01build.store import DirStore
    from ds01build.store.readonly import ReadOnlyStore
    from ds01build.workflow.planning import Planned
    from ds01build.workflow.steps import Edges, Facts

__all__ = ["Reach", "Recalled", "Refused", "borrow", "lenders", "owners"]

Refused = frozenset[tuple[str, "Digest"]]  # blobs of a store, by its name, that are not used

_CHUNK = 1024 * 1024  # bytes
# What follows from the bytes that a digest names. Not where files are: that is the user's business.
_SHARED = frozenset({"listing", "plain", "deb", "scripts", "wheel"})


def lenders(
    configuration: Configuration, store: DirStore, report: Report
) -> tuple[ReadOnlyStore, ...]:
    """Return the read-only stores that can be believed; the others are warned of."""
    trusted = owners(configuration, store.uid, report)
    found: list[ReadOnlyStore] = []
    for place in configuration.read_only_stores:
        try:
            lender = open_read_only(place, trusted=trusted)
        except StoreError as error:  # noqa: PERF203 (there are few)
            report(Note(f"warning: the read-only store {place} is passed over: {error}"))
        else:
            found += [lender] if lender.root != store.root else []
    return tuple(found)


def owners(configuration: Configuration, uid: int, report: Report) -> frozenset[int]:
    """Return whose stores user ``uid`` believes, beside root's; who is no user is warned of."""
    return frozenset({uid, *_uids(configuration.store_owners, report)})


def _uids(names: Iterable[str], report: Report) -> Iterator[int]:
    for name in names:
        uid = int(name) if name.isdecimal() else _uid(name)
        if uid is None:
            report(Note(f"warning: {name!r:.60}, whose stores are to be believed, is no user"))
        else:
            yield uid


def _uid(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


@dataclass(frozen=True, slots=True)
class Reach:
    """The store and those that are read only as one; ``lent`` gets what only these have."""

    store: DirStore
    lenders: tuple[ReadOnlyStore, ...]
    refused: Refused
    lent: dict[Digest, str] = field(default_factory=dict)

    def layer(self, key: Key) -> Layer | None:
        """Return what ``key`` came out as, for the first store that knows it."""
        found = self.store.layer(key)
        if found is not None:
            return found
        for lender in self.lenders:
            layer = lender.layer(key)
            if layer is not None and (str(lender), layer.digest) not in self.refused:
                self.lent[layer.digest] = str(lender)
                return layer
        return None

    def has(self, digest: Digest, size: int) -> bool:
        """Say whether a file is in one of the stores."""
        if self.store.has(digest, size):
            return True
        for lender in self.lenders:
            if lender.has(digest, size) and (str(lender), digest) not in self.refused:
                self.lent[digest] = str(lender)
                return True
        return False


@dataclass(frozen=True, slots=True)
class Recalled:
    """The own facts, and what those of read-only stores say of layers and .debs.

    What is found there is kept: a plan that counts on it is executed when the other store is gone.
    """

    own: Facts
    lenders: tuple[ReadOnlyStore, ...]

    def get(self, kind: str, key: str) -> object:
        """Return a fact, or None."""
        found = self.own.get(kind, key)
        if found is not None or kind not in _SHARED:
            return found
        for file in filter(None, (lender.facts() for lender in self.lenders)):
            found = read_fact(file, kind, key)
            if found is not None:
                self.own.put(kind, key, found)
                return found
        return None

    def put(self, kind: str, key: str, value: object) -> None:
        """Keep a fact."""
        self.own.put(kind, key, value)


def borrow(planned: Planned, edges: Edges) -> Refused:
    """Copy what a plan takes from read-only stores, and return what of it cannot be used.

    That is warned of. Raises StoreError where the store cannot be written.
    """
    loans = planned.plan.loans
    for place in dict.fromkeys(loan.place for loan in loans):
        size = sum(loan.size for loan in loans if loan.place == place)
        edges.report(Note(f"copying {size} bytes from {place}"))
    with ThreadPoolExecutor(edges.workers, thread_name_prefix="loan") as pool:
        copied = pool.map(lambda loan: _copied(loan, edges), loans)
        refused = frozenset(
            (loan.place, loan.digest) for loan, done in zip(loans, copied, strict=True) if not done
        )
    for step in planned.plan.stack:
        layer = step.layer
        if step.action == "fetch" and layer and edges.store.has(layer.digest, layer.size):
            edges.store.record(step.key, layer, spec.inputs(step.spec))
    return refused


def _copied(loan: Loan, edges: Edges) -> bool:
    """Copy a blob unless it is there; False where its bytes are not what they should be."""
    store = edges.store
    if store.has(loan.digest, loan.size):
        return True
    try:
        with store.writer(loan.digest, loan.size, name=f"{loan.digest} of {loan.place}") as writer:
            for chunk in _chunks(loan, edges):
                writer.write(chunk)
            writer.commit()
    except (_Unreadable, MismatchError) as error:
        edges.report(Note(f"warning: {error}; it is passed over"))
        return False
    return True


class _Unreadable(Exception):
    """A blob of another store cannot be read: none of this store's faults."""


def _chunks(loan: Loan, edges: Edges) -> Iterator[bytes]:
    lender = next(each for each in edges.lenders if str(each) == loan.place)
    source = lender.source(loan.digest, loan.size)
    try:
        for offset in range(0, loan.size, _CHUNK):
            yield source.read(offset, _CHUNK)
    except StoreError as error:
        raise _Unreadable(str(error)) from error
