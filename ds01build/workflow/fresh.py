"""Whether a lock is one that ds01 would have written for a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.catalogue import frameworks
from ds01build.errors import CheckFailed, Issue, LockError
from ds01build.lock import LockedDebian, LockedImage
from ds01build.platform import MACHINES
from ds01build.recipe import DebianBase, FrameworkBase
from ds01build.reference import parse_reference
from ds01build.resolve.apt import python_version

if TYPE_CHECKING:
    from ds01build.lock import Lock, LockedBase
    from ds01build.recipe import Base, ImageBase
    from ds01build.workflow.request import Request

__all__ = ["require_consistent", "require_fresh"]


def require_fresh(lock: Lock | None, request: Request, lock_name: str) -> Lock:
    """Return ``lock`` if it was made for ``request``. Raises CheckFailed."""
    hint = f"ds01 lock {request.path}"
    if lock is None:
        raise CheckFailed(f"{lock_name} does not exist", hint=hint)
    if lock.recipe != request.digest:
        problem = f"it was made for {lock.recipe}, the recipe is {request.digest}"
        raise CheckFailed(f"{lock_name} is stale: {problem}", hint=hint)
    return lock


def require_consistent(lock: Lock, request: Request, lock_name: str) -> None:
    """Raise LockError where ``lock`` says what ds01 would not have written into it.

    A lock may come from anybody: its name decides which image is replaced, and its target where
    files go.
    """
    base = lock.base
    issues = [
        Issue(
            f"deb {pin.name}.architecture", f"{pin.architecture!r} on a base of {base.architecture}"
        )
        for pin in lock.debs
        if pin.architecture not in ("all", base.architecture)
    ]
    if lock.name != request.recipe.name:
        issues.append(Issue("name", f"{lock.name!r}, the recipe is called {request.recipe.name!r}"))
    if base.architecture not in MACHINES:
        issues.append(Issue("base.architecture", f"{base.architecture!r} is not known"))
    if lock.recipe == request.digest:
        issues += _against(base, request.recipe.base)
    if not _is_of_python(lock):
        issues.append(Issue("target", "is not that of the locked Python"))
    if issues:
        hint = f"remove {lock_name}, then: ds01 lock {request.path}"
        raise LockError(source=lock_name, issues=tuple(issues), hint=hint)


def _against(base: LockedBase, wanted: Base) -> list[Issue]:
    """Return what of a lock's base is not as its recipe says."""
    if isinstance(base, LockedImage) and not isinstance(wanted, DebianBase):
        return _against_image(base.reference, wanted)
    if not isinstance(base, LockedDebian) or not isinstance(wanted, DebianBase):
        return [Issue("base", "is of another kind than the recipe's")]
    if base.suite == wanted.suite:
        return []
    return [Issue("base.suite", f"{base.suite!r}, the recipe says {wanted.suite!r}")]


def _against_image(reference: str, wanted: ImageBase | FrameworkBase) -> list[Issue]:
    """Return an issue for another image than the recipe's.

    A framework is held to who publishes it: which version it is, the lock says, and a catalogue
    forgets old ones.
    """
    if isinstance(wanted, FrameworkBase):
        said = f"an image for {wanted.framework}"
        named = [e for e in frameworks() if e.name.casefold() == wanted.framework.casefold()]
        fits = _publisher(reference) in {_publisher(each.image) for each in named}
    else:
        said = repr(str(parse_reference(wanted.reference)))
        fits = repr(reference) == said
    return [] if fits else [Issue("base.image", f"{reference!r}, the recipe says {said}")]


def _publisher(image: str) -> tuple[str, str]:
    reference = parse_reference(image)
    return reference.registry, reference.repository.partition("/")[0]


def _is_of_python(lock: Lock) -> bool:
    """Say whether the target is one that ds01 gives a Python: by its .debs, or by its layout.

    Of an image only the layout is known here; ``require_base`` compares with what is in it.
    """
    target = lock.target
    if isinstance(lock.base, LockedDebian):
        from ds01build.layers import root  # not needed over an image, and 20 ms

        return not lock.debs or target == root.target(python_version(lock.debs))
    if target is None:
        return True
    library = f"lib/python{target.version.rpartition('.')[0]}"
    data = target.schemes.data.rstrip("/")
    packages = {f"{data}/{library}/{name}" for name in ("site-packages", "dist-packages")}
    return (
        target.interpreter.rpartition("/")[2] in ("python3", "python")
        and {target.schemes.purelib, target.schemes.platlib} <= packages
        and target.schemes.scripts == f"{data}/bin"
        and "/include/" in target.schemes.headers
    )
