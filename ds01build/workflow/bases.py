"""Images that tiers stand on: what a recipe means by one, and what is in it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from ds01build.base.config import parse_config
from ds01build.base.derive import derive
from ds01build.base.layers import read_layers
from ds01build.base.stored import from_json, to_json
from ds01build.catalogue import select
from ds01build.digest import Digest
from ds01build.errors import Ds01Error, Issue, MismatchError, Unavailable
from ds01build.events import Note, Warned
from ds01build.lock import LockedImage
from ds01build.quantities import counted, readable
from ds01build.recipe import FrameworkBase, ImageBase
from ds01build.reference import parse_reference
from ds01build.registry.document import parse
from ds01build.registry.manifest import assemble, read_manifest
from ds01build.target import Ground
from ds01build.workflow.registered import fetch_layers, pinned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ds01build.base.facts import BaseFacts
    from ds01build.base.tree import Tree
    from ds01build.catalogue import Selected
    from ds01build.digest import DiffId
    from ds01build.events import Report
    from ds01build.layer import Layer
    from ds01build.reference import Reference
    from ds01build.registry import RegistryClient
    from ds01build.registry.manifest import RemoteImage
    from ds01build.store import DirStore

__all__ = ["ImageBases", "Machine"]

_CHUNK = 1 << 20  # bytes


class Cache(Protocol):
    """Derived facts that may be lost at any time."""

    def get(self, kind: str, key: str) -> object:
        """Return a fact, or None."""

    def put(self, kind: str, key: str, value: object) -> None:
        """Keep a fact."""


class Probes(Protocol):
    """Looks into images that an engine has."""

    def tree(self, diff_ids: tuple[DiffId, ...], name: str = "") -> Tree | None:
        """Return the tree of the image with these layers; None where no engine has it.

        By ``name`` it may be found sooner.
        """

    def has_engine(self) -> bool:
        """Say whether an engine answers."""

    def advice(self, name: str) -> str:
        """Return what helps with an image that an engine has and no registry; empty for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What decides which image a framework is: MLC_ARCH, and the version of the GPU's driver."""

    mlc_arch: str = ""
    driver: str = ""
    architecture: str = "amd64"  # of the processor, as OCI names it


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBases:
    """Finds bases in a registry, and reads what is in them: by an engine, or from their layers."""

    registry: RegistryClient
    store: DirStore
    cache: Cache
    probes: Probes
    machine: Machine
    report: Report
    offline: bool = False
    loads: bool = False  # whether what is built goes into an engine, which may lack the base
    shown: LockedImage | None = None  # what somebody was shown under its name, and decided on
    _read: dict[Digest, BaseFacts] = field(default_factory=dict, repr=False, compare=False)

    def locked(
        self, wanted: ImageBase | FrameworkBase, previous: LockedImage | None
    ) -> LockedImage:
        """Return the image that ``wanted`` names now.

        ``previous``, or else what was ``shown``, is taken if it is of the same name. Its ground is
        empty. Raises Unavailable, and Ds01Error where there is no such image.
        """
        reference = self._reference(wanted)
        previous = previous or self.shown
        if previous is not None and previous.reference == str(reference):
            return replace(previous, ground=Ground(), glibc="")
        self._require_network(str(reference))
        self.report(Note(f"looking up {reference.familiar}"))
        try:
            found = self.registry.image(reference, self.machine.architecture)
        except Ds01Error as error:
            hints = (error.hint, self.probes.advice(reference.familiar))
            raise replace(error, hint="; or, ".join(filter(None, hints))) from error
        if parse_config(found.config).on_build:
            raise Ds01Error(
                f"{reference.familiar} has ONBUILD instructions, which are for Dockerfiles alone",
                hint="build an image from it with a Dockerfile, and name that one under [base]",
            )
        return LockedImage(
            reference=str(reference),
            architecture=found.architecture,
            manifest=found.digest,
            config=self._kept(found).config_digest,
            layers=found.layers,
        )

    def contradictions(self, image: LockedImage) -> tuple[Issue, ...]:
        """Return what of ``image`` is not as its manifest says, which its digest stands for.

        The manifest is in the store where the lock was made; elsewhere it is fetched once. Nothing
        is found, and that is noted, where nobody can be asked. Raises Ds01Error for one that its
        registry does not have.
        """
        try:
            found = self._described(image)
        except Unavailable as error:
            name = parse_reference(image.reference).familiar
            self.report(Warned(f"whether the lock has {name} right is not known: {error}"))
            return ()
        return tuple(_contradictions(image, found))

    def _described(self, image: LockedImage) -> RemoteImage:
        reference = pinned(image)
        if not self.store.has(image.manifest):
            self._require_network(image.reference)
            return self._kept(self.registry.image(reference, image.architecture))
        manifest = self.store.path(image.manifest).read_bytes()
        if Digest.of(manifest) != image.manifest:
            raise MismatchError(
                where=f"the manifest of {reference.familiar}",
                expected=str(image.manifest),
                actual=str(Digest.of(manifest)),
                hint="ds01 store verify",
            )
        config = replace(image, config=read_manifest(parse(manifest, str(reference))).config.digest)
        return assemble(reference, image.architecture, manifest, self.config(config))

    def _kept(self, found: RemoteImage) -> RemoteImage:
        """Keep the documents of an image, by which locks are compared with it."""
        self.store.put(found.manifest)
        self.store.put(found.config)
        return found

    def moved(self, image: LockedImage) -> Digest | None:
        """Return where the reference of ``image`` points now, if that is another image.

        Raises Unavailable.
        """
        reference = parse_reference(image.reference)
        if reference.digest is not None:
            return None
        now = self.registry.digest_of(reference, image.architecture)
        return None if now == image.manifest else now

    def config(self, image: LockedImage) -> bytes:
        """Return the configuration of ``image``: from the store, or fetched and kept there.

        Raises Unavailable, MismatchError.
        """
        if self.store.has(image.config):
            content = self.store.path(image.config).read_bytes()
            if self.store.put(content) == image.config:
                return content
            raise MismatchError(
                where=f"the configuration of {image.reference}",
                expected=str(image.config),
                actual="other bytes",
                hint="ds01 store verify",
            )
        self._require_network(image.reference)
        content = self.registry.config(pinned(image), image.config)
        self.store.put(content)
        return content

    def known(self, image: LockedImage) -> BaseFacts | None:
        """Return what is remembered of ``image``, None where nothing is."""
        known = self._read.get(image.config)
        known = known or from_json(self.cache.get("base", str(image.config)))
        if known is not None:
            self._read[image.config] = known  # to check thousands of fields takes 4 ms
        return known

    def facts(self, image: LockedImage) -> BaseFacts:
        """Return what is in ``image``.

        As remembered, by an engine that has it, or from its layers, which are streamed.
        """
        known = self.known(image)
        if known is not None:
            return known
        with self.store.lease(()):  # what is read of it in the store stays until then
            return self._facts(image)

    def _facts(self, image: LockedImage) -> BaseFacts:
        config = parse_config(self.config(image))
        name = parse_reference(image.reference).familiar
        tree = self.probes.tree(tuple(layer.diff_id for layer in image.layers), name)
        if tree is None and self.loads and self.probes.has_engine():
            self._keep(image)
        facts = derive(tree or self._streamed(image), config)
        self.cache.put("base", str(image.config), to_json(facts))
        return facts

    def _keep(self, image: LockedImage) -> None:
        """Bring the layers into the store: they will be read twice, now and for the engine."""
        self._require_network(image.reference)
        fetch_layers(
            pinned(image),
            image.layers,
            registry=self.registry,
            store=self.store,
            tell=self.report,
        )

    def _streamed(self, image: LockedImage) -> Tree:
        reference = pinned(image)
        size = sum(layer.size for layer in image.layers)
        what = f"{readable(size)} in {counted(len(image.layers), 'layer')}"
        self.report(Note(f"reading {reference.familiar} ({what})"))
        with ExitStack() as stack:
            streams = ((layer, self._stream(stack, reference, layer)) for layer in image.layers)
            try:
                return read_layers(streams, clock=time.monotonic)
            except MismatchError as error:
                whom = f"the image contradicts itself: ask who pushed {reference.familiar}"
                raise replace(error, hint=error.hint or whom) from error

    def _stream(self, stack: ExitStack, reference: Reference, layer: Layer) -> Iterable[bytes]:
        """Return the bytes of a layer as it is stored, from the store where it has them."""
        if self.store.renew(layer.digest, layer.size):
            source = self.store.source(layer.digest)
            return (source.read(at, _CHUNK) for at in range(0, layer.size, _CHUNK))
        self._require_network(str(reference))
        reader = stack.enter_context(self.registry.blob(reference, layer.digest, layer.size))
        return iter(lambda: reader.read(_CHUNK), b"")

    def _reference(self, wanted: ImageBase | FrameworkBase) -> Reference:
        if isinstance(wanted, ImageBase):
            return parse_reference(wanted.reference)
        found = self.selected(wanted)
        self.report(Note(f"{wanted.framework} is {found.reference} ({found.reason})"))
        for warning in found.warnings:
            self.report(Warned(f"warning: {warning}"))
        return parse_reference(found.reference)

    def selected(self, wanted: FrameworkBase) -> Selected:
        """Return which image of the catalogue a framework is on this machine."""
        return select(
            wanted.framework,
            wanted.version,
            architecture=wanted.architecture,
            mlc_arch=self.machine.mlc_arch,
            driver=self.machine.driver,
        )

    def _require_network(self, name: str) -> None:
        if self.offline:
            raise Unavailable(
                f"{name} is not known well enough here, and --offline forbids to ask its registry",
                hint="run it once without --offline",
            )


def _contradictions(image: LockedImage, found: RemoteImage) -> Iterator[Issue]:
    if image.config != found.config_digest:
        yield Issue("base.config", f"{image.config}, its manifest says {found.config_digest}")
    if len(image.layers) != len(found.layers):
        counts = f"{len(image.layers)} layers, its manifest has {len(found.layers)}"
        yield Issue("base.layer", counts)
    for number, (told, true) in enumerate(zip(image.layers, found.layers, strict=False)):
        for name in ("digest", "diff_id", "size", "media_type"):
            said, is_ = getattr(told, name), getattr(true, name)
            if said != is_:
                where = f"base.layer[{number}].{name.replace('_', '-')}"
                yield Issue(where, f"{said}, the image has {is_}")
