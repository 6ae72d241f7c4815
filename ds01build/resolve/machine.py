"""The resolver of this machine: apt and uv, with where they found things remembered as facts."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ds01build.errors import MissingDebs, Unavailable
from ds01build.flock import hold
from ds01build.location import redact
from ds01build.quantities import counted
from ds01build.resolve import apt, python
from ds01build.resolve.archives import Site, archives_of
from ds01build.resolve.installed import NOTHING, debian_architecture, installed_of
from ds01build.resolve.request import Wheels
from ds01build.resolve.session import AptPlan, HostRunner, carried, has_apt
from ds01build.resolve.sources import debian_sources, locations
from ds01build.resolve.update import NoSuite, open_apt, reopen_apt
from ds01build.resolve.uv import Index, NoSolution, Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from ds01build.base.facts import BaseFacts
    from ds01build.pin import DebPin, WheelPin
    from ds01build.recipe.settings import ResolveSettings
    from ds01build.resolve.apt import AptWanted
    from ds01build.resolve.archives import Archives
    from ds01build.resolve.installed import Installed
    from ds01build.resolve.python import Located
    from ds01build.resolve.request import Wanted
    from ds01build.resolve.session import AptRunner, AptSession
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
    bytes, for indexes that do not say it; ``apt_of`` is the apt of a base image, in a container,
    for machines without apt. ``host_sources`` are read when they are first asked for.
    """

    tool: Uv
    cache: Path
    memory: Memory
    architecture: str
    host_sources: Callable[[], tuple[AptSource, ...]] = tuple
    mirror: str = field(default="", repr=False)
    keyring: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    size_of: Callable[[str], int]
    update_missing: bool = False
    apt_of: Callable[[BaseFacts], AbstractContextManager[AptRunner]] | None = None
    note: Callable[[str], None] = lambda _: None
    warn: Callable[[str], None] = lambda _: None  # of what the pins are not as expected for

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

    def debs(self, suite: str, wanted: AptWanted) -> tuple[DebPin, ...]:
        """Return the .debs of all tiers: see ``apt.resolve``.

        What is missing at the mirror is released where ``update_missing`` allows it.
        """
        with self._session(suite) as session:
            return self._resolved(session, wanted, NOTHING)

    def debs_over(self, base: BaseFacts, wanted: AptWanted) -> tuple[DebPin, ...]:
        """Return the .debs of apt tiers over a base image: see ``apt.resolve``.

        Upgrades of what the base has are among them, and noted; ``apt.replaced`` tells them apart.
        """
        installed = installed_of(base)
        for text in installed.skipped:
            self.warn(text)
        if apt.has_all(installed, wanted.requests):
            return ()
        try:
            pins = self._debs_from(self._site(), base, wanted)
        except (NoSuite, Unavailable) as error:
            # Without a network, what a mirror lacks looks like what was never downloaded.
            is_lacking = isinstance(error, NoSuite) or self.tool.offline
            if not (is_lacking and self._is_foreign(base)):
                raise
            self.warn(f"the mirror does not serve the base: {error}")
            pins = self._debs_from(self._site_without_mirror(), base, wanted)
        had = apt.replaced(pins, installed)
        for pin in pins:
            if pin.name in had:
                self.warn(f"tier {pin.tier} upgrades {pin.name} {had[pin.name]} to {pin.version}")
        return pins

    def _debs_from(self, site: Site, base: BaseFacts, wanted: AptWanted) -> tuple[DebPin, ...]:
        archives = archives_of(base, site)
        for text in archives.notes:
            self.warn(text)
        with self._session_over(base, archives) as session:
            return self._resolved(session, wanted, installed_of(base))

    def _is_foreign(self, base: BaseFacts) -> bool:
        """Return whether the mirror may be that of another distribution than the base's."""
        return bool(self.mirror) and base.distribution != "debian"

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
            self.note(f"locating {counted(len(unknown), 'wheel')}")
            urls.update((one.pin, one.url) for one in self._located(unknown, python_version))
        return urls

    def deb_urls(self, pin: DebPin, suite: str) -> tuple[str, ...]:
        """Return where a .deb may be. Raises Unavailable where no source is known."""
        return locations(pin, self._sources(suite))

    def deb_urls_over(self, pin: DebPin, base: BaseFacts) -> tuple[str, ...]:
        """Return where a .deb over a base image may be, as the base's sources and this machine say.

        Raises Unavailable where the base has no archive of that alias.
        """
        sources = archives_of(base, self._site()).sources
        if self._is_foreign(base):
            with suppress(Unavailable):
                sources += archives_of(base, self._site_without_mirror()).sources
        fitting = [each for each in sources if each.archive == pin.archive or not each.extra]
        if pin.archive.startswith("archive-"):
            fitting = [each for each in fitting if each.archive == pin.archive]
        if not fitting:
            raise Unavailable(
                f"the base has no archive {pin.archive!r}, which {pin} is from",
                hint="lock again, over the base as it is now: ds01 lock --upgrade RECIPE",
            )
        return locations(pin, fitting)

    def _resolved(
        self, session: AptSession, wanted: AptWanted, base: Installed
    ) -> tuple[DebPin, ...]:
        def resolved(release: frozenset[str]) -> tuple[DebPin, ...]:
            return apt.resolve(
                session, wanted.requests, keep=wanted.keep, release=release, base=base
            )

        self.note(f"resolving .debs of {session.title}")
        try:
            return resolved(wanted.release)
        except MissingDebs as error:
            if not self.update_missing:
                raise
            gone = frozenset(name.partition("=")[0] for name in error.debs)
            self.warn(f"replacing {', '.join(error.debs)}")
            return resolved(wanted.release | gone)

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
        for one in (each for each in found if each.url):
            self.memory.put("location", str(one.pin.digest), one.url)
        return found

    def _sized(self, one: Located) -> WheelPin:
        return one.pin if one.pin.size else replace(one.pin, size=self.size_of(one.url))

    def _sources(self, suite: str) -> tuple[AptSource, ...]:
        return debian_sources(
            suite,
            host=self.host_sources(),
            mirror=self.mirror or None,
            keyring=self.keyring or None,
        )

    def _site(self) -> Site:
        return Site(host=self.host_sources(), mirror=self.mirror, keyring=self.keyring)

    def _site_without_mirror(self) -> Site:
        return Site(host=self.host_sources(), servers=tuple(self.mirror.split()))

    @contextmanager
    def _session(self, suite: str) -> Iterator[AptSession]:
        """Yield apt over the directory of this suite, which serves one process at a time."""
        plan = AptPlan(
            sources=self._sources(suite), architecture=self.architecture, title=f"Debian {suite}"
        )
        with self._local(f"{suite}-{self.architecture}", plan) as session:
            yield session

    @contextmanager
    def _session_over(self, base: BaseFacts, archives: Archives) -> Iterator[AptSession]:
        """Yield apt for a base image: this machine's, or else the base's own."""
        plan = AptPlan(
            sources=archives.sources,
            architecture=debian_architecture(base.architecture),
            title=archives.title,
            status=installed_of(base).text(),
        )
        if self.apt_of is None or has_apt(self.environment):
            with self._local(f"base-{archives.key()}-{plan.architecture}", plan) as session:
                yield session
            return
        if self.tool.offline:
            raise Unavailable("without a network, .debs over this base need apt on this machine")
        elsewhere = {name: self.environment[name] for name in self.environment if name != "PATH"}
        with self.apt_of(base) as runner:
            session = open_apt(runner, carried(plan), elsewhere)
            self._tell(session)
            yield session

    @contextmanager
    def _local(self, name: str, plan: AptPlan) -> Iterator[AptSession]:
        directory = self.cache / "apt" / name
        begin = reopen_apt if self.tool.offline else open_apt
        with self._cache_errors(), self._alone(directory):
            session = begin(HostRunner(str(directory)), plan, self.environment)
            self._tell(session)
            yield session

    def _tell(self, session: AptSession) -> None:
        for source, reason in session.absent:
            self.warn(f"going on without {source.suite} of {redact(source.uri)}: {reason}")

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
