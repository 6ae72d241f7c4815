"""PEP 751: the Python packages of a lock as ``pylock.toml``, which pip and uv install."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tomli_w

from ds01build.errors import Ds01Error
from ds01build.lock import LockedImage
from ds01build.platform import MACHINES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ds01build.lock import Lock
    from ds01build.pin import Source, WheelPin

__all__ = ["offered", "render"]


def offered(lock: Lock) -> tuple[WheelPin, ...]:
    """Return the wheels whose places have to be looked up: those of indexes."""
    return tuple(pin for pin in lock.wheels if pin.source is None)


def render(lock: Lock, held: Sequence[str], places: Mapping[WheelPin, str]) -> str:
    """Return the text of a pylock.toml. ``held`` are packages of the base, which it does not lock.

    ``places`` are the URLs of the wheels that ``offered`` returns. Raises Ds01Error where one
    lacks, for a lock without Python, and for a wheel that was built from an index's sdist.
    """
    if lock.target is None:
        raise Ds01Error(f"{lock.name} has no Python, and pylock.toml is for Python packages")
    minor = lock.target.version.rpartition(".")[0]
    machine = MACHINES[lock.base.architecture]
    where = "implementation_name == 'cpython' and sys_platform == 'linux'"
    document = {
        "lock-version": "1.0",
        "environments": [f"{where} and platform_machine == '{machine}'"],
        "requires-python": f"=={minor}.*",
        "created-by": "ds01",
        "packages": [_package(pin, places) for pin in sorted(lock.wheels)],
        "tool": {"ds01": {"name": lock.name, "lock": str(lock.digest), **_base(lock, held)}},
    }
    return tomli_w.dumps(document)


def _base(lock: Lock, held: Sequence[str]) -> dict[str, Any]:
    """Return what else the environment has, where it stands on an image."""
    if not isinstance(lock.base, LockedImage):
        return {}
    base = {"image": lock.base.reference, "manifest": str(lock.base.manifest)}
    return {"base": {**base, "held": list(held)}}


def _package(pin: WheelPin, places: Mapping[WheelPin, str]) -> dict[str, Any]:
    needs = [{"name": name} for name in sorted(pin.requires)]
    return {
        "name": pin.name,
        "version": pin.version,
        **({"dependencies": needs} if needs else {}),
        **(_from(pin, pin.source) if pin.source else {"wheels": [_wheel(pin, places)]}),
        "tool": {"ds01": {"tier": pin.tier}},
    }


def _wheel(pin: WheelPin, places: Mapping[WheelPin, str]) -> dict[str, Any]:
    if pin not in places:
        raise Ds01Error(
            f"no package index offers {pin} with the locked sha256 any more, and pylock.toml has "
            "to say where it is",
            hint=f"ds01 lock --upgrade-package {pin.name} RECIPE",
        )
    return {
        "name": pin.file,
        "url": places[pin],
        "size": pin.size,
        "hashes": {"sha256": pin.digest.hex},
    }


def _from(pin: WheelPin, source: Source) -> dict[str, Any]:
    """Return where a package is from that no index offers as a wheel."""
    if source.kind == "git":
        return {"vcs": {"type": "git", "url": source.place, "commit-id": source.address}}
    if source.kind == "archive":
        return {"archive": {"url": source.place, "hashes": {"sha256": source.address}}}
    if source.kind == "url":
        known = {"size": pin.size, "hashes": {"sha256": pin.digest.hex}}
        return {"archive": {"url": source.place, **known}}
    raise Ds01Error(
        f"{pin} was built from {source.place} of an index, whose place no lock has",
        hint="ds01 export --format requirements RECIPE",
    )
