"""Builds an image: lock, plan, fetch and write what is missing, assemble, publish in the store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ds01build import beneath, lockfile, spec
from ds01build import image as oci
from ds01build.digest import Digest
from ds01build.errors import (
    CollisionError,
    Ds01Error,
    MismatchError,
    MissingDebs,
    StoreError,
    Unavailable,
)
from ds01build.events import Expected, Note, Written
from ds01build.fetch import NotThere
from ds01build.graph import STATE
from ds01build.image import ImageConfig, StackedLayer, assemble
from ds01build.pin import DebPin, FilePin, WheelPin
from ds01build.realise import Materials, realise
from ds01build.spec import StateSpec
from ds01build.store import roots
from ds01build.workflow import downloads, owners, quick
from ds01build.workflow.built import Built, BuiltLayer, Seconds
from ds01build.workflow.locking import Upgrade
from ds01build.workflow.steps import make_lock, make_plan, write_lock

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from ds01build.image import Image
    from ds01build.layer import Layer
    from ds01build.lock import Lock
    from ds01build.plan import LayerStep
    from ds01build.realise import Made
    from ds01build.workflow.steps import Choices, Edges, Locked, Planned

__all__ = ["build"]

# A shell that works, and text in UTF-8; the recipe's own settings win.
DEFAULT_ENV = {
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}
DEFAULT_CMD = ("/bin/bash",)
_NAMED = 5  # packages of a message


def build(recipe: Path, edges: Edges, choices: Choices) -> Built:
    """Build the image of ``recipe`` into the store and return it.

    Executes the plan that ``make_plan`` returns. Raises every error of locking, fetching, layers
    and the store; until its last step the image's name stands for what it stood for before.
    """
    timer = _Timer(edges)
    locked = make_lock(recipe, edges, choices)
    timer.lock = timer.elapsed()
    try:
        return _build(locked, edges, choices, timer)
    except NotThere as error:
        missing = _missing_debs(error, locked.lock)
        if not missing or not choices.update_missing:
            raise _not_there(error, missing, recipe) from error
    edges.report(Note(f"the mirror no longer has {', '.join(missing)}: replacing them"))
    names = frozenset(name.partition("=")[0] for name in missing)
    locked = write_lock(locked.request, locked.lock, edges, Upgrade(packages=names))
    return _build(locked, edges, choices, timer)


@dataclass(slots=True)
class _Timer:
    """Seconds since the start, by phase."""

    edges: Edges
    start: float = field(init=False)
    lock: float = 0.0
    fetch: float = 0.0
    layers: float = 0.0

    def __post_init__(self) -> None:
        self.start = self.edges.clock()

    def elapsed(self) -> float:
        return self.edges.clock() - self.start

    def seconds(self) -> Seconds:
        return Seconds(lock=self.lock, fetch=self.fetch, layers=self.layers, total=self.elapsed())


def _build(locked: Locked, edges: Edges, choices: Choices, timer: _Timer) -> Built:
    pins: list[WheelPin | DebPin] = [*locked.lock.wheels, *locked.lock.debs]
    with edges.store.lease(pin.digest for pin in pins):
        planned = make_plan(locked, edges)
        _refuse_offline(planned, choices)
        _refuse_without_space(planned)
        received: list[int] = []
        made = _realise(planned, edges, received, timer)
        try:
            image = _assemble(planned, made)
        except CollisionError as error:
            layers = {f"{one.step.tier}: {_title(one.step)}": one.step.spec for one in made}
            raise owners.named(error, layers, edges.store, edges.facts) from error
        _publish(image, locked, edges)
    if not choices.keep_sources:
        _drop_sources(made, edges)
    built = _built(locked, image, made, sum(received), timer)
    if locked.lock.recipe == locked.request.digest:
        # The bytes that were read at the start: a recipe may be edited while its build runs.
        key = quick.build_key(locked.request.content, locked.content)
        edges.store.record_document(key, quick.document(built, locked.request.included))
    return built


def _refuse_offline(planned: Planned, choices: Choices) -> None:
    pins = planned.plan.downloads
    if choices.offline and pins:
        more = ", ..." if len(pins) > _NAMED else ""
        names = ", ".join(map(str, pins[:_NAMED])) + more
        raise Unavailable(
            f"{len(pins)} files are not in the store, and --offline forbids to fetch them: {names}",
            hint=f"ds01 build {planned.locked.request.path}",
        )


def _refuse_without_space(planned: Planned) -> None:
    needed = planned.plan.space
    if needed > planned.free:
        raise StoreError(
            f"the build needs about {needed} bytes, and the store's file system has "
            f"{planned.free} left",
            hint="DS01_STORE=DIRECTORY selects another place",
        )


def _realise(
    planned: Planned, edges: Edges, received: list[int], timer: _Timer
) -> tuple[Made, ...]:
    steps = [step for step in planned.plan.stack if step.action == "write"]
    pins = planned.plan.downloads
    size = sum(pin.size for pin in pins)
    edges.report(Expected(files=len(pins), size=size, layers=len(steps)))
    begin = timer.elapsed()

    def fetched(pins: Sequence[WheelPin | DebPin]) -> Generator[Digest, None, None]:
        yield from downloads.arrivals(pins, planned.locked, edges, received)
        timer.fetch = timer.elapsed() - begin

    def written(step: LayerStep, layer: Layer) -> None:
        edges.report(Written(tier=step.tier, title=_title(step), size=layer.size))

    materials = Materials(
        store=edges.store,
        facts=edges.facts,
        fetch=fetched,
        read_file=lambda pin: _read_file(pin, planned.locked),
        on_layer=written,
        on_wait=lambda holder: edges.report(Note(f"waiting for {holder}")),
    )
    made = realise(planned.plan, materials, workers=edges.workers)
    timer.layers = timer.elapsed() - begin
    return made


def _read_file(pin: FilePin, locked: Locked) -> bytes:
    content = beneath.read(locked.request.directory, pin.source)
    actual = Digest.of(content)
    if actual != pin.digest:
        raise MismatchError(
            where=pin.source,
            expected=str(pin.digest),
            actual=str(actual),
            hint=f"ds01 lock {locked.request.path}",
        )
    return content


def _missing_debs(error: NotThere, locked: Lock) -> tuple[str, ...]:
    digests = {download.digest for download in error.downloads}
    return tuple(str(pin) for pin in locked.debs if pin.digest in digests)


def _not_there(error: NotThere, debs: tuple[str, ...], recipe: Path) -> Ds01Error:
    wheels = [one.name for one in error.downloads if one.name not in debs]
    if wheels:
        return Ds01Error(
            f"no package index offers the locked file of {', '.join(wheels)} any more",
            hint=" ".join(
                ["ds01 lock", *(f"--upgrade-package {n}" for n in _names(wheels)), str(recipe)]
            ),
        )
    return MissingDebs(debs=debs, hint=f"ds01 build --update-missing {recipe}")


def _names(pins: Sequence[str]) -> list[str]:
    return [pin.partition("==")[0] for pin in pins]


def _assemble(planned: Planned, made: Sequence[Made]) -> Image:
    lock_ = planned.locked.lock
    labels = {
        "ds01.name": lock_.name,
        "ds01.recipe": str(lock_.recipe),
        "ds01.lock": str(lock_.digest),
        **{_key_label(step.name): str(step.key) for step in planned.plan.steps},
        **dict(lock_.image.labels),
    }
    settings = lock_.image
    config = ImageConfig(
        architecture=lock_.base.architecture,
        env={**DEFAULT_ENV, **dict(settings.env)},
        labels={**labels, "org.opencontainers.image.title": lock_.name},
        annotations={
            "org.opencontainers.image.title": lock_.name,
            "org.opencontainers.image.base.name": f"debian:{lock_.base.suite}",
        },
        workdir=settings.workdir,
        user=settings.user,
        entrypoint=settings.entrypoint or (),
        cmd=DEFAULT_CMD if settings.cmd is None else settings.cmd,
        ports=settings.ports,
    )
    layers = [
        StackedLayer(
            tier=one.step.tier, title=_title(one.step), layer=one.layer, listing=one.listing
        )
        for one in made
    ]
    return assemble(layers, config)


def _key_label(node: str) -> str:
    return "ds01.state" if node == STATE else f"ds01.tier.{node}"


def _title(step: LayerStep) -> str:
    """Say in a few words what a layer holds, from its pins alone."""
    pins = spec.sources(step.spec)
    if isinstance(step.spec, StateSpec):
        return f"state of {len(pins)} .debs"
    return str(pins[0]) if len(pins) == 1 else f"{len(pins)} packages, {pins[0]} to {pins[-1]}"


def _publish(image: Image, locked: Locked, edges: Edges) -> None:
    """Make the image durable, then its names: by digest, and the one that moves."""
    store, name = edges.store, locked.lock.name
    store.put(image.config)
    store.put(image.manifest)
    for tag in (f"{name}@{image.digest}", name):
        store.tag(
            tag,
            manifest=image.digest,
            size=len(image.manifest),
            media_type=oci.MANIFEST_TYPE,
            annotations={},
        )
    kept = store.put(lockfile.dumps(locked.lock).encode())
    roots.append(store.root, name, image=image.digest, lock=kept, created=edges.now())


def _drop_sources(made: Sequence[Made], edges: Edges) -> None:
    """Remove what was fetched for a layer of its own: the layer holds those bytes now.

    What shares a layer is small and stays: the layer is made anew when one of its packages moves.
    """
    alone = [one.step.spec for one in made if one.action == "written"]
    digests = [
        pins[0].digest
        for pins in map(spec.sources, alone)
        if len(pins) == 1 and not isinstance(pins[0], FilePin)
    ]
    edges.store.remove_unleased(digests)


def _built(
    locked: Locked, image: Image, made: Sequence[Made], downloaded: int, timer: _Timer
) -> Built:
    layers = tuple(
        BuiltLayer(
            tier=one.step.tier,
            digest=one.layer.digest,
            diff_id=one.layer.diff_id,
            size=one.layer.size,
            action=one.action,
            reason=one.step.reason,
        )
        for one in made
    )
    return Built(
        name=locked.lock.name,
        digest=image.digest,
        config_digest=image.config_digest,
        size=image.size,
        manifest_size=len(image.manifest),
        config_size=len(image.config),
        layers=layers,
        downloaded=downloaded,
        written=sum(layer.size for layer in layers if layer.action == "written"),
        seconds=timer.seconds(),
    )
