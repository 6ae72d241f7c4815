"""From layers to an image: what its configuration says, the base's own included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build import spec
from ds01build.image import ImageConfig, StackedLayer, assemble
from ds01build.labels import inherited, labels_of
from ds01build.lock import LockedDebian
from ds01build.spec import InstallSpec, RemovedSpec, RunSpec
from ds01build.workflow.inheriting import base_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.base.config import BaseConfig, Healthcheck
    from ds01build.digest import Canonical, Key
    from ds01build.image import Image
    from ds01build.lock import Lock
    from ds01build.plan import LayerStep
    from ds01build.realise import Made
    from ds01build.workflow.planning import Planned
    from ds01build.workflow.steps import Edges

__all__ = ["assembled", "title"]


def assembled(planned: Planned, made: Sequence[Made], edges: Edges) -> Image:
    """Return the image of a plan whose layers are ``made``, in stack order.

    Raises CollisionError, and what getting the configuration of its base raises.
    """
    lock = planned.locked.lock
    base = base_config(lock.base, edges)
    if isinstance(lock.base, LockedDebian):
        return assemble(_stacked(made), _config(planned, base, f"debian:{lock.base.suite}"))
    config = _config(planned, base, lock.base.reference)
    return assemble(_stacked(made), config, lock.base.layers)


def title(step: LayerStep) -> str:
    """Say in a few words what a layer holds, from its pins alone."""
    return spec.title(step.spec)


def _stacked(made: Sequence[Made]) -> list[StackedLayer]:
    places = {one.step.key: place for place, one in enumerate(made)}
    removals = {place for place, one in enumerate(made) if isinstance(one.step.spec, RemovedSpec)}
    return [
        StackedLayer(
            tier=one.step.tier,
            title=title(one.step),
            layer=one.layer,
            listing=one.listing,
            sees=frozenset({*_seen(one.step, places), *removals} & {*range(place)}),
        )
        for place, one in enumerate(made)
    ]


def _seen(step: LayerStep, places: dict[Key, int]) -> list[int]:
    if isinstance(step.spec, (InstallSpec, RunSpec)):
        return [places[key] for key in step.spec.below]
    return []


def _config(planned: Planned, base: BaseConfig, name: str) -> ImageConfig:
    lock = planned.locked.lock
    settings = lock.image
    # As in a Dockerfile, another entrypoint takes the base's arguments away.
    kept = base.cmd if settings.entrypoint is None else ()
    return ImageConfig(
        architecture=lock.base.architecture,
        env={**dict(base.environment), **dict(settings.env)},
        labels={**inherited(base.labels), **labels_of(lock, planned.graph)},
        annotations={
            "org.opencontainers.image.title": lock.name,
            "org.opencontainers.image.base.name": name,
            **_base_digest(lock),
        },
        workdir=settings.workdir or base.workdir,
        user=settings.user or base.user,
        entrypoint=base.entrypoint if settings.entrypoint is None else settings.entrypoint,
        cmd=kept if settings.cmd is None else settings.cmd,
        ports=tuple(sorted({*base.ports, *settings.ports})),
        inherited=_others(base),
    )


def _base_digest(lock: Lock) -> dict[str, str]:
    if isinstance(lock.base, LockedDebian):
        return {}
    return {"org.opencontainers.image.base.digest": str(lock.base.manifest)}


def _others(base: BaseConfig) -> dict[str, Canonical]:
    """Return what a recipe does not set, in the form of a configuration (OCI and Docker)."""
    check = base.healthcheck
    told: dict[str, Canonical] = {
        "Volumes": {path: {} for path in base.volumes},
        "StopSignal": base.stop_signal,
        "Shell": list(base.shell),
        "Healthcheck": _healthcheck(check) if check else {},
    }
    return {name: value for name, value in told.items() if value}


def _healthcheck(check: Healthcheck) -> dict[str, Canonical]:
    told: dict[str, Canonical] = {
        "Test": list(check.test),
        "Interval": check.interval,
        "Timeout": check.timeout,
        "StartPeriod": check.start_period,
        "StartInterval": check.start_interval,
        "Retries": check.retries,
    }
    return {name: value for name, value in told.items() if value}
