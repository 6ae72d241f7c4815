"""Images that a store holds, found by what people call them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ds01build.digest import DiffId, Digest
from ds01build.engine.names import moving_tag
from ds01build.errors import Ds01Error, MismatchError, StoreError
from ds01build.image import BASE_LAYERS, Image
from ds01build.layer import Layer
from ds01build.reference import parse_reference
from ds01build.store import roots
from ds01build.workflow.registered import Registered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ds01build.store import DirStore
    from ds01build.store.roots import Generation

__all__ = ["Stored", "find", "generation", "parse_numbered"]

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")  # shorter than any abbreviated digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An image whose blobs are files. ``name`` has no digest in it."""

    name: str
    manifest: bytes
    path: Callable[[Digest], Path]

    def config(self) -> Digest:
        """Return the digest of the configuration."""
        return Digest(json.loads(self.manifest)["config"]["digest"])

    def layers(self) -> tuple[Digest, ...]:
        """Return the digests of the layers, lowest first."""
        return tuple(Digest(layer["digest"]) for layer in json.loads(self.manifest)["layers"])

    def image(self) -> Image:
        """Return the image as a value. Raises Ds01Error where its configuration is not there."""
        config = _read(self.path(self.config()), self.config())
        diff_ids = map(DiffId, json.loads(config)["rootfs"]["diff_ids"])
        rows = json.loads(self.manifest)["layers"]
        layers = tuple(
            Layer(
                digest=Digest(row["digest"]),
                diff_id=diff_id,
                size=row["size"],
                media_type=row["mediaType"],
            )
            for row, diff_id in zip(rows, diff_ids, strict=True)
        )
        return Image(config=config, manifest=self.manifest, layers=layers)

    def base(self) -> Registered | None:
        """Return the image that this one stands on, None where all layers are its own."""
        notes = json.loads(self.manifest).get("annotations", {})
        count = int(notes.get(BASE_LAYERS, "0"))
        if not count:
            return None
        digest = Digest(notes["org.opencontainers.image.base.digest"])
        reference = parse_reference(notes["org.opencontainers.image.base.name"])
        return Registered(
            reference=replace(reference, digest=digest), layers=self.image().layers[:count]
        )

    def blobs(self) -> tuple[Digest, ...]:
        """Return the digests of all that the manifest names, each once."""
        return tuple(dict.fromkeys([self.config(), *self.layers()]))


def find(store: DirStore, image: str) -> Stored:
    """Return the image that is called ``image``.

    NAME, NAME@N for its generation N, NAME@DIGEST, DIGEST, at least 12 of its digits, or what
    ``ds01 build`` printed.

    Raises Ds01Error with the names, or numbers, that there are.
    """
    numbered = parse_numbered(image)
    if numbered is not None:
        found = generation(store, *numbered).image
        return Stored(name=numbered[0], manifest=_read(store.path(found), found), path=store.path)
    tags = store.tags()
    name = image.removeprefix(f"oci:{store.root}:")
    if name == moving_tag(store.uid, name.partition("/")[2].rpartition(":")[0]):
        name = name.partition("/")[2].rpartition(":")[0]
    short = name if re.fullmatch(r"[0-9a-f]{12,64}", name) else "-"
    match = next(
        (t for t in tags if name in (t.name, str(t.manifest)) or t.manifest.hex.startswith(short)),
        None,
    )
    if match is None:
        names = sorted(t.name for t in tags if "@" not in t.name)
        raise Ds01Error(
            f"no image is called {image!r:.200}; there are {', '.join(names) or 'none'}",
            hint="ds01 image list",
        )
    manifest = _read(store.path(match.manifest), match.manifest)
    return Stored(name=match.name.partition("@")[0], manifest=manifest, path=store.path)


def parse_numbered(image: str) -> tuple[str, int] | None:
    """Return the name and the number in NAME@N; None for what names an image otherwise."""
    name, _, number = image.partition("@")
    return (name, int(number)) if _NUMBER.fullmatch(number) and roots.fits(name) else None


def generation(store: DirStore, name: str, number: int) -> Generation:
    """Return the generation ``number`` of ``name``.

    Raises Ds01Error with the numbers that there are.
    """
    there = roots.generations(store.root, name) if roots.fits(name) else ()
    found = next((each for each in there if each.number == number), None)
    if found is None:
        numbers = ", ".join(str(each.number) for each in there)
        raise Ds01Error(
            f"{name!r:.200} has no generation {number}; there are {numbers or 'none'}",
            hint=f"ds01 image history {name}" if there else "ds01 image list",
        )
    return found


def _read(path: Path, digest: Digest) -> bytes:
    """Return a small blob, compared with its name."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{digest} is not in the store: {error.strerror}") from error
    if Digest.of(content) != digest:
        raise MismatchError(
            where=f"blob {digest}",
            expected=str(digest),
            actual=str(Digest.of(content)),
            hint="ds01 store verify",
        )
    return content
