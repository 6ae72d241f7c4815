"""Brings the wheels that no index offers: from where a recipe says, or built from source.

What executes a package's own build is a container of the base, never this machine.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from ds01build.base.distributions import described
from ds01build.base.holding import Held
from ds01build.base.needs import extras_of, needs, variables, with_urls
from ds01build.digest import Digest, Key
from ds01build.direct import file_name
from ds01build.errors import MismatchError, ResolveError, Unavailable
from ds01build.events import Note
from ds01build.fetch import Download, NotThere
from ds01build.grammar import requirement_name, sdist
from ds01build.layers.wheel import check_platform, metadata
from ds01build.location import redact
from ds01build.lock import LockedImage
from ds01build.pin import Source, WheelPin
from ds01build.platform import wheel_tags
from ds01build.resolve.behind import packages_of
from ds01build.resolve.request import Supplied
from ds01build.workflow.benches import Benches
from ds01build.workflow.downloads import fetch_file
from ds01build.workflow.footing import Footing, locked_platform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ds01build.digest import Canonical
    from ds01build.direct import Direct
    from ds01build.engine.wheels import Bench
    from ds01build.platform import Platform
    from ds01build.resolve.machine import MachineResolver
    from ds01build.resolve.request import Wanted
    from ds01build.workflow.steps import Edges, Locked

__all__ = ["Sourcing", "build_again", "sourcing"]

SCHEMA = "ds01.built/1"
_WHEEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,250}\.whl")


@contextlib.contextmanager
def sourcing(edges: Edges, resolver: MachineResolver, found: Footing) -> Iterator[Sourcing]:
    """Yield what brings wheels for what tiers stand on; without Python there are none."""
    assert found.target is not None, "no wheels without Python"
    assert found.platform is not None, "no wheels without Python"
    with contextlib.ExitStack() as stack:
        benches = Benches(
            edges=edges, resolver=resolver, base=found.base, target=found.target, stack=stack
        )
        yield Sourcing(benches=benches, platform=found.platform)


def build_again(pins: Sequence[WheelPin], locked: Locked, edges: Edges) -> None:
    """Build wheels of a lock again, which the store lacks and nobody offers.

    Raises MismatchError where other bytes come of it, and what building raises.
    """
    if not pins:
        return
    lock = locked.lock
    found = Footing(
        base=lock.base, debs=lock.debs, platform=locked_platform(lock), target=lock.target
    )
    resolver = edges.resolver.with_settings(locked.request.recipe.resolve)
    with sourcing(edges, resolver, found) as sources:
        for pin in pins:
            sources.again(pin, str(locked.request.path))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Sourcing:
    """Brings wheels for one base into the store.

    They are leased, and the image stays that they are built in, until the stack of ``benches`` is
    closed.
    """

    benches: Benches
    platform: Platform

    def direct(self, wanted: Direct, known: WheelPin | None) -> Supplied:
        """Return the wheel that a direct URL of the recipe comes to.

        ``known`` is the one of the last lock for this very URL: its commit stays.
        """
        source, address = wanted.source, wanted.sha256
        if source.kind == "url":
            file = file_name(source.place)
            self._fetch(str(wanted.name), source.place, Digest(f"sha256:{address}"))
            made = self._pin(wanted.name, file, Digest(f"sha256:{address}"), source)
            return self._checked(made, only=True)
        if known is not None and known.source is not None:
            source = known.source
            if self._is_here(known):
                return self._checked(known, only=True)
        pin = self._known(wanted.name, source) or self._built(wanted.name, source, wanted.revision)
        return self._checked(pin, only=True)

    def sdist(self, name: str, wanted: Wanted, known: WheelPin | None) -> Supplied | None:
        """Return the wheel of the source distribution that an index has of ``name``.

        It is of the version of ``known`` while that satisfies. None over a root of .debs, which is
        in no engine yet.
        """
        if not isinstance(self.benches.base, LockedImage):
            return None
        lines = [line for r in wanted.requests for line in r.requirements if _is_of(line, name)]
        bounds = [line for line in wanted.constraints if _is_of(line, name)]
        if known and all(_allows(line, known.version) for line in [*lines, *bounds]):
            lines.append(str(known))
        options = ["--exclude-newer", wanted.exclude_newer] if wanted.exclude_newer else []
        options += ["--prerelease", wanted.prerelease] if wanted.prerelease else []
        with self.benches.open(name) as bench:
            found = packages_of(bench.located(name, lines or [name], bounds, options))
            source, url, index = self._offered(name, found)
            pin = self._known(name, source)
            if pin is None:
                self._fetch(source.place, url, Digest(f"sha256:{source.address}"))
                pin = self._wheel(bench, name, source, self._archive(bench, source))
        return self._checked(replace(pin, index=index))

    def kept(self, pin: WheelPin) -> Supplied | None:
        """Return a built wheel of the last lock, unless this machine lacks it."""
        return self._checked(pin) if self._is_here(pin) else None

    def again(self, pin: WheelPin, recipe: str) -> None:
        """Build the wheel of ``pin`` again, since the store lacks it.

        Raises MismatchError where other bytes come of it than those that are locked.
        """
        assert pin.source is not None, "a built wheel has a source"
        self.benches.edges.report(
            Note(f"{pin} is not in the store: building it again from its source")
        )
        if pin.source.kind == "sdist":
            made = self._sdist_again(pin, pin.source)
        else:
            made = self._built(pin.name, pin.source, pin.source.address)
        if made.digest != pin.digest:
            raise MismatchError(
                where=f"{pin}, which was built again from its source",
                expected=str(pin.digest),
                actual=f"{made.digest}: a build is not reproducible",
                hint=f"ds01 lock --upgrade-package {pin.name} {recipe}, or copy the wheel's blob "
                "from the store that it was locked in",
            )

    def _sdist_again(self, pin: WheelPin, source: Source) -> WheelPin:
        with self.benches.open(pin.name) as bench:
            if not self.benches.edges.store.renew(Digest(f"sha256:{source.address}")):
                found = packages_of(bench.located(pin.name, [str(pin)], (), ()))
                offered, url, _ = self._offered(pin.name, found)
                if offered != source:
                    problem = f"no package index offers the locked {source.place} any more"
                    raise ResolveError(problem)
                self._fetch(source.place, url, Digest(f"sha256:{source.address}"))
            return self._wheel(bench, pin.name, source, self._archive(bench, source))

    def _built(self, name: str, source: Source, revision: str) -> WheelPin:
        with self.benches.open(name) as bench:
            if source.kind == "archive":
                digest = Digest(f"sha256:{source.address}")
                self._fetch(file_name(source.place), source.place, digest)
                return self._wheel(bench, name, source, self._archive(bench, source))
            tree, commit = bench.cloned(source.place, source.address or revision)
            source = replace(source, address=commit)
            return self._known(name, source) or self._wheel(bench, name, source, tree)

    def _archive(self, bench: Bench, source: Source) -> str:
        content = self.benches.edges.store.source(Digest(f"sha256:{source.address}"))
        # The name says how to unpack it, and nothing else.
        place = file_name(source.place)
        suffix = next(each for each in _SUFFIXES if place.endswith(each))
        return bench.put(f"source{suffix}", content)

    def _wheel(self, bench: Bench, name: str, source: Source, place: str) -> WheelPin:
        """Build the wheel of what lies at ``place`` in the container, and keep it in the store."""
        store, report = self.benches.edges.store, self.benches.edges.report
        report(Note(f"building the wheel of {name}"))
        file = bench.built(place)
        if not _WHEEL.fullmatch(file):
            raise ResolveError(f"the build of {name} made {file!r:.100}, which is not a wheel")
        with store.writer(name=file) as writer:
            for chunk in bench.read(file):
                writer.write(chunk)
            digest, _ = writer.commit()
        pin = self._pin(name, file, digest, source)
        self._checked(pin)
        row: dict[str, Canonical] = {"file": file, "digest": str(digest)}
        store.record_document(self._key(name, source), row)
        return pin

    def _known(self, name: str, source: Source) -> WheelPin | None:
        """Return the wheel that was built of ``source`` over this base before, on this machine."""
        row = self.benches.edges.store.document(self._key(name, source)) if source.address else None
        if row is None:
            return None
        digest = Digest(str(row["digest"]))
        if not self.benches.edges.store.renew(digest):
            return None
        return self._pin(name, str(row["file"]), digest, source)

    def _key(self, name: str, source: Source) -> Key:
        layers = self.benches.base.layers if isinstance(self.benches.base, LockedImage) else ()
        return Key.of(
            {
                "schema": SCHEMA,
                "name": name,
                "source": [source.kind, source.place, source.address],
                "image": [str(layer.diff_id) for layer in layers],
                "interpreter": self.benches.target.interpreter,
            }
        )

    def _pin(self, name: str, file: str, digest: Digest, source: Source) -> WheelPin:
        try:
            found, version, _, _ = parse_wheel_filename(file)
        except ValueError as error:
            raise ResolveError(f"{name} comes as {file!r:.100}: {error}") from error
        if found != name:
            raise ResolveError(f"{name} comes as a wheel of {found}: {file!r:.100}")
        return WheelPin(
            name=name,
            version=str(version),
            file=file,
            size=self.benches.edges.store.source(digest).size,
            digest=digest,
            tier="",
            source=source,
        )

    def _checked(self, pin: WheelPin, *, only: bool = False) -> Supplied:
        """Return a wheel of the store with what it needs, once all of it has been read."""
        self.benches.stack.enter_context(self.benches.edges.store.lease([pin.digest]))
        check_platform(pin, wheel_tags(self.platform))
        text = metadata(self.benches.edges.store.source(pin.digest), pin, self.benches.target)
        found = described(pin.name, pin.version, text.decode(errors="replace"))
        values = variables(self.platform.python, self.platform.machine)
        held = Held(
            name=pin.name,
            version=str(Version(pin.version)),
            needs=needs(found, values),
            extras=extras_of(found),
        )
        return Supplied(
            pin=replace(pin, tier="", requires=()),
            described=held,
            only=only,
            elsewhere=with_urls(found, values),
        )

    def _is_here(self, pin: WheelPin) -> bool:
        return self.benches.edges.store.renew(pin.digest, pin.size)

    def _offered(self, name: str, found: Sequence[Mapping[str, Any]]) -> tuple[Source, str, str]:
        """Return the source distribution of a pylock.toml, its URL, and the alias of its index."""
        for package in found:
            row = package.get("sdist") or {}
            url, sha256 = row.get("url", ""), row.get("hashes", {}).get("sha256", "")
            if canonicalize_name(package.get("name", "")) != name or not url:
                continue
            file = _sdist_name(url)
            if not sha256:
                raise ResolveError(f"the package index has no sha256 for {file!r:.100}")
            index = str(package.get("index", "")).rstrip("/")
            alias = self.benches.resolver.tool.aliases().get(index, "default")
            return Source(kind="sdist", place=file, address=sha256), url, alias
        raise ResolveError(f"the package index has no source distribution of {name}")

    def _fetch(self, name: str, url: str, digest: Digest) -> None:
        if self.benches.edges.store.renew(digest):
            return
        if self.benches.resolver.tool.offline:
            raise Unavailable(
                f"{name} is not in the store, and --offline forbids to fetch it",
                hint="run it once without --offline",
            )
        size = self.benches.resolver.size_of(url)
        try:
            fetch_file(
                Download(digest=digest, size=size, urls=(url,), name=name), self.benches.edges
            )
        except NotThere as error:
            raise ResolveError(f"{name} is not at {redact(url)} any more") from error


_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")


def _sdist_name(url: str) -> str:
    """Return the name of a file that an index offers, if it is one that the lock may have."""
    if not url.startswith(("https://", "http://")):
        raise ResolveError(f"the source distribution at {redact(url)} is on no server")
    try:
        return sdist(file_name(url))
    except ValueError as error:
        raise ResolveError(str(error)) from error


def _allows(line: str, version: str) -> bool:
    return Requirement(line).specifier.contains(version, prereleases=True)


def _is_of(line: str, name: str) -> bool:
    return requirement_name(line) == name
