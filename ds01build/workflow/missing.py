"""What to say of locked files that nobody offers any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error, MissingDebs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ds01build.fetch import NotThere
    from ds01build.lock import Lock

__all__ = ["missing_debs", "not_there"]


def missing_debs(error: NotThere, locked: Lock) -> tuple[str, ...]:
    """Return the .debs (name=version) of a lock among what was not found."""
    digests = {download.digest for download in error.downloads}
    return tuple(str(pin) for pin in locked.debs if pin.digest in digests)


def not_there(error: NotThere, debs: tuple[str, ...], recipe: Path) -> Ds01Error:
    """Return the error for what was not found, ``debs`` among it."""
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
