"""SPDX 2.3: what an image holds as a bill of materials in JSON (ISO/IEC 5962)."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from ds01build import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.exporting.contents import Component, Contents

__all__ = ["render"]

_DOCUMENT = "SPDXRef-DOCUMENT"
_IMAGE = "SPDXRef-image"
_PURPOSES = {"image": "CONTAINER", "wheel": "LIBRARY", "file": "FILE"}


def render(contents: Contents, created: str) -> str:
    """Return the document; ``created`` is its time, in UTC as RFC 3339 has it."""
    identity = uuid.uuid5(uuid.NAMESPACE_OID, f"spdx {contents.lock} {created} {__version__}")
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": contents.name,
        "documentNamespace": f"https://spdx.org/spdxdocs/{contents.name}-{identity}",
        "creationInfo": {"created": created, "creators": [f"Tool: ds01-{__version__}"]},
        "packages": list(_packages(contents)),
        "relationships": list(_relationships(contents)),
    }
    return json.dumps(document, indent=2) + "\n"


def _packages(contents: Contents) -> Iterator[dict[str, Any]]:
    yield _image(contents)
    for each in _every(contents):
        yield _package(each)


def _every(contents: Contents) -> Iterator[Component]:
    yield from (contents.base,) if contents.base else ()
    yield from contents.own
    yield from contents.inherited


def _image(contents: Contents) -> dict[str, Any]:
    image = {
        "SPDXID": _IMAGE,
        "name": contents.name,
        "versionInfo": str(contents.lock),
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "primaryPackagePurpose": "CONTAINER",
    }
    if contents.unknown:
        tiers = ", ".join(contents.unknown)
        image["comment"] = f"What the commands of these tiers bring is not listed: {tiers}"
    return image


def _package(each: Component) -> dict[str, Any]:
    optional: dict[str, Any] = {
        "versionInfo": each.version,
        "primaryPackagePurpose": _PURPOSES.get(each.kind),
        "packageFileName": each.file,
        "checksums": _checksums(each),
        "externalRefs": _references(each),
        "comment": _comment(each),
    }
    return {
        "SPDXID": _ref(each),
        "name": each.name,
        "downloadLocation": each.source or "NOASSERTION",
        "filesAnalyzed": False,
        **{name: value for name, value in optional.items() if value},
    }


def _checksums(each: Component) -> list[dict[str, str]]:
    return [{"algorithm": "SHA256", "checksumValue": each.sha256}] if each.sha256 else []


def _references(each: Component) -> list[dict[str, str]]:
    if not each.purl:
        return []
    reference = {"referenceType": "purl", "referenceLocator": each.purl}
    return [{"referenceCategory": "PACKAGE-MANAGER", **reference}]


def _comment(each: Component) -> str:
    built = ", built from its source" if each.is_built else ""
    return f"tier {each.tier}{built}" if each.tier else ""


def _relationships(contents: Contents) -> Iterator[dict[str, str]]:
    yield _relation(_DOCUMENT, "DESCRIBES", _IMAGE)
    if contents.base:
        yield _relation(_IMAGE, "DESCENDANT_OF", _ref(contents.base))
        for each in contents.inherited:
            yield _relation(_ref(contents.base), "CONTAINS", _ref(each))
    for each in contents.own:
        yield _relation(_IMAGE, "CONTAINS", _ref(each))
    for each in contents.own:
        for needed in each.requires:
            yield _relation(_ref(each), "DEPENDS_ON", f"SPDXRef-{needed}")


def _relation(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _ref(each: Component) -> str:
    return f"SPDXRef-{each.ref}"
