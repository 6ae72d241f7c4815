"""Gets files over https, from an http server where that is allowed, and from file: URLs."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ds01build.http.answer import Absent, Refused, body_of
from ds01build.http.session import Request, Session
from ds01build.http.settings import Proxies, Settings
from ds01build.once import once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ds01build.http.answer import Response

__all__ = ["HttpTransport", "Proxies", "Settings"]


class HttpTransport:
    """A Transport; its connections are kept open for further requests until ``close``.

    ``settings`` is called by the first request, which raises what it raises, and Unavailable for a
    proxy that is none.
    """

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._session = once(lambda: Session(settings()))

    def allowing(self, plain: frozenset[str]) -> HttpTransport:
        """Return one that asks the origins ``plain`` over http, too."""

        def wider() -> Settings:
            settings = self._settings()
            return replace(settings, plain=settings.plain | plain)

        return HttpTransport(wider)

    def prepare(self) -> None:
        """Do what the first request would have to do before it asks. Raises what that raises."""
        self._session().prepare()

    def close(self) -> None:
        """Close the connections that are idle."""
        self._session().close()

    @contextlib.contextmanager
    def get(self, url: str, offset: int) -> Iterator[Response]:
        """Ask for the file at ``url`` from ``offset`` on; the answer may start earlier.

        A password in the URL, or that of the settings, is sent to its own origin only. Raises
        Absent, Interrupted and Refused.
        """
        if url.startswith("file:"):
            with _open_file(url, offset) as body:
                yield body
            return
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        with self._session().ask(Request(url=url, headers=headers)) as answer:
            yield body_of(answer, offset)


@dataclass(frozen=True, slots=True)
class _File:
    start: int
    size: int
    encoding: str
    _descriptor: int

    def read(self, limit: int) -> bytes:
        return os.read(self._descriptor, limit)


@contextlib.contextmanager
def _open_file(url: str, offset: int) -> Iterator[Response]:
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or not path.startswith("/") or "\0" in path:
        raise Refused("not an absolute file: URL of this machine")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise Absent(path) from error
    except OSError as error:
        raise Refused(f"it can't be opened: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Refused("it is not a regular file")
        start = os.lseek(descriptor, min(offset, status.st_size), os.SEEK_SET)
        yield _File(start, status.st_size - start, "", descriptor)
    finally:
        os.close(descriptor)
