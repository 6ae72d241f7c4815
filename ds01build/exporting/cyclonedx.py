"""CycloneDX 1.6: what an image holds as a bill of materials in JSON (ECMA-424)."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from ds01build import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.exporting.contents import Component, Contents

__all__ = ["render"]

_IMAGE = "image"  # no other ref is this one: those have a hyphen
_TYPES = {"image": "container", "wheel": "library", "deb": "library", "file": "file"}


def render(contents: Contents, created: str) -> str:
    """Return the document; ``created`` is its time, in UTC as RFC 3339 has it."""
    identity = uuid.uuid5(uuid.NAMESPACE_OID, f"cyclonedx {contents.lock} {created} {__version__}")
    document: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{identity}",
        "version": 1,
        "metadata": _metadata(contents, created),
        "components": list(_components(contents)),
        "dependencies": list(_dependencies(contents)),
    }
    if contents.unknown:
        document["compositions"] = [{"aggregate": "incomplete", "assemblies": [_IMAGE]}]
    return json.dumps(document, indent=2) + "\n"


def _metadata(contents: Contents, created: str) -> dict[str, Any]:
    image: dict[str, Any] = {
        "type": "container",
        "bom-ref": _IMAGE,
        "name": contents.name,
        "version": str(contents.lock),
    }
    if contents.unknown:
        image["properties"] = [_property("ds01:unlisted-tier", each) for each in contents.unknown]
    tool = {"type": "application", "name": "ds01", "version": __version__}
    return {"timestamp": created, "tools": {"components": [tool]}, "component": image}


def _components(contents: Contents) -> Iterator[dict[str, Any]]:
    """Yield the base with all that it brought in it, and what the lock has."""
    if contents.base:
        inside = [_component(each) for each in contents.inherited]
        yield {**_component(contents.base), **({"components": inside} if inside else {})}
    yield from map(_component, contents.own)


def _component(each: Component) -> dict[str, Any]:
    optional: dict[str, Any] = {
        "version": each.version,
        "purl": each.purl,
        "hashes": [{"alg": "SHA-256", "content": each.sha256}] if each.sha256 else [],
        "externalReferences": _references(each),
        "properties": _properties(each),
    }
    return {
        "type": _TYPES[each.kind],
        "bom-ref": each.ref,
        "name": each.name,
        **{name: value for name, value in optional.items() if value},
    }


def _references(each: Component) -> list[dict[str, str]]:
    if not each.source:
        return []
    kind = "vcs" if each.source.startswith("git+") else "distribution"
    return [{"type": kind, "url": each.source}]


def _properties(each: Component) -> list[dict[str, str]]:
    named = {
        "ds01:tier": each.tier,
        "ds01:file": each.file if each.file != each.name else "",
        "ds01:built": "from its source" if each.is_built else "",
    }
    return [_property(name, value) for name, value in named.items() if value]


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


def _dependencies(contents: Contents) -> Iterator[dict[str, Any]]:
    below = [contents.base.ref] if contents.base else []
    yield {"ref": _IMAGE, "dependsOn": [*below, *(each.ref for each in contents.own)]}
    for each in contents.own:
        if each.requires:
            yield {"ref": each.ref, "dependsOn": list(each.requires)}
