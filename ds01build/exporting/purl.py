"""Package URLs (ECMA-427): how tools of all ecosystems name one package."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from ds01build.reference import parse_reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.lock import LockedImage
    from ds01build.pin import Source

__all__ = ["deb", "git_url", "oci", "pypi"]


def pypi(name: str, version: str, source: Source | None = None) -> str:
    """Return the purl of a Python package, with where it is from if no index offers it."""
    qualifiers = {}
    if source is not None and source.kind == "git":
        qualifiers["vcs_url"] = git_url(source)
    elif source is not None and source.kind != "sdist":
        qualifiers["download_url"] = source.place
    return _purl("pypi", name, version, qualifiers)


def git_url(source: Source) -> str:
    """Return a git source as pip, SPDX and purl write it: repository and commit in one."""
    return f"git+{source.place}@{source.address}"


def deb(name: str, version: str, architecture: str, *, vendor: str, distro: str) -> str:
    """Return the purl of a .deb; ``distro`` is the codename of the release, if it has one."""
    kind = f"deb/{_quoted(vendor or 'debian')}"
    return _purl(kind, name, version, {"arch": architecture, "distro": distro})


def oci(image: LockedImage) -> str:
    """Return the purl of an image by its manifest's digest."""
    found = parse_reference(image.reference)
    qualifiers = {
        "arch": image.architecture,
        "repository_url": f"{found.registry}/{found.repository}",
        "tag": found.tag,
    }
    return _purl("oci", found.repository.rpartition("/")[2], str(image.manifest), qualifiers)


def _purl(kind: str, name: str, version: str, qualifiers: Mapping[str, str]) -> str:
    pairs = [f"{key}={_quoted(value)}" for key, value in sorted(qualifiers.items()) if value]
    tail = f"?{'&'.join(pairs)}" if pairs else ""
    return f"pkg:{kind}/{_quoted(name)}@{_quoted(version)}{tail}"


def _quoted(text: str) -> str:
    return quote(text, safe="/:")
