"""A lock over an image with every kind of tier, for tests of Dockerfiles."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from values import a_target, deb_pin, digest, file_pin, layer_for, wheel_pin

from ds01build.base.config import BaseConfig
from ds01build.digest import Key
from ds01build.lock import Lock, LockedImage, LockedLayer, LockedTier, Removed
from ds01build.recipe.settings import ImageSettings

if TYPE_CHECKING:
    from ds01build.pin import WheelPin

PACKAGES = "usr/local/lib/python3.11/dist-packages"


def base_config(user: str = "", labels: tuple[tuple[str, str], ...] = ()) -> BaseConfig:
    """Return the configuration of a base that runs as ``user``."""
    return BaseConfig(
        digest=digest("config"),
        architecture="amd64",
        os="linux",
        diff_ids=(),
        user=user,
        labels=labels,
    )


def image_lock(
    *tiers: LockedTier, wheels: tuple[WheelPin, ...] = (), image: ImageSettings | None = None
) -> Lock:
    """Return a lock over an image, with two wheels in each Python tier unless they are given."""
    python = [tier.name for tier in tiers if tier.kind == "python"]
    pins = wheels or tuple(wheel_pin(f"{end}-{name}", tier=name) for name in python for end in "ab")
    return Lock(
        name="thesis-cv",
        recipe=digest("recipe"),
        base=LockedImage(
            reference="registry.example:5000/team/base:1.0",
            architecture="amd64",
            manifest=digest("manifest"),
            config=digest("config"),
            layers=(layer_for(Key.of({"layer": 1})),),
        ),
        target=a_target(),
        image=image or ImageSettings(),
        tiers=tiers,
        wheels=tuple(sorted(pins)),
        layers=tuple(layer for tier in tiers for layer in _layers(tier, pins)),
    )


def _layers(tier: LockedTier, pins: tuple[WheelPin, ...]) -> list[LockedLayer]:
    if tier.kind == "python":
        names = tuple(sorted(pin.name for pin in pins if pin.tier == tier.name))
        return [LockedLayer(tier=tier.name, kind="wheels", names=names)]
    if tier.kind in ("apt", "run"):
        return [LockedLayer(tier=tier.name, kind="executed", names=(tier.name,))]
    return []


def full_lock() -> Lock:
    """Return a lock with a tier of every kind, a replaced distribution, and all settings."""
    made = image_lock(
        LockedTier(name="system", kind="apt", requests=("git", "less")),
        LockedTier(name="jupyter", kind="python", requests=("jupyterlab>=4", "ipykernel")),
        LockedTier(name="data", kind="python", requests=("pandas",)),
        LockedTier(
            name="models",
            kind="run",
            after=("system", "jupyter", "config"),
            commands=("python -m fetch punkt", "echo done > /opt/models"),
            network=True,
        ),
        LockedTier(name="config", kind="files"),
        image=ImageSettings(
            env=(("HF_HOME", "/workspace/.cache"),),
            workdir="/workspace",
            labels=(("org.example.team", "vision"),),
            entrypoint=(),
            cmd=("jupyter", "lab"),
            ports=("8888/tcp",),
        ),
    )
    files = (file_pin("/etc/motd", mode=0o600), file_pin("/opt/run.sh", mode=0o755))
    jupyter = replace(wheel_pin("jupyterlab", version="4.1", tier="jupyter"), index="fast")
    wheels = tuple(sorted([*made.wheels, jupyter]))
    return replace(
        made,
        wheels=wheels,
        debs=(deb_pin("git", tier="system"), deb_pin("less", tier="system")),
        files=files,
        removed=(
            Removed(
                name="a-data",
                version="1.5",
                paths=(f"{PACKAGES}/pandas", f"{PACKAGES}/pandas-1.5.dist-info"),
            ),
        ),
        layers=(
            LockedLayer(tier="base", kind="removed", names=("a-data",)),
            *made.layers,
            LockedLayer(tier="jupyter", kind="wheels", names=("jupyterlab",)),
            LockedLayer(tier="config", kind="files", names=("/etc/motd", "/opt/run.sh")),
        ),
    )
