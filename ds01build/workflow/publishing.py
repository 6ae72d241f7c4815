"""Gives an image its names in the store, and drops what it is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build import image as oci
from ds01build import lockfile, spec
from ds01build.lock import LockedImage
from ds01build.pin import FilePin, WheelPin
from ds01build.store import roots
from ds01build.store.audit import recorded_layers
from ds01build.workflow.quick import place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.digest import Digest
    from ds01build.image import Image
    from ds01build.lock import Lock
    from ds01build.pin import DebPin
    from ds01build.realise import Made
    from ds01build.store import DirStore
    from ds01build.workflow.steps import Edges, Locked

__all__ = ["drop_sources", "publish"]


def publish(image: Image, locked: Locked, edges: Edges) -> None:
    """Make the image durable, then its names: by digest, and the one that moves."""
    store, name = edges.store, locked.lock.name
    store.put(image.config)
    store.put(image.manifest)
    _tag(store, f"{name}@{image.digest}", image, {})
    made = roots.Generation(
        image=image.digest,
        lock=store.put(lockfile.dumps(locked.lock).encode()),
        recipe=store.put(locked.request.text.encode()),
        place=place(locked.request.path),
        created=edges.now(),
    )
    number = roots.append(store.root, name, made).number
    _tag(store, name, image, {roots.CURRENT: str(number)})


def _tag(store: DirStore, name: str, image: Image, annotations: dict[str, str]) -> None:
    store.tag(
        name,
        manifest=image.digest,
        size=len(image.manifest),
        media_type=oci.MANIFEST_TYPE,
        annotations=annotations,
    )


def drop_sources(made: Sequence[Made], loaded: Lock | None, edges: Edges) -> None:
    """Remove what was fetched for a layer of its own: the layer holds those bytes now.

    What was built stays, since no index has it, and so does what shares a layer: it is small, and
    the layer is made anew when one of its packages moves. Layers of the base of ``loaded`` go too,
    since the engine that it was loaded into has them, but for those that the store made by itself.
    """
    alone = [one.step.spec for one in made if one.action in ("written", "ran")]
    digests = [
        pins[0].digest
        for pins in map(spec.sources, alone)
        if len(pins) == 1 and not isinstance(pins[0], FilePin) and not _is_built(pins[0])
    ]
    if loaded is not None and isinstance(loaded.base, LockedImage):
        digests += _brought(loaded.base, edges)
    edges.store.remove_unleased(digests)


def _brought(base: LockedImage, edges: Edges) -> set[Digest]:
    """Return the layers of a base that are in the store and that no key stands for."""
    there = {layer.digest for layer in base.layers if edges.store.has(layer.digest)}
    return there.difference(recorded_layers(edges.store)) if there else there


def _is_built(pin: WheelPin | DebPin) -> bool:
    return isinstance(pin, WheelPin) and pin.is_built
