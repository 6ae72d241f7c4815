"""The lock of a site, whose choices a recipe takes where it has not made them itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ds01build import beneath, lockfile
from ds01build.errors import Ds01Error, Issue, LockError, RecipeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.lock import Lock
    from ds01build.workflow.request import Request

__all__ = ["LOCK_LIMIT", "preferred"]

LOCK_LIMIT = 32 * 1024 * 1024  # bytes


def preferred(request: Request, *, uid: int) -> Lock | None:
    """Return the lock that ``request`` prefers, None where it names none.

    Below the recipe it is read as whatever else a recipe names. Elsewhere it has to belong to root
    or ``uid``: who else can write it chooses what this user installs. Raises RecipeError, and
    LockError for what is wrong in it.
    """
    place = request.recipe.resolve.prefer
    if not place:
        return None
    try:
        if place.startswith("/"):
            content = beneath.read_trusted(Path(place), uid=uid, limit=LOCK_LIMIT)
        else:
            content = beneath.read(request.directory, place, limit=LOCK_LIMIT)
        return lockfile.loads(content.decode(), source=place)
    except UnicodeDecodeError:
        raise _unusable(request, [f"{place!r:.200} is not UTF-8 text"]) from None
    except LockError as error:  # whose hint is for who may remove it
        problems = [f"{place!r:.200}: {issue}" for issue in error.issues]
        raise _unusable(request, problems) from error
    except Ds01Error as error:
        raise _unusable(request, [str(error)], error.hint) from error


def _unusable(request: Request, problems: Sequence[str], hint: str = "") -> RecipeError:
    way_out = f"ask whose lock it is, or leave prefer out under [resolve] of {request.path}"
    return RecipeError(
        source=str(request.path),
        issues=tuple(Issue("resolve.prefer", problem) for problem in problems),
        hint=hint or way_out,
    )
