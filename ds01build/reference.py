"""References to images in registries, in the grammar of the distribution project."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ds01build.digest import Digest

__all__ = ["DEFAULT_REGISTRY", "Reference", "parse_host", "parse_reference"]

DEFAULT_REGISTRY = "docker.io"  # where a name without a host belongs, in every client
_OFFICIAL = "library/"
_LEGACY = f"index.{DEFAULT_REGISTRY}"  # an older name of the same registry
_NAME_LIMIT = 255  # characters of host and repository, distribution's own limit
_LIMIT = _NAME_LIMIT + 1 + 128 + 1 + 71  # with tag and digest

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]{{2,39}}\])(?::[0-9]{{1,5}})?"
_REFERENCE = re.compile(
    rf"(?:(?P<host>{_HOST})/)?"
    rf"(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_IDENTIFIER = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """An image in a registry; the digest, where there is one, wins over the tag."""

    registry: str  # host, lower case, with its port if it has one
    repository: str
    tag: str = ""
    digest: Digest | None = None

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}{self._end}"

    @property
    def familiar(self) -> str:
        """The form that Docker shows, without what it would add."""
        if self.registry != DEFAULT_REGISTRY:
            return str(self)
        short = self.repository.removeprefix(_OFFICIAL)
        return f"{self.repository if '/' in short else short}{self._end}"

    @property
    def pointer(self) -> str:
        """What the registry is asked for: the digest, else the tag."""
        return str(self.digest) if self.digest else self.tag

    @property
    def _end(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{tag}@{self.digest}" if self.digest else tag


def parse_reference(text: str) -> Reference:
    """Return the reference that ``text`` is short for.

    A first part with a dot or a port, or ``localhost``, is a host; otherwise the image is one of
    docker.io, and of its ``library/`` where no slash is left. The tag is ``latest`` where neither
    tag nor digest stands. Raises ValueError.
    """
    match = _REFERENCE.fullmatch(text) if len(text) <= _LIMIT else None
    if match is None:
        raise ValueError("not an image reference, such as python:3.12-slim")
    registry, repository = _split(match["host"] or "", match["path"])
    if len(registry) + 1 + len(repository) > _NAME_LIMIT:
        raise ValueError(f"an image reference with a name of more than {_NAME_LIMIT} characters")
    digest = Digest(match["digest"]) if match["digest"] else None
    tag = match["tag"] or ("" if digest else "latest")
    return Reference(registry, repository, tag, digest)


def parse_host(text: str) -> str:
    """Return the host of a registry, with its port if it has one. Raises ValueError."""
    if len(text) > _NAME_LIMIT or not re.fullmatch(_HOST, text) or not _has_port(text):
        raise ValueError("not the host of a registry, such as registry.example.org:5000")
    return text.lower()


def _has_port(host: str) -> bool:
    """Say whether the port of a host is one, if there is any."""
    port = host.rpartition("]")[2].partition(":")[2]
    return not port or 1 <= int(port) < 2**16


def _split(host: str, path: str) -> tuple[str, str]:
    """Return the registry and the repository. Raises ValueError."""
    if host and not ("." in host or ":" in host or host == "localhost"):
        if not re.fullmatch(_COMPONENT, host):
            raise ValueError(f"{host!r:.100} is neither a host nor the start of an image's name")
        path, host = f"{host}/{path}", ""
    if not _has_port(host):
        raise ValueError(f"{host!r:.100} has a port outside of 1 to 65535")
    if _IDENTIFIER.fullmatch(path):
        raise ValueError("an image's name may not be 64 hex digits: that is an identifier")
    registry = host.lower() or DEFAULT_REGISTRY
    registry = DEFAULT_REGISTRY if registry == _LEGACY else registry
    official = registry == DEFAULT_REGISTRY and "/" not in path
    return registry, f"{_OFFICIAL}{path}" if official else path
