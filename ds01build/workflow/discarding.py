"""The Dockerfile of an image that ds01 wrote into a directory of such files, and how it goes.

Of a context only the files go that ds01 writes there, by their names: what a person put beside them
stays, and so does what lies behind a symbolic link.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.errors import StoreError
from ds01build.store import roots
from ds01build.workflow.rendering import default_place, is_foreign

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

__all__ = ["Generated", "discard", "generated"]

# As the rendering of a Dockerfile names them, relative to the context.
_OURS = re.compile(
    r"install\.py|requirements/[^/]{1,200}\.txt|files/[0-9a-f]{16}-[0-7]{4}-[A-Za-z0-9._-]{1,80}"
)
_FOLDERS = ("requirements", "files")


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """The Dockerfile and its context: ``files`` that go, ``folders`` if empty then; what stays."""

    files: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()  # innermost first
    left: tuple[Path, ...] = ()


def generated(directory: Path, name: str, keep: Collection[Path]) -> Generated:
    """Return what ds01 wrote for the image ``name`` into ``directory``, but for what to ``keep``.

    Raises StoreError for what cannot be read.
    """
    if not roots.fits(name) or not _is_folder(directory):
        return Generated()
    place = default_place(directory, name)
    if place.dockerfile.is_symlink() or is_foreign(place.dockerfile):
        return Generated(left=(place.dockerfile,))
    inside = list(_below(place.context)) if _is_folder(place.context) else []
    files = [each for each in inside if _OURS.fullmatch(str(each.relative_to(place.context)))]
    files += [place.dockerfile] if place.dockerfile.is_file() else []
    folders = [place.context / each for each in _FOLDERS] if inside else []
    folders += [place.context] if _is_folder(place.context) else []
    return Generated(
        files=tuple(sorted(each for each in files if each not in keep)),
        folders=tuple(each for each in folders if _is_folder(each)),
        left=tuple(sorted(each for each in inside if each not in files or each in keep)),
    )


def discard(found: Generated) -> None:
    """Delete what goes. Raises StoreError naming what cannot be deleted."""
    try:
        for path in found.files:
            path.unlink(missing_ok=True)
        for folder in found.folders:
            if not any(folder.iterdir()):
                folder.rmdir()
    except OSError as error:
        raise StoreError(f"{error.filename} cannot be deleted: {error.strerror}") from error


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _below(context: Path) -> Iterator[Path]:
    """Yield what is in a context, folders of its own aside; through no link."""
    for each in sorted(context.iterdir()):
        if each.name in _FOLDERS and _is_folder(each):
            yield from sorted(each.iterdir())
        else:
            yield each
