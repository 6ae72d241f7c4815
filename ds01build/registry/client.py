"""Reads images from registries (OCI distribution-spec 1.1): manifests, configurations, blobs."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from ds01build.digest import Digest
from ds01build.errors import Ds01Error, MismatchError, RejectedFile, Unavailable
from ds01build.http.answer import Absent, Interrupted, Refused, body_of, check_status
from ds01build.http.session import Session
from ds01build.location import origin
from ds01build.registry.access import Access, Place
from ds01build.registry.blob import BlobReader, Patience, pieces
from ds01build.registry.document import limited, parse
from ds01build.registry.manifest import (
    ACCEPT,
    MANIFESTS,
    assemble,
    choose,
    is_index,
    read_manifest,
    tags_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ds01build.http.answer import Response
    from ds01build.http.asking import Answer
    from ds01build.http.settings import Settings
    from ds01build.reference import Reference
    from ds01build.registry.access import Logins
    from ds01build.registry.manifest import Descriptor, RemoteImage

__all__ = ["RegistryClient", "open_client"]

T = TypeVar("T")

MANIFEST_LIMIT = 4 * 1024 * 1024  # bytes, what distribution takes at most
CONFIG_LIMIT = 8 * 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class _Document:
    """A manifest or index, and what its server or descriptor calls it."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryClient:
    """Reads from registries; ``mirrors`` names, by registry, hosts that are asked before it.

    Bytes are believed for their digests; a tag is what the first place that has it says. Raises
    Ds01Error for an image that isn't there, Unavailable for a registry that doesn't serve or wants
    another login, MismatchError and RejectedFile for what is not as promised.
    """

    access: Access
    patience: Patience = field(default_factory=Patience)
    mirrors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def image(self, reference: Reference, architecture: str) -> RemoteImage:
        """Return the image for linux on ``architecture`` that ``reference`` means now."""
        manifest = self._platform(reference, architecture).content
        described = read_manifest(parse(manifest, str(reference))).config
        config = self.config(reference, described.digest)
        if len(config) != described.size:
            raise MismatchError(
                where=f"the configuration of {reference}",
                expected=f"{described.size} bytes",
                actual=f"{len(config)} bytes",
                hint=self.doubt(reference),
            )
        return assemble(reference, architecture, manifest, config)

    def digest_of(self, reference: Reference, architecture: str) -> Digest:
        """Return the digest of the manifest that ``image`` would return, for less.

        A tag of one image costs a HEAD request; one of an index two small documents besides.
        """
        digest = self._anywhere(reference, f"image {reference}", partial(self._head, reference))
        return digest or Digest.of(self._platform(reference, architecture).content)

    def config(self, reference: Reference, digest: Digest) -> bytes:
        """Return an image's configuration, of at most 8 MiB."""
        name = f"configuration {digest} of {reference}"

        def read(place: Place) -> bytes:
            url = self.access.url(place, f"blobs/{digest}")
            with self.access.ask(place, url, {}) as answer:
                check_status(answer)
                content = self._content(answer, CONFIG_LIMIT, name)
            self._check(content, digest, reference, name)
            return content

        return self._anywhere(reference, name, read)

    @contextlib.contextmanager
    def blob(
        self, reference: Reference, digest: Digest, size: int, offset: int = 0
    ) -> Iterator[BlobReader]:
        """Give a reader of a blob of ``size`` bytes from ``offset`` on; nothing is stored.

        Interrupted transfers go on where they were. The digest is verified where the offset is 0
        and the blob is read to its end.
        """
        urls = list(self.blob_urls(reference, digest))
        name = f"blob {digest} of {reference}"

        @contextlib.contextmanager
        def get(position: int) -> Iterator[Response]:
            with contextlib.ExitStack() as stack:
                try:
                    yield self._first(stack, urls, position, name)
                except Interrupted:
                    del urls[:-1]  # what a mirror begins, its registry ends
                    raise

        content = pieces(
            get,
            digest=digest,
            size=size,
            offset=offset,
            name=name,
            patience=replace(
                self.patience,
                hint=self.access.probe(reference.registry),
                doubt=self.doubt(reference),
            ),
        )
        with contextlib.closing(BlobReader(content)) as reader:
            yield reader

    def blob_urls(self, reference: Reference, digest: Digest) -> tuple[str, ...]:
        """Return where a blob may be, for ``get``: mirrors, then the registry itself."""
        return tuple(
            self._patiently(
                place, f"blob {digest}", lambda place: self.access.url(place, f"blobs/{digest}")
            )
            for place in self._places(reference)
        )

    @contextlib.contextmanager
    def get(self, url: str, offset: int) -> Iterator[Response]:
        """Ask for a blob at one of its URLs from ``offset`` on, as a Transport of downloads.

        Raises Absent, Interrupted and Refused; Unavailable where another login is needed.
        """
        place = self.access.place_of(url)
        if place is None:
            raise Refused("not the URL of a blob in a registry")
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        with self.access.ask(place, url, headers) as answer:
            yield body_of(answer, offset)

    def doubt(self, reference: Reference) -> str:
        """Return the hint for bytes that are others than ``reference`` promises."""
        hosts = " or ".join(place.registry for place in self._places(reference))
        return f"run it again; if it stays so, ask who runs {hosts}, or a proxy before it"

    def close(self) -> None:
        """Close the connections that are idle."""
        self.access.session.close()

    def _places(self, reference: Reference) -> tuple[Place, ...]:
        hosts = (*self.mirrors.get(reference.registry, ()), reference.registry)
        return tuple(Place(host, reference.repository) for host in hosts)

    def _anywhere(self, reference: Reference, what: str, action: Callable[[Place], T]) -> T:
        """Return what the first place gives that has ``what``, serves, and doesn't lie."""
        hint = "" if reference.digest else tags_of(reference)
        failure = Ds01Error(f"{reference.registry} has no {what}", hint=hint)
        for place in self._places(reference):
            try:
                return self._patiently(place, what, action)
            except Absent:  # noqa: PERF203  (each round asks a server)
                continue
            except (Unavailable, MismatchError) as error:
                failure = error
        raise failure

    def _patiently(self, place: Place, what: str, action: Callable[[Place], T]) -> T:
        """Return what ``action`` gives, which is tried again. Raises Absent and Unavailable."""
        what = f"{what} from {place.registry}"
        for attempt in itertools.count():
            try:
                return action(place)
            except Interrupted as error:  # noqa: PERF203  (as above)
                is_limited = error.status == HTTPStatus.TOO_MANY_REQUESTS  # often of the nameless
                login = f"docker login {place.registry}"
                hint = login if is_limited else self.access.probe(place.registry)
                replace(self.patience, hint=hint).wait(attempt, error, what)
            except Refused as error:
                hint = self.access.probe(place.registry)
                raise Unavailable(f"cannot read {what}: {error.reason}", hint=hint) from error
        raise AssertionError

    def _first(
        self, stack: contextlib.ExitStack, urls: list[str], offset: int, what: str
    ) -> Response:
        """Return the answer of the first place that has a blob and serves."""
        *mirrors, own = urls
        for url in mirrors:
            with contextlib.suppress(Absent, Interrupted, Refused, Unavailable):
                return stack.enter_context(self.get(url, offset))
        try:
            return stack.enter_context(self.get(own, offset))
        except Absent as error:
            raise Ds01Error(f"there is no {what}") from error
        except Refused as error:
            place = self.access.place_of(own)
            hint = self.access.probe(place.registry) if place else ""
            raise Unavailable(f"cannot read {what}: {error.reason}", hint=hint) from error

    def _head(self, reference: Reference, place: Place) -> Digest | None:
        """Return what an image's tag points at; None for an index, and where it isn't said."""
        url = self.access.url(place, f"manifests/{reference.pointer}")
        with self.access.ask(place, url, {"Accept": ACCEPT}, "HEAD") as answer:
            check_status(answer)
            if _media_type(answer) not in MANIFESTS:
                return None
            return reference.digest or _announced(answer)

    def _document(self, reference: Reference, descriptor: Descriptor | None = None) -> _Document:
        """Return what ``reference`` names in a registry, or what its index has for a platform."""

        def read(place: Place) -> _Document:
            pointer = descriptor.digest if descriptor else reference.pointer
            url = self.access.url(place, f"manifests/{pointer}")
            with self.access.ask(place, url, {"Accept": ACCEPT}) as answer:
                check_status(answer)
                content = self._content(answer, MANIFEST_LIMIT, str(reference))
                promised = descriptor.digest if descriptor else reference.digest
                for digest in (_announced(answer), promised):
                    self._check(content, digest, reference, str(reference))
                return _Document(content, _media_type(answer))

        found = self._anywhere(reference, f"image {reference}", read)
        if descriptor is None:
            return found
        if len(found.content) != descriptor.size:
            raise MismatchError(
                where=str(reference),
                expected=f"{descriptor.size} bytes",
                actual=f"{len(found.content)} bytes",
                hint=self.doubt(reference),
            )
        return _Document(found.content, descriptor.media_type)

    def _platform(self, reference: Reference, architecture: str) -> _Document:
        """Return the manifest of the image for an architecture."""
        found = self._document(reference)
        document = parse(found.content, str(reference))
        if not is_index(document, found.media_type):
            return found
        found = self._document(reference, choose(document, reference, architecture))
        if is_index(parse(found.content, str(reference)), found.media_type):
            raise RejectedFile(name=str(reference), problem="an index within an index")
        return found

    def _check(
        self, content: bytes, digest: Digest | None, reference: Reference, where: str
    ) -> None:
        actual = Digest.of(content)
        if digest not in (None, actual):
            raise MismatchError(
                where=where,
                expected=str(digest),
                actual=str(actual),
                hint=self.doubt(reference),
            )

    def _content(self, answer: Answer, limit: int, name: str) -> bytes:
        """Return a body of at most ``limit`` bytes."""
        return limited(self.patience.pace.chunks(answer.read), limit, name)


def open_client(
    settings: Settings,
    logins: Logins,
    *,
    plain: Iterable[str] = (),
    mirrors: Mapping[str, tuple[str, ...]] | None = None,
    patience: Patience | None = None,
) -> RegistryClient:
    """Return a client that reads within ``settings``; the caller closes it.

    ``plain`` are hosts that may be asked over http besides those of the loopback interface,
    ``mirrors``, by registry, hosts that are asked before it.
    """
    origins = frozenset(origin(f"http://{host}") for host in plain)
    session = Session(replace(settings, plain=settings.plain | origins))
    return RegistryClient(
        access=Access(session=session, logins=logins),
        patience=patience or Patience(),
        mirrors=mirrors or {},
    )


def _media_type(answer: Answer) -> str:
    return answer.header("Content-Type").partition(";")[0].strip().lower()


def _announced(answer: Answer) -> Digest | None:
    """Return the digest that a registry says its document has, None where it says none."""
    try:
        return Digest(answer.header("Docker-Content-Digest"))
    except ValueError:
        return None
