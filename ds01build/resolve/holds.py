"""Lets uv see a base: what it holds as wheels without content, what it needs as constraints."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import tomli_w

from ds01build.errors import ResolveError
from ds01build.resolve.explanation import askers

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Mapping

    from ds01build.base.holding import Held, Holding
    from ds01build.resolve.request import Wanted
    from ds01build.resolve.solution import Found
    from ds01build.resolve.uv import Workspace

__all__ = [
    "broken",
    "constraints",
    "described",
    "pruned",
    "refuse_strangers",
    "refuse_unreadable",
    "stubs",
]

STUBS = "base"  # the directory of a workspace that holds the wheels without content
_WHEEL = "Wheel-Version: 1.0\nGenerator: ds01\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def stubs(present: Collection[Held], workspace: Workspace) -> list[str]:
    """Write a wheel for everything that is ``present``, and return uv's arguments for them.

    Without one, uv finds no version that an index lacks, as 2.8.0+cu126 of torch.
    """
    for each in present:
        stem = f"{each.name.replace('-', '_')}-{each.version}"
        name = f"{STUBS}/{stem}-py3-none-any.whl"
        if not workspace.has(name):  # uv is asked more than once over the same base
            workspace.write_bytes(name, _stub(each, stem))
    return ["--find-links", STUBS] if present else []


def described(present: Iterable[Held]) -> str:
    """Return a uv.toml with the metadata of everything that is ``present``.

    For a version that an index has too, uv takes the index's metadata otherwise, and with it what
    the base does without: torch 2.8.0 has 14 wheels of CUDA there.
    """
    tables = [
        {
            "name": each.name,
            "version": each.version,
            "requires-dist": list(map(str, each.needs)),
            "provides-extra": list(each.extras),
        }
        for each in present
    ]
    return tomli_w.dumps({"dependency-metadata": tables} if tables else {})


def constraints(holding: Holding) -> list[str]:
    """Return what the base allows a solution: its own versions, and what they need of others."""
    needs = {d.need for d in holding.demands if d.need.versions}
    return [
        *(f"{each.name}=={each.version}" for each in holding.held),
        *sorted(f"{need.name}{need.versions}" for need in needs),
    ]


def pruned(
    solution: Mapping[str, Found], staying: Mapping[str, Held]
) -> dict[str, tuple[str, ...]]:
    """Return who needs each package, without what ``staying`` ones need and have already.

    What an extra of theirs adds is needed, since the base need not have it.
    """
    added = {
        (name, need.name)
        for name, held in staying.items()
        if name in solution
        for need in held.needs
        if need.extra in _asked(held, solution[name].extras)
    }
    return {
        name: tuple(n for n in found.required_by if n not in staying or (n, name) in added)
        for name, found in solution.items()
    }


def _asked(held: Held, extras: Iterable[str]) -> set[str]:
    """Return ``extras`` with those that they ask for: ``all`` is often made of others."""
    found: set[str] = set()
    todo = list(extras)
    while todo:
        extra = todo.pop()
        found.add(extra)
        own = [n for n in held.needs if n.name == held.name and n.extra == extra]
        todo += [other for need in own for other in need.extras if other not in found]
    return found


def refuse_strangers(wanted: Wanted, solution: Mapping[str, Found]) -> None:
    """Raise ResolveError for an extra that a distribution of the base does not have."""
    for held in (*wanted.holding.held, *wanted.holding.movable):
        found = solution.get(held.name)
        if found is None or found.version != held.version:
            continue
        for extra in sorted(set(found.extras) - set(held.extras)):
            asking = askers([held.name], wanted.requests) or [
                f"needed by {', '.join(found.required_by)}"
            ]
            raise ResolveError(
                f"{held} of the base does not have an extra {extra!r:.80} ({'; '.join(asking)})"
            )


def refuse_unreadable(holding: Holding, names: Container[str]) -> None:
    """Raise ResolveError where a wheel would be written over what could not be held."""
    free = {each.name for each in holding.replaceable}
    for each in holding.unreadable:
        if each.is_held and each.name in names and each.name not in free:
            raise ResolveError(
                f"a tier would write over the base's {each.name}, which cannot be held: "
                f"its version {each.version!r:.80} lies outside PEP 440",
                hint=f'to let tiers change it: allow-base-change = ["{each.name}"] under [resolve]',
            )


def broken(holding: Holding, versions: Mapping[str, str]) -> list[str]:
    """Say what of the base that may move, and stays, does not work with ``versions`` of wheels."""
    return [
        f"{each} of the base needs {need}, and comes to {need.name} {versions[need.name]}: "
        f"let a tier ask for {each.name}"
        for each in holding.movable
        if each.name not in versions
        for need in each.needs
        if not need.extra and need.name in versions and not need.is_met_by(versions[need.name])
    ]


def _stub(held: Held, stem: str) -> bytes:
    lines = ["Metadata-Version: 2.1", f"Name: {held.name}", f"Version: {held.version}"]
    lines += [f"Requires-Dist: {need}" for need in held.needs]
    lines += [f"Provides-Extra: {extra}" for extra in held.extras]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(f"{stem}.dist-info/METADATA", "".join(f"{line}\n" for line in lines))
        archive.writestr(f"{stem}.dist-info/WHEEL", _WHEEL)
        archive.writestr(f"{stem}.dist-info/RECORD", "")
    return made.getvalue()
