"""Requirements that say where a package is: a git repository, or one file (PEP 508)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement

from ds01build.pin import Source

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Direct", "direct_of", "file_name"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """A direct URL of the recipe. ``revision`` of a git repository is empty for its HEAD.

    ``source`` has no address for a git repository: the revision has to be looked up.
    """

    name: str
    source: Source
    sha256: str = ""  # of the file, in hex
    revision: str = ""

    def line(self, requirement: str, version: str) -> str:
        """Return ``requirement`` for exactly ``version``, without its URL."""
        parsed = Requirement(requirement)
        extras = f"[{','.join(sorted(parsed.extras))}]" if parsed.extras else ""
        return f"{self.name}{extras}=={version}{f'; {parsed.marker}' if parsed.marker else ''}"


def direct_of(requirements: Iterable[str]) -> dict[str, Direct]:
    """Return the direct URL of each of ``requirements`` (normal forms) that has one."""
    return {line: _read(line) for line in requirements if " @ " in line}


def file_name(url: str) -> str:
    """Return the name of the file that a URL is of."""
    return unquote(urlsplit(url).path).rpartition("/")[2]


def _read(line: str) -> Direct:
    parsed = Requirement(line)
    url = parsed.url or ""
    if url.startswith("git+"):
        scheme, _, rest = url[4:].partition("://")
        place, _, revision = rest.partition("@")
        source = Source(kind="git", place=f"{scheme}://{place}")
        return Direct(name=parsed.name, source=source, revision=revision)
    place, _, sha256 = url.partition("#sha256=")
    if place.endswith(".whl"):
        return Direct(name=parsed.name, source=Source(kind="url", place=place), sha256=sha256)
    source = Source(kind="archive", place=place, address=sha256)
    return Direct(name=parsed.name, source=source, sha256=sha256)
