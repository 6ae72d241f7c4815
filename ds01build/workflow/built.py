"""The answer of a build, in the form that is printed and remembered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from ds01build.digest import DiffId, Digest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ds01build.digest import Canonical

__all__ = ["Built", "BuiltLayer", "Seconds"]

SCHEMA = "ds01.built/2"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltLayer:
    """One layer of the image, and what was done for it."""

    tier: str
    digest: Digest
    diff_id: DiffId
    size: int  # bytes, compressed
    action: Literal["reused", "fetched", "written", "ran"]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """Wall time. Fetching and making layers overlap, so the total is less than their sum."""

    lock: float = 0.0
    fetch: float = 0.0
    layers: float = 0.0
    load: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An image in the store. ``digest`` is its manifest's; ``size`` what a registry would hold.

    ``layers`` are those above its base. ``tag`` and ``engine_id`` are its names in the engine that
    it was loaded into, empty and None without one; ``sent`` is what travelled there.
    """

    name: str
    digest: Digest
    config_digest: Digest
    size: int  # bytes
    manifest_size: int  # bytes
    config_size: int  # bytes
    layers: tuple[BuiltLayer, ...]
    downloaded: int = 0  # bytes
    written: int = 0  # bytes
    tag: str = ""
    engine_id: Digest | None = None
    sent: int = 0  # bytes
    seconds: Seconds = Seconds()

    def reference(self, store: Path) -> str:
        """Return the image's tag in the engine, else that of tools that read OCI layouts."""
        return self.tag or f"oci:{store}:{self.name}@{self.digest}"

    def answer(self, store: Path) -> dict[str, object]:
        """Return the object that ``ds01 build --json`` prints; times are in seconds."""
        seconds = self.seconds
        return {
            "schema": SCHEMA,
            "name": self.name,
            "image": {
                "digest": str(self.digest),
                "config_digest": str(self.config_digest),
                "reference": self.reference(store),
                "size": self.size,
            },
            "layers": [_layer(layer) | {"action": layer.action} for layer in self.layers],
            "bytes": {
                "downloaded": self.downloaded,
                "written": self.written,
                "sent": self.sent,
            },
            "seconds": {
                "lock": round(seconds.lock, 3),
                "fetch": round(seconds.fetch, 3),
                "layers": round(seconds.layers, 3),
                "load": round(seconds.load, 3),
                "total": round(seconds.total, 3),
            },
        }

    def document(self) -> dict[str, Canonical]:
        """Return the form that a store remembers, for the build that changes nothing."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "digest": str(self.digest),
            "config_digest": str(self.config_digest),
            "sizes": [self.size, self.manifest_size, self.config_size],
            "layers": [_layer(layer) for layer in self.layers],
            "tag": self.tag,
            "engine_id": str(self.engine_id or ""),
        }


def _layer(layer: BuiltLayer) -> dict[str, str | int]:
    return {
        "tier": layer.tier,
        "digest": str(layer.digest),
        "diff_id": str(layer.diff_id),
        "size": layer.size,
        "reason": layer.reason,
    }


def remembered(document: Mapping[str, Canonical]) -> Built | None:
    """Return the build that ``document`` stands for, or None where it is of another schema.

    A store's rows are sealed, so one of this schema has this shape.
    """
    if document.get("schema") != SCHEMA:
        return None
    sizes = cast("list[int]", document["sizes"])
    rows = cast("list[dict[str, str]]", document["layers"])
    return Built(
        name=str(document["name"]),
        digest=Digest(str(document["digest"])),
        config_digest=Digest(str(document["config_digest"])),
        size=sizes[0],
        manifest_size=sizes[1],
        config_size=sizes[2],
        tag=str(document["tag"]),
        engine_id=Digest(str(document["engine_id"])) if document["engine_id"] else None,
        layers=tuple(
            BuiltLayer(
                tier=row["tier"],
                digest=Digest(row["digest"]),
                diff_id=DiffId(row["diff_id"]),
                size=int(row["size"]),
                action="reused",
                reason="nothing has changed",
            )
            for row in rows
        ),
    )
