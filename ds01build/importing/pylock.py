"""Reads a pylock.toml (PEP 751): its packages become requirements of one exact version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error
from ds01build.fields import Fields, Issues, load
from ds01build.grammar import package_name, requirement
from ds01build.importing.draft import Draft, Slice, noted
from ds01build.quantities import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.importing.draft import Note

__all__ = ["TEXT_LIMIT", "read_pylock"]

TEXT_LIMIT = 16 * 1024 * 1024  # characters; a package may have a hundred wheels

_FOR_SOME = re.compile(r"\b(?:extras|dependency_groups)\b")


def read_pylock(file: str, text: str) -> Draft:
    """Read a lock. Raises Ds01Error for what is none, or one of a later major version."""
    try:
        document = load(text, limit=TEXT_LIMIT)
    except ValueError as error:
        raise Ds01Error(f"{file}: {error}") from error
    version = document.get("lock-version")
    if not isinstance(version, str) or not re.fullmatch(r"1\.[0-9]{1,4}", version):
        raise Ds01Error(f"{file} is not a lock of version 1 (PEP 751)")
    issues = Issues()
    notes: list[Note] = []
    tables = Fields(document, "", issues).tables("packages")
    found = [each for table in tables for each in _package(file, table, notes)]
    if problems := issues.found():
        raise Ds01Error("\n".join(f"{file}: {issue}" for issue in problems))
    return Draft(
        slices=(Slice(tier="pinned", kind="python", packages=tuple(dict.fromkeys(found))),),
        notes=(*notes, *_indexes(file, document), *_lost(file, document, len(found))),
    )


def _package(file: str, table: Fields, notes: list[Note]) -> Iterator[str]:
    name = table.required("name", package_name)
    version, marker = table.text("version", str), table.text("marker", str)
    shown = f"{name} {version}".strip()
    if _FOR_SOME.search(marker):
        notes.append(noted("dropped", file, 0, shown, f"only for some who install: {marker:.100}"))
        return
    try:
        yield requirement(_line(table, name, version, marker))
    except ValueError as error:
        notes.append(noted("dropped", file, 0, shown, str(error)))


def _line(table: Fields, name: str, version: str, marker: str) -> str:
    """Return the requirement of one package. Raises ValueError where there is none."""
    end = f" ; {marker}" if marker else ""
    if "vcs" in table:
        vcs = table.table("vcs")
        url, commit = vcs.text("url", str), vcs.text("commit-id", str)
        if vcs.text("type", str) != "git" or not url:
            raise ValueError("of version control only git with a URL is supported")
        return f"{name} @ git+{url.removeprefix('git+')}@{commit}{end}"
    if "archive" in table:
        archive = table.table("archive")
        url, digest = archive.text("url", str), archive.table("hashes").text("sha256", str)
        return f"{name} @ {url}#sha256={digest}{end}"
    if not version or "directory" in table:
        raise ValueError("a directory of whoever locked it, and no package of an index")
    return f"{name}=={version}{end}"


def _indexes(file: str, document: dict[str, object]) -> Iterator[Note]:
    """Yield the indexes that packages come from, where they come from several."""
    packages = document.get("packages")
    tables = (
        [each for each in packages if isinstance(each, dict)] if isinstance(packages, list) else []
    )
    urls = dict.fromkeys(str(each["index"]) for each in tables if "index" in each)
    for url in urls if len(urls) > 1 else ():
        reason = "which index is asked is yours to say: extra-index-urls in [resolve]"
        yield noted("dropped", file, 0, f"index {url}", reason)


def _lost(file: str, document: dict[str, object], count: int) -> Iterator[Note]:
    if count:
        what = f"hashes of {counted(count, 'package')}"
        reason = "versions are kept, and the recipe's own lock has the hashes of what it chooses"
        yield noted("changed", file, 0, what, reason)
    if isinstance(bound := document.get("requires-python"), str):
        yield noted(
            "dropped", file, 0, f"requires-python {bound}", "the base decides on its Python"
        )
    for key in ("environments", "extras", "dependency-groups"):
        if document.get(key):
            yield noted("dropped", file, 0, key, "a recipe is for its base's platform alone")
