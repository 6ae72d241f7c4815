"""What realising works with: a store, facts, downloads, an executor; and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from ds01build.digest import Canonical, DiffId, Digest, Key
    from ds01build.layer import Layer
    from ds01build.layers.entry import Entry, Source
    from ds01build.pin import DebPin, FilePin, WheelPin
    from ds01build.plan import LayerStep
    from ds01build.spec import Executed
    from ds01build.stack import Listing

__all__ = ["Executor", "Facts", "Made", "Materials", "Spool", "Store"]


class BlobWriter(Protocol):
    """A blob that is being written."""

    def write(self, content: bytes) -> object:
        """Add ``content`` to the blob."""

    def commit(self) -> tuple[Digest, int]:
        """Make the blob durable and return its digest and size in bytes."""


class Store(Protocol):
    """What realising needs of a store."""

    def layer(self, key: Key) -> Layer | None:
        """Return the layer that was recorded for ``key``, if its blob is there."""

    def record(self, key: Key, layer: Layer, inputs: Mapping[str, Canonical]) -> None:
        """Remember durably that ``layer`` is what ``key`` comes to."""

    def lock(self, key: Key, on_wait: Callable[[str], None]) -> AbstractContextManager[None]:
        """Hold the lock of ``key`` among all processes."""

    def source(self, digest: Digest) -> Source:
        """Return a reader of the blob."""

    def quarantine(self, digest: Digest) -> None:
        """Move a blob to where nothing reads it."""

    def writer(self) -> AbstractContextManager[BlobWriter]:
        """Return a writer of a new blob; leaving without commit drops it."""


class Facts(Protocol):
    """Derived facts that may be lost at any time: JSON values by kind and address."""

    def get(self, kind: str, key: str) -> object:
        """Return the value, or None."""

    def put(self, kind: str, key: str, value: object) -> None:
        """Keep ``value`` while there is room for it."""


class Executor(Protocol):
    """Runs what a tier says in a container."""

    def run(
        self, tier: str, layer: Executed, below: Sequence[Layer]
    ) -> AbstractContextManager[Iterable[Entry]]:
        """Run over the image of ``layer`` and the layers ``below``, and give what has changed.

        The entries can be read once, until the context ends. Raises Unavailable without an
        engine, and Ds01Error for a command that fails.
        """


class Spool(Protocol):
    """The tar of a layer that is being made, for whoever takes it before the store is asked."""

    def write(self, content: bytes) -> None:
        """Add to the tar."""

    def keep(self, diff_id: DiffId) -> None:
        """Say that the tar is complete, and whose it is; one that is not kept is dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Materials:
    """Where the makings of layers come from and go to."""

    store: Store
    facts: Facts
    fetch: Callable[[Sequence[WheelPin | DebPin]], Generator[Digest, None, None]]
    read_file: Callable[[FilePin], bytes]  # content as the pin says, or MismatchError
    executor: Executor
    spool: Callable[[], AbstractContextManager[Spool]]
    on_layer: Callable[[LayerStep, Layer], None]  # called from worker threads
    on_wait: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A layer that exists, and what was done for it."""

    step: LayerStep
    layer: Layer
    action: Literal["reused", "fetched", "written", "ran"]
    listing: Listing = field(repr=False)
