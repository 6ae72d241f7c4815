"""index.json: the images of a store by name, as other OCI tools read it (image-layout.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ds01build.digest import Digest, canonical
from ds01build.store.sealed import parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from ds01build.digest import Canonical

__all__ = [
    "Descriptors",
    "Tag",
    "completed",
    "encode",
    "is_own",
    "is_sealed",
    "parse",
    "replaced",
    "tag_of",
    "without",
]

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
_NAME = "org.opencontainers.image.ref.name"
_CHECK = "ds01.check"  # digest of the index without this annotation
_OWN = b'{"annotations":{"%b":' % _CHECK.encode()
_NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,254}")  # image-spec, annotations.md

Descriptors = list["Mapping[str, Canonical]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A name and the manifest that it stands for. Raises ValueError for a malformed name."""

    name: str
    manifest: Digest
    size: int  # bytes
    media_type: str
    annotations: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _NAMES.fullmatch(self.name):
            raise ValueError(f"not a name for an image: {self.name!r:.100}")


def parse(text: bytes) -> Descriptors:
    """Return the descriptors of an index, by whatever tool it was written.

    Raises ValueError when it isn't an index, or when a byte has changed since ``encode``. Where
    another tool has written it, a check that it has kept says nothing.
    """
    document = parse_json(text)
    if not isinstance(document, dict) or document.get("schemaVersion") != 2:  # noqa: PLR2004
        raise ValueError("not an OCI index")
    if document.get("mediaType", INDEX_TYPE) != INDEX_TYPE:
        raise ValueError("not an OCI index, by its media type")
    manifests = document.get("manifests")
    if not isinstance(manifests, list) or not all(isinstance(one, dict) for one in manifests):
        raise ValueError("an index without manifests")
    if is_own(text) and encode(manifests) != text:
        raise ValueError("an index that was changed")
    return manifests


def encode(descriptors: Sequence[Mapping[str, Canonical]]) -> bytes:
    """Return an index of ``descriptors`` with a check that shows when a byte has changed."""
    index: dict[str, Canonical] = {
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "manifests": sorted(descriptors, key=canonical),
    }
    check = Digest.of(canonical(index)).value
    return canonical({**index, "annotations": {_CHECK: check}}) + b"\n"


def is_own(text: bytes) -> bool:
    """Say whether ``encode`` wrote the index, whatever has become of it since.

    Its members are sorted. Tools in Go, such as skopeo and umoci, write ``schemaVersion`` first.
    """
    return text.startswith(_OWN)


def is_sealed(text: bytes) -> bool:
    """Say whether the index is unchanged since ``encode``; other tools' indexes are not."""
    try:
        return is_own(text) and encode(parse(text)) == text
    except (ValueError, TypeError):
        return False


def replaced(descriptors: Descriptors, tag: Tag) -> Descriptors:
    """Return ``descriptors`` with ``tag``, in the place of what had its name."""
    others = [one for one in descriptors if _name(one) != tag.name]
    return [*others, _descriptor(tag)]


def completed(
    descriptors: Descriptors, before: Descriptors, images: Collection[str]
) -> Descriptors:
    """Return what another tool wrote, with all names that ``images`` had ``before``.

    Such a name moves where that tool says so, but does not go: nothing tells whether it was meant
    to, or has a byte that changed.
    """
    said = {tag.name: tag.manifest for tag in map(tag_of, descriptors) if tag}
    tags = [(one, tag_of(one)) for one in before]
    kept = {
        tag.name: one
        for one, tag in tags
        if tag
        and tag.name.partition("@")[0] in images
        and said.get(tag.name, tag.manifest) == tag.manifest
    }
    return [*(one for one in descriptors if _name(one) not in kept), *kept.values()]


def without(descriptors: Descriptors, is_gone: Callable[[Tag], bool]) -> Descriptors:
    """Return ``descriptors`` but for those with a tag that ``is_gone`` says."""
    tags = [(one, tag_of(one)) for one in descriptors]
    return [one for one, tag in tags if tag is None or not is_gone(tag)]


def tag_of(descriptor: Mapping[str, Canonical]) -> Tag | None:
    """Return the tag that a descriptor says, or None where it has no name or isn't one of ours."""
    digest, size = descriptor.get("digest"), descriptor.get("size")
    media_type, notes = descriptor.get("mediaType"), descriptor.get("annotations")
    if not isinstance(digest, str) or type(size) is not int or not isinstance(media_type, str):
        return None
    if not isinstance(notes, dict):
        return None
    texts = {name: text for name, text in notes.items() if isinstance(text, str)}
    try:
        return Tag(
            name=texts.pop(_NAME, ""),
            manifest=Digest(digest),
            size=size,
            media_type=media_type,
            annotations=texts,
        )
    except ValueError:
        return None


def _name(descriptor: Mapping[str, Canonical]) -> str | None:
    tag = tag_of(descriptor)
    return tag.name if tag else None


def _descriptor(tag: Tag) -> dict[str, Canonical]:
    return {
        "mediaType": tag.media_type,
        "digest": tag.manifest.value,
        "size": tag.size,
        "annotations": {**tag.annotations, _NAME: tag.name},
    }
