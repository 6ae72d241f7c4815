"""Executes tiers in an engine: over an image of what they need, captured as layers."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, final

from ds01build.digest import canonical
from ds01build.engine.execution import EngineExecutor
from ds01build.engine.intermediate import LABEL, this_builder
from ds01build.engine.owner import current
from ds01build.errors import Ds01Error, Unavailable
from ds01build.events import Note, Warned
from ds01build.layers.executed import Execution
from ds01build.lock import LockedImage
from ds01build.spec import InstallSpec, RunSpec
from ds01build.workflow.inheriting import base_config
from ds01build.workflow.loading import Loader, tidy
from ds01build.workflow.registered import registered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from ds01build.engine.api import Engine
    from ds01build.engine.load import Loaded
    from ds01build.layer import Layer
    from ds01build.layers.entry import Entry
    from ds01build.lock import LockedBase
    from ds01build.plan import LayerStep, Plan
    from ds01build.spec import Executed
    from ds01build.workflow.steps import Edges, Locked

__all__ = ["Executing", "base_image", "new_log"]


@final
@dataclass(slots=True)
class Executing:
    """Executes the tiers of one build, as ``realise`` asks for it, in a ``with`` block.

    At its end the images go that tiers were executed over: until then the engine has their layers
    for the image itself. ``labels`` are those of the image: others with some of them are likely to
    have layers that tiers are executed over.
    """

    locked: Locked
    edges: Edges
    labels: Mapping[str, str]
    images: list[Loaded] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """The bytes that went to the engine for images that tiers were executed over."""
        return sum(image.size for image in self.images)

    def __enter__(self) -> Executing:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for image in self.images:
            with contextlib.suppress(Ds01Error):  # what stays is removed by the next build
                self.edges.engine().remove(str(image.engine_id))

    def require(self, plan: Plan) -> None:
        """Raise Unavailable where a tier has to be executed for certain and there is no engine."""
        certain = [step for step in plan.stack if step.action == "run" and _is_certain(step, plan)]
        if not certain:
            return
        try:
            tidy(self.edges.engine())
        except Unavailable as error:
            problem = f"tier {certain[0].tier} is executed in a container engine, and {error}"
            raise Unavailable(problem, hint=error.hint) from error

    @contextlib.contextmanager
    def run(self, tier: str, layer: Executed, below: Sequence[Layer]) -> Iterator[Iterable[Entry]]:
        """Execute a tier and give what it changed; its log stays where that fails.

        Raises Unavailable without an engine, and Ds01Error for a command that fails.
        """
        engine = self.edges.engine()
        self.edges.report(Note(f"executing tier {tier}"))
        log = new_log(self.edges, f"{self.locked.lock.name}-{tier}")
        executor = EngineExecutor(client=engine.client, owner=current(), site=self.edges.site)
        with tempfile.TemporaryFile(dir=self.edges.store.root / "tmp") as spool:
            image = base_image(engine, self.locked.lock.base, below, self.edges, self.labels)
            self.images.append(image)
            execution = self._execution(tier, layer, str(image.engine_id), log, spool)
            with executor.execute(execution) as captured:
                yield captured.entries
                for note in captured.notes:
                    self.edges.report(Warned(f"{tier}: {note}"))
        log.unlink(missing_ok=True)

    def _execution(
        self, tier: str, layer: Executed, image: str, log: Path, spool: IO[bytes]
    ) -> Execution:
        volumes = base_config(self.locked.lock.base, self.edges).volumes
        if isinstance(layer, InstallSpec):
            debs = tuple((pin, self.edges.store.source(pin.digest)) for pin in layer.debs)
            return Execution(
                tier=tier, image=image, debs=debs, volumes=volumes, log=log, spool=spool
            )
        return Execution(
            tier=tier,
            image=image,
            commands=layer.commands,
            env=layer.environment,
            workdir=layer.workdir,
            volumes=volumes,
            network=self.edges.network if layer.network else "none",
            log=log,
            spool=spool,
        )


def base_image(
    engine: Engine,
    base: LockedBase,
    below: Sequence[Layer],
    edges: Edges,
    labels: Mapping[str, str],
) -> Loaded:
    """Return an image in ``engine`` of ``base`` and ``below``, which is this process's alone.

    Images there with some of ``labels`` are likely to have its layers. The caller removes it.
    """
    layers = (*(base.layers if isinstance(base, LockedImage) else ()), *below)
    found = base_config(base, edges)
    config = canonical(
        {
            "architecture": base.architecture,
            "os": "linux",
            "config": {
                "Env": [f"{name}={value}" for name, value in found.environment],
                "WorkingDir": found.workdir,
                "Labels": {LABEL: str(this_builder())},
            },
            "rootfs": {"type": "layers", "diff_ids": [str(each.diff_id) for each in layers]},
        }
    )
    return Loader(engine=engine, edges=edges).intermediate(config, layers, registered(base), labels)


def new_log(edges: Edges, name: str) -> Path:
    """Return the path of a log that does not exist yet, and stays only where something fails."""
    return edges.store.root / "logs" / f"{name}-{secrets.token_hex(4)}.log"


def _is_certain(step: LayerStep, plan: Plan) -> bool:
    """Say whether all that a tier stands on is known: then nothing can spare its execution."""
    known = {each.key for each in plan.stack if each.layer}
    return isinstance(step.spec, (InstallSpec, RunSpec)) and known.issuperset(step.spec.below)
