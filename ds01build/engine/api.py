"""An engine that answers: what it is, which images it has, and the few things asked of it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import docker
import docker.errors
import requests

from ds01build.digest import DiffId, Digest
from ds01build.errors import Ds01Error, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


__all__ = [
    "Engine",
    "EngineImage",
    "Kind",
    "Row",
    "address",
    "asking",
    "attempted",
    "cause",
    "shown",
]

# How the engine keeps images. Docker's graph drivers know layers by what lies below them; the
# containerd store keeps the blobs, and knows an image by its manifest; Podman wants all layers.
Kind = Literal["graph", "containerd", "podman"]

T = TypeVar("T")

_SECONDS = 1800  # an engine says nothing while it unpacks gigabytes
_SHOWN = 500  # characters of what an engine says
_ADDRESS = re.compile(r"sha256:[0-9a-f]{64}")
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (requests.exceptions.Timeout, "nothing came in time"),
    (requests.exceptions.ConnectionError, "the connection broke"),
    (requests.exceptions.ChunkedEncodingError, "the connection broke"),
)
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What an engine's list says of an image."""

    engine_id: Digest
    labels: Mapping[str, str]
    digests: frozenset[Digest]  # of manifests and indexes; where it keeps these, its own name


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineImage:
    """An image as an engine describes it."""

    engine_id: Digest  # its name there: of the configuration, on containerd of the manifest
    diff_ids: tuple[DiffId, ...]
    config_digest: Digest | None  # None where the engine does not tell
    architecture: str
    tags: tuple[str, ...]
    repo_digests: tuple[str, ...]  # REPOSITORY@DIGEST of manifests or indexes
    config: Mapping[str, Any]  # Env, Labels, Cmd and so on, as the engine gives them

    @property
    def digests(self) -> frozenset[Digest]:
        """The digests by which registries and the engine know its manifest."""
        return _digests(self.engine_id.value, self.repo_digests)

    @property
    def labels(self) -> Mapping[str, str]:
        """The image's labels."""
        return self.config.get("Labels") or {}


class Sent(Protocol):
    """Bytes of a known length that are made while they are read."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine that answered. ``client`` is docker-py's low-level client; ``close`` ends it."""

    client: docker.APIClient = field(repr=False, compare=False)
    place: str  # where it listens, for messages
    kind: Kind
    version: str
    architecture: str  # as Go and OCI name it, such as amd64

    @property
    def url(self) -> str:
        """Where it listens, as DOCKER_HOST has it."""
        return f"unix://{self.place}" if self.place.startswith("/") else self.place

    def inspect(self, name: str) -> EngineImage | None:
        """Return the image that ``name`` stands for: a tag, a digest, an id; None without one."""
        with asking(self.place, f"for the image {name}"):
            try:
                answer = self.client.inspect_image(name)
            except docker.errors.NotFound:
                return None
        return self._image(answer)

    def rows(self, label: str = "") -> tuple[Row, ...]:
        """Return its list of images, nameless ones too, or of those with a label (NAME[=VALUE])."""
        filters = {"label": label} if label else None
        with asking(self.place, "for its images"):
            answer = self.client.images(all=True, filters=filters)
        named = {address(str(row.get("Id"))): row for row in answer}
        rows = {name: row for name, row in named.items() if _ADDRESS.fullmatch(name)}
        return tuple(
            Row(
                engine_id=Digest(engine_id),
                labels=row.get("Labels") or {},
                digests=_digests(engine_id, row.get("RepoDigests") or ()),
            )
            for engine_id, row in sorted(rows.items())
        )

    def images(self, label: str = "") -> Iterator[EngineImage]:
        """Yield the images of its list, as ``described`` does."""
        return self.described(self.rows(label))

    def described(self, rows: Iterable[Row]) -> Iterator[EngineImage]:
        """Yield the images of ``rows``; one that is removed meanwhile is left out.

        So is one that the engine fails to describe.
        """
        for row in rows:
            image = attempted(partial(self.inspect, str(row.engine_id)))
            if image is not None:
                yield image

    def lists(self, engine_id: str) -> bool:
        """Say whether it has the image with all its blobs, as far as it tells.

        Where a damaged image keeps it from listing any, it tells no more than that there is one.
        """
        rows = attempted(self.rows)
        if rows is None:
            return self.inspect(engine_id) is not None
        return any(str(row.engine_id) == engine_id for row in rows)

    def load(self, archive: Sent) -> str:
        """Load an archive of one image, whose length is that of ``archive``, as it yields it.

        Returns what the engine objects to, empty when it has the image. Raises Unavailable if it
        stops answering, and whatever ``archive`` raises.
        """
        url = f"{self.client.base_url}/v{self.client.api_version}/images/load"
        with asking(self.place, "to load an image"):
            answer = self.client.post(
                url,
                data=archive,
                params={"quiet": "1"},
                headers={"Content-Type": "application/x-tar"},
                timeout=_SECONDS,
            )
            text: str = answer.text
        return _objection(text) if answer.ok else text or f"HTTP status {answer.status_code}"

    def tag(self, engine_id: Digest, tag: str) -> None:
        """Let ``tag`` (REPOSITORY:TAG) stand for an image; it may have stood for another."""
        repository, _, name = tag.rpartition(":")
        with asking(self.place, f"to tag {tag}"):
            self.client.tag(str(engine_id), repository, name, force=True)

    def remove(self, name: str) -> bool:
        """Remove an image or a tag; False if it is gone already, or a container uses it."""
        with asking(self.place, f"to remove {name}"):
            try:
                self.client.remove_image(name)
            except docker.errors.APIError as error:
                if error.response is not None and error.response.status_code in (404, 409):
                    return False
                raise
        return True

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def _image(self, answer: Mapping[str, Any]) -> EngineImage:
        try:
            engine_id = Digest(address(answer["Id"]))
            layers = (answer.get("RootFS") or {}).get("Layers") or ()
            return EngineImage(
                engine_id=engine_id,
                diff_ids=tuple(map(DiffId, layers)),
                config_digest=None if self.kind == "containerd" else engine_id,
                architecture=str(answer.get("Architecture") or ""),
                tags=tuple(map(str, answer.get("RepoTags") or ())),
                repo_digests=tuple(map(str, answer.get("RepoDigests") or ())),
                config=answer.get("Config") or {},
            )
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise Ds01Error(f"the engine at {self.place} describes no image: {error}") from error


@contextmanager
def asking(place: str, what: str) -> Iterator[None]:
    """Raise what goes wrong in the block as our errors: the engine at ``place`` was asked ``what``.

    docker.errors.NotFound and the like have to be caught inside where they mean an answer.
    """
    try:
        yield
    except docker.errors.APIError as error:
        said = shown(str(error.explanation or error))
        raise Ds01Error(f"the engine at {place}, asked {what}, says: {said}") from error
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        raise Unavailable(
            f"the engine at {place}, asked {what}, stopped answering ({cause(error)})",
            hint="docker info",
        ) from error


def attempted(ask: Callable[[], T], tell: Callable[[Ds01Error], None] = lambda _: None) -> T | None:
    """Return what ``ask`` does, or None, after ``tell``, where an engine answers with an error.

    One damaged image, which may be anybody's, is enough for that. Raises Unavailable where it does
    not answer at all.
    """
    try:
        return ask()
    except Unavailable:
        raise
    except Ds01Error as error:
        tell(error)
        return None


def _objection(answer: str) -> str:
    """Return the error in an engine's stream of JSON messages, empty if there is none."""
    found = re.search(r'"error"\s*:\s*"((?:[^"\\]|\\.)*)"', answer)
    return found[1] if found else ""


def shown(text: str) -> str:
    """Return what an engine says on one line, without control characters."""
    return _UNPRINTABLE.sub(" ", text).strip()[:_SHOWN]


def cause(error: BaseException) -> str:
    """Return the innermost cause that the operating system names, else the error in words."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        inner = next((part for part in seen.args if isinstance(part, BaseException)), None)
        seen = inner or seen.__cause__ or seen.__context__
    said = (words for kind, words in _WORDS if isinstance(error, kind))
    return next(said, shown(str(error)) or "it does not say why")


def _digests(engine_id: str, names: Iterable[str]) -> frozenset[Digest]:
    digests = (engine_id, *(str(name).rpartition("@")[2] for name in names))
    return frozenset(map(Digest, filter(_ADDRESS.fullmatch, digests)))


def address(text: str) -> str:
    """Return an id with its algorithm, which Podman leaves out."""
    return text if text.startswith("sha256:") else f"sha256:{text}"
