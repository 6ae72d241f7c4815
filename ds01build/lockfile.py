"""Reads and writes a lock's file. It is machine-written, so whatever is odd in it is an error."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import tomli_w
from packaging.utils import parse_wheel_filename

from ds01build import grammar, lock
from ds01build.digest import DiffId, Digest
from ds01build.errors import Issue, LockError
from ds01build.fields import Fields, Issues, load
from ds01build.layer import GZIP, TAR, ZSTD, Layer
from ds01build.lock import (
    Lock,
    LockedDebian,
    LockedImage,
    LockedLayer,
    LockedTier,
    Removed,
)
from ds01build.lockcheck import check_names
from ds01build.pin import DebPin, FilePin, Source, WheelPin
from ds01build.platform import MACHINES
from ds01build.recipe.settings import read_image
from ds01build.recipe.tiers import file_path
from ds01build.target import Directory, Ground, Link, Schemes, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.lock import LockedBase

__all__ = ["dumps", "loads"]

T = TypeVar("T")


def _any(text: str) -> str:
    return text


_SCHEMES = ("purelib", "platlib", "scripts", "data", "headers")
_NONE = "sha256:" + "0" * 64  # stands for an address that is an issue already

HEADER = "# Written by ds01. Change the recipe instead, and run `ds01 lock`.\n\n"
LIMIT = 8 * 1024 * 1024  # characters

_name = grammar.matching(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", "a normalised package name")
_version = grammar.matching(r"[0-9A-Za-z][0-9A-Za-z.!+_-]{0,127}", "a version")
_deb_name = grammar.matching(r"[a-z0-9][a-z0-9+.-]+", "the name of a Debian package")
_deb_version = grammar.matching(r"[0-9][A-Za-z0-9.+:~-]{0,127}", "the version of a .deb")
_architecture = grammar.matching(r"[a-z0-9]{2,16}", "an architecture")
_machine = grammar.matching("|".join(MACHINES), f"one of {', '.join(MACHINES)}")
_archive = grammar.matching(r"[a-z][a-z0-9-]{0,31}", "the alias of an archive")
_alias = grammar.matching(r"[a-z0-9][a-z0-9-]{0,62}", "the alias of an index")
_python = grammar.matching(r"3\.[0-9]{1,2}\.[0-9]{1,2}", "the version of an interpreter")
_glibc = grammar.matching(r"2\.[0-9]{1,3}", "the version of a C library")
_kind = grammar.matching(r"apt|python|files|run", "apt, python, files or run")
_layer_kind = grammar.matching(
    r"debs|wheels|files|removed|executed", "debs, wheels, files, removed or executed"
)
_media_type = grammar.matching("|".join(map(re.escape, (GZIP, TAR, ZSTD))), "the type of a layer")
_mode = grammar.matching(r"[0-7]{4}", "a mode of four octal digits")
_tier = grammar.matching(r"[a-z0-9][a-z0-9-]{0,62}", "a tier name")
_suite = grammar.suite
_address = grammar.matching(r"sha256:[0-9a-f]{64}", "a digest")
_commit = grammar.matching(r"[0-9a-f]{40}", "a commit of 40 digits")
_hex = grammar.matching(r"[0-9a-f]{64}", "a sha256 in hex")
_place = grammar.matching(
    r"(?!(?:.*/)?\.{1,2}(?:/.*)?\Z)[^/]+(?:/[^/]+)*", "a path from the root, without '..'"
)
_inside = grammar.matching(r"(?:[^/]+(?:/[^/]+)*)?", "a path from the root")


@lru_cache(maxsize=2)  # a build compares, writes and publishes what it has locked
def dumps(content: Lock) -> str:
    """Return the text of a lock's file: TOML, the same for equal locks."""
    return HEADER + tomli_w.dumps(lock.to_dict(content))


def loads(text: str, *, source: str) -> Lock:
    """Parse a lock's file.

    Raises LockError with every issue and its dotted path; ``source`` names the file in it.
    """
    issues = Issues()
    try:
        tables = load(text, limit=LIMIT)
    except ValueError as error:
        issues.add("", str(error))
        raise _damaged(source, issues) from error
    top = Fields(tables, "", issues)
    _check_version(top, issues, source)
    content = _lock(top)
    top.close()
    if not issues.found():
        check_names(content, issues)
    if issues.found():
        raise _damaged(source, issues)
    return content


def _check_version(top: Fields, issues: Issues, source: str) -> None:
    """Refuse the lock of a newer ds01 before anything else in it is judged."""
    version = top.number("version")
    if version < lock.VERSION and not issues.found():
        top.report(f"{version} is not a version of locks", "version")
    if version > lock.VERSION:
        raise LockError(
            source=source,
            issues=(
                Issue(
                    "version",
                    f"{version} was written by a newer ds01; this one reads {lock.VERSION}",
                ),
            ),
            hint="in the clone of ds01: git pull && .ci/venv",
        )


def _lock(top: Fields) -> Lock:
    if "layer" not in top:
        top.report("required", "layer")
    return Lock(
        name=top.required("name", grammar.recipe_name),
        recipe=Digest(top.required("recipe", _address) or _NONE),
        base=_base(top.table("base")),
        target=_target(top.table("target")) if "target" in top else None,
        image=read_image(top.table("image")),
        tiers=_each(top, "tier", _locked_tier),
        debs=_each(top, "deb", _deb),
        wheels=_each(top, "wheel", _wheel),
        files=_each(top, "file", _file),
        removed=_each(top, "removed", _removed),
        layers=_each(top, "layer", _layer),
    )


def _each(top: Fields, key: str, read: Callable[[Fields], T]) -> tuple[T, ...]:
    return tuple(_closed(read, table) for table in top.tables(key))


def _closed(read: Callable[[Fields], T], table: Fields) -> T:
    value = read(table)
    table.close()
    return value


def _base(table: Fields) -> LockedBase:
    base = _image(table) if "image" in table else _debian(table)
    table.close()
    return base


def _debian(table: Fields) -> LockedDebian:
    return LockedDebian(
        suite=table.required("suite", _suite),
        architecture=table.required("architecture", _machine),
        packages=table.texts("packages", grammar.deb),
    )


def _image(table: Fields) -> LockedImage:
    return LockedImage(
        reference=table.required("image", grammar.image_reference),
        architecture=table.required("architecture", _machine),
        manifest=Digest(table.required("manifest", _address) or _NONE),
        config=Digest(table.required("config", _address) or _NONE),
        layers=_each(table, "layer", _base_layer),
        glibc=table.text("glibc", _glibc),
        ground=Ground(
            directories=_each(table, "directories", _directory),
            links=_each(table, "links", _link),
        ),
    )


def _base_layer(table: Fields) -> Layer:
    return Layer(
        digest=Digest(table.required("digest", _address) or _NONE),
        diff_id=DiffId(table.required("diff-id", _address) or _NONE),
        size=table.number("size"),
        media_type=table.text("media-type", _media_type) or GZIP,
    )


def _removed(table: Fields) -> Removed:
    return Removed(
        name=table.required("name", _name),
        version=table.required("version", _any),
        paths=table.texts("paths", _place),
    )


def _target(table: Fields) -> Target:
    schemes = table.table("schemes")
    target = Target(
        interpreter=table.required("interpreter", grammar.absolute_path),
        version=table.required("version", _python),
        schemes=Schemes(
            **{name: schemes.required(name, grammar.absolute_path) for name in _SCHEMES}
        ),
        directories=_each(table, "directories", _directory),
        links=_each(table, "links", _link),
    )
    schemes.close()
    table.close()
    return target


def _directory(table: Fields) -> Directory:
    return Directory(
        path=table.required("path", _inside),
        mode=int(table.required("mode", _mode) or "0", 8),
        uid=table.number("uid"),
        gid=table.number("gid"),
    )


def _link(table: Fields) -> Link:
    return Link(path=table.required("path", _inside), to=table.required("to", _any))


def _locked_tier(table: Fields) -> LockedTier:
    return LockedTier(
        name=table.required("name", _tier),
        kind=table.required("kind", _kind),
        after=table.texts("after", _tier),
        requests=table.texts("requests", _any),
        commands=table.texts("commands", _any),
        network=table.flag("network"),
    )


def _deb(table: Fields) -> DebPin:
    return DebPin(
        name=table.required("name", _deb_name),
        version=table.required("version", _deb_version),
        architecture=table.required("architecture", _architecture),
        path=table.required("path", _pool_path),
        size=table.number("size"),
        digest=_digest(table),
        tier=table.required("tier", _tier),
        archive=table.required("archive", _archive),
    )


def _wheel(table: Fields) -> WheelPin:
    return WheelPin(
        name=table.required("name", _name),
        version=table.required("version", _version),
        file=table.required("file", _wheel_file),
        size=table.number("size"),
        digest=_digest(table),
        tier=table.required("tier", _tier),
        index=table.required("index", _alias),
        requires=table.texts("requires", _name),
        source=_closed(_source, table.table("source")) if "source" in table else None,
    )


def _source(table: Fields) -> Source | None:
    """Read where a wheel is from that no index offers: one of four keys says what it is."""
    if "git" in table:
        place, commit = table.required("git", grammar.url), table.required("commit", _commit)
        return Source(kind="git", place=place, address=commit)
    if "archive" in table:
        place, address = table.required("archive", grammar.url), table.required("sha256", _hex)
        return Source(kind="archive", place=place, address=address)
    if "sdist" in table:
        place, address = table.required("sdist", grammar.sdist), table.required("sha256", _hex)
        return Source(kind="sdist", place=place, address=address)
    return Source(kind="url", place=table.required("url", grammar.url))


def _file(table: Fields) -> FilePin:
    return FilePin(
        to=table.required("to", file_path),
        source=table.required("source", grammar.relative_path),
        mode=int(table.required("mode", _mode) or "0", 8),
        size=table.number("size"),
        digest=_digest(table),
        tier=table.required("tier", _tier),
    )


def _layer(table: Fields) -> LockedLayer:
    return LockedLayer(
        tier=table.required("tier", _tier),
        kind=table.required("kind", _layer_kind),
        names=table.texts("names", _any),
    )


def _digest(table: Fields) -> Digest:
    found = table.required("sha256", _hex)
    return Digest(f"sha256:{found}" if found else _NONE)


def _pool_path(text: str) -> str:
    try:
        return grammar.relative_path(text)
    except ValueError as error:
        raise ValueError(f"{text!r:.100} is not a path below the archive's root") from error


def _wheel_file(text: str) -> str:
    if "/" in text or not text.endswith(".whl"):
        raise ValueError(f"{text!r:.100} is not the name of a wheel")
    parse_wheel_filename(text)
    return text


def _damaged(source: str, issues: Issues) -> LockError:
    hint = f"restore {source}, or remove it, then: ds01 lock RECIPE"
    return LockError(source=source, issues=issues.found(), hint=hint)
