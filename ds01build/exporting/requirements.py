"""The Python packages of a lock as pip's requirements file, pinned by hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error
from ds01build.lock import LockedImage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ds01build.lock import Lock
    from ds01build.pin import WheelPin

__all__ = ["render"]


def render(lock: Lock, held: Sequence[str]) -> str:
    """Return a requirements.txt; ``held`` are packages of the base, named in comments alone.

    A wheel that was built from an archive is there as that archive, which pip then builds. Raises
    Ds01Error for a lock without Python, and for packages from git, which no hash pins for pip.
    """
    if lock.target is None:
        raise Ds01Error(f"{lock.name} has no Python, and requirements are for Python packages")
    return "".join(f"{line}\n" for line in (*_heading(lock, held), *_lines(lock)))


def _heading(lock: Lock, held: Sequence[str]) -> Iterator[str]:
    assert lock.target is not None, "checked by the caller"
    yield f"# {lock.name}, locked by ds01 for Python {lock.target.version} on Linux"
    yield f"# and {lock.base.architecture}, with nothing left to resolve:"
    yield "# pip install --require-hashes --no-deps -r FILE"
    if isinstance(lock.base, LockedImage):
        yield f"# To be installed over {lock.base.reference}@{lock.base.manifest}"
        yield from (f"# which has {each}" for each in held)


def _lines(lock: Lock) -> Iterator[str]:
    for pin in sorted(lock.wheels):
        if pin.index != "default":
            yield f"# from the index {pin.index!r}"
        yield _line(pin)


def _line(pin: WheelPin) -> str:
    source = pin.source
    if source is None:
        return f"{pin} --hash={pin.digest}"
    if source.kind == "url":
        return f"{pin.name} @ {source.place} --hash={pin.digest}"
    if source.kind == "archive":
        return f"{pin.name} @ {source.place} --hash=sha256:{source.address}"
    if source.kind == "sdist":
        return f"{pin} --hash=sha256:{source.address}"
    raise Ds01Error(
        f"{pin} is from git, which pip cannot check by hash",
        hint="ds01 export --format pylock RECIPE",
    )
