"""The Python distributions of a base, from what is recorded of them (Core metadata, PEP 376)."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from ds01build.base.facts import Distribution
from ds01build.base.record import fewest, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ds01build.base.tree import Tree

__all__ = ["described", "distributions"]

MAX_FIELDS = 5000
MAX_LINE = 4096  # characters

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,254}[A-Za-z0-9])?")  # PEP 508
_VERSION = re.compile(r"[!-~]{1,128}")
_EXTRA = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
_FIELD = re.compile(r"([A-Za-z][A-Za-z-]{0,63}):[ \t]*(.*)")
_SUFFIXES = (".dist-info", ".egg-info")


class _Found(NamedTuple):
    """A distribution; ``files`` are what it has recorded, None without a usable RECORD."""

    name: str
    version: str
    directory: str  # as sys.path has it
    path: str  # of its .dist-info, as it really is
    requires: tuple[str, ...]
    extras: tuple[str, ...]
    files: frozenset[str] | None


def distributions(
    tree: Tree, directories: Sequence[str], *, held: Sequence[str], data: str
) -> tuple[Distribution, ...]:
    """Return what is installed in ``directories``, which are in the order of sys.path, sorted.

    Those in one of ``held`` are. Files of a RECORD count only below their directory
    and the prefix ``data``; with one elsewhere, the whole RECORD does not.
    """
    found = [each for path in directories for each in _in(tree, path, data)]
    claims = Counter(path for each in found for path in each.files or ())
    owners = _owners(tree)
    return tuple(
        sorted(
            Distribution(
                name=each.name,
                version=each.version,
                directory=each.directory,
                is_held=each.directory in held,
                requires=each.requires,
                extras=each.extras,
                owner=owners.get(each.path, ""),
                owns=_owned(tree, each, claims),
            )
            for each in found
        )
    )


def described(name: str, version: str, metadata: str) -> Distribution:
    """Return a distribution that lies nowhere yet: what its METADATA says that it needs."""
    fields = list(_fields(metadata))
    return Distribution(
        name=name,
        version=version,
        directory="",
        is_held=False,
        requires=tuple(value for key, value in fields if key == "requires-dist"),
        extras=tuple(
            sorted({v for key, v in fields if key == "provides-extra" and _EXTRA.fullmatch(v)})
        ),
    )


def _in(tree: Tree, directory: str, data: str) -> Iterator[_Found]:
    real = tree.real(directory)
    for name in tree.names(directory) if real is not None else ():
        if name.endswith(_SUFFIXES):
            found = _read(tree, directory, f"{real}/{name}", data)
            if found is not None:
                yield found


def _read(tree: Tree, directory: str, path: str, data: str) -> _Found | None:
    files = (f"{path}/METADATA", f"{path}/PKG-INFO", path)  # the last as distutils wrote it
    text = next(filter(None, map(tree.text, files)), "")
    fields = list(_fields(text))
    name = next((value for key, value in fields if key == "name"), "")
    version = next((value for key, value in fields if key == "version"), "")
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        return None
    extras = {value for key, value in fields if key == "provides-extra"}
    return _Found(
        name=str(canonicalize_name(name)),
        version=version,
        directory=directory,
        path=path,
        requires=tuple(value for key, value in fields if key == "requires-dist"),
        extras=tuple(sorted(extra for extra in extras if _EXTRA.fullmatch(extra))),
        files=recorded(tree, path, directory, data),
    )


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of core metadata, names in lower case, folded lines as one."""
    unfolded = re.sub(r"\r?\n[ \t]+", " ", text)
    for line in unfolded.splitlines()[:MAX_FIELDS]:
        match = _FIELD.fullmatch(line)
        if match and len(match[2]) <= MAX_LINE and match[2].isprintable():
            yield match[1].lower(), match[2].strip()


def _owners(tree: Tree) -> Mapping[str, str]:
    """Return the Debian package that each .dist-info or .egg-info came with."""
    folder = "var/lib/dpkg/info"
    found: dict[str, str] = {}
    for name in tree.names(folder):
        if name.endswith(".list"):
            for line in tree.text(f"{folder}/{name}").splitlines():
                found[tree.real(line) or line] = name.removesuffix(".list").partition(":")[0]
    return found


def _owned(tree: Tree, found: _Found, claims: Mapping[str, int]) -> tuple[str, ...]:
    if not found.files:
        return ()
    own = {path for path in found.files if claims[path] == 1}
    return fewest(tree, own, found.path.rpartition("/")[0])
