"""The resolver of this machine: apt and uv, with where they found things remembered as facts."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ds01build.errors import MissingDebs, Unavailable
from ds01build.flock import hold
from ds01build.resolve import apt, python
from ds01build.resolve.request import Wheels
from ds01build.resolve.sources import debian_sources, locations
from ds01build.resolve.update import open_apt, reopen_apt
from ds01build.resolve.uv import Index, NoSolution, Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ds01build.pin import DebPin, WheelPin
    from ds01build.recipe.settings import ResolveSettings
    from ds01build.resolve.apt import AptRequest
    from ds01build.resolve.python import Located
    from ds01build.resolve.request import Wanted
    from ds01build.resolve.session import AptSession
    from ds01build.resolve.sources import AptSource
    from ds01build.resolve.uv import Uv

__all__ = ["MachineResolver", "Memory"]


class Memory(Protocol):
    """Facts that may be lost at any time."""

    def get(self, kind: str, key: str) -> object:
        """Return a fact, or None."""

    def put(self, kind: str, key: str, value: object) -> None:
        """Keep a fact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineResolver:
    """Resolves with the tools, sources and caches of this machine.

    ``cache`` is a directory of the caller's alone. ``size_of`` asks a server for a file's size in
    bytes, for indexes that do not say it.
    """

    tool: Uv
    cache: Path
    memory: Memory
    architecture: str
    host_sources: tuple[AptSource, ...] = ()
    mirror: str = field(default="", repr=False)
    keyring: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    size_of: Callable[[str], int]
    update_missing: bool = False
    note: Callable[[str], None] = lambda _: None

    def with_settings(self, settings: ResolveSettings) -> MachineResolver:
        """Return the resolver for a recipe that names indexes or a mirror of its own.

        What the machine's configuration says of an alias or mirror wins.
        """
        named = {"default": settings.index_url, **dict(settings.extra_index_urls)}
        known = {index.alias for index in self.tool.indexes}
        extra = tuple(
            Index(alias=alias, url=url, secret_url=url)
            for alias, url in named.items()
            if url and alias not in known
        )
        tool = replace(self.tool, indexes=(*self.tool.indexes, *extra))
        return replace(self, tool=tool, mirror=self.mirror or settings.apt_mirror)

    def debs(
        self,
        suite: str,
        requests: Sequence[AptRequest],
        keep: Mapping[str, str],
        release: frozenset[str],
    ) -> tuple[DebPin, ...]:
        """Return the .debs of all requests: see ``apt.resolve``.

        What is missing at the mirror is released where ``update_missing`` allows it.
        """
        self.note(f"resolving .debs of {suite}")
        with self._session(suite) as session:
            try:
                return apt.resolve(session, requests, keep=keep, release=release)
            except MissingDebs as error:
                if not self.update_missing:
                    raise
                gone = frozenset(name.partition("=")[0] for name in error.debs)
                self.note(f"replacing {', '.join(error.debs)}")
                return apt.resolve(session, requests, keep=keep, release=release | gone)

    def wheels(self, wanted: Wanted, keep: Mapping[str, WheelPin]) -> Wheels:
        """Return the wheels of ``wanted``: see ``python.resolve``."""
        if not wanted.requests:
            return Wheels()
        self.note("resolving Python packages")
        with self._workspace() as workspace:
            found = python.resolve(wanted, keep, self.tool, workspace)
        pins = tuple(self._sized(one) for one in self._remember(found.located))
        return Wheels(pins, found.warnings)

    def wheel_urls(self, pins: Sequence[WheelPin], python_version: str) -> dict[WheelPin, str]:
        """Return where each wheel is: as remembered, or as the indexes say now.

        Wheels that no index offers with that digest are left out.
        """
        known = {pin: self.memory.get("location", str(pin.digest)) for pin in pins}
        urls = {pin: url for pin, url in known.items() if isinstance(url, str)}
        unknown = [pin for pin in pins if pin not in urls]
        if unknown:
            self.note(f"locating {len(unknown)} wheels")
            urls.update((one.pin, one.url) for one in self._located(unknown, python_version))
        return urls

    def deb_urls(self, pin: DebPin, suite: str) -> tuple[str, ...]:
        """Return where a .deb may be. Raises Unavailable where no source is known."""
        return locations(pin, self._sources(suite))

    def _located(self, pins: Sequence[WheelPin], python_version: str) -> tuple[Located, ...]:
        with self._workspace() as workspace:
            try:
                return self._remember(python.locate(pins, python_version, self.tool, workspace))
            except NoSolution:
                # One version is gone altogether: ask for each, so that only it is missing.
                rows = [self._located_alone(pin, python_version, workspace) for pin in pins]
        return self._remember(tuple(one for row in rows for one in row))

    def _located_alone(
        self, pin: WheelPin, python_version: str, workspace: Workspace
    ) -> tuple[Located, ...]:
        try:
            return python.locate([pin], python_version, self.tool, workspace)
        except NoSolution:
            return ()

    def _remember(self, found: tuple[Located, ...]) -> tuple[Located, ...]:
        for one in found:
            self.memory.put("location", str(one.pin.digest), one.url)
        return found

    def _sized(self, one: Located) -> WheelPin:
        return one.pin if one.pin.size else replace(one.pin, size=self.size_of(one.url))

    def _sources(self, suite: str) -> tuple[AptSource, ...]:
        return debian_sources(
            suite,
            host=self.host_sources,
            mirror=self.mirror or None,
            keyring=self.keyring or None,
        )

    @contextmanager
    def _session(self, suite: str) -> Iterator[AptSession]:
        """Yield apt over the directory of this suite, which serves one process at a time."""
        directory = self.cache / "apt" / f"{suite}-{self.architecture}"
        begin = reopen_apt if self.tool.offline else open_apt
        with self._cache_errors(), self._alone(directory):
            session = begin(directory, self._sources(suite), self.architecture, self.environment)
            for source in session.absent:
                self.note(f"the mirror has no {source.suite}")
            yield session

    @contextmanager
    def _alone(self, directory: Path) -> Iterator[None]:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with hold(directory / "lock", lambda holder: self.note(f"waiting for apt: {holder}")):
            yield

    @contextmanager
    def _workspace(self) -> Iterator[Workspace]:
        with self._cache_errors():
            self.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="uv-", dir=self.cache) as directory:
                yield Workspace(Path(directory))

    @contextmanager
    def _cache_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Unavailable(f"{self.cache} cannot be written to: {error.strerror}") from error
