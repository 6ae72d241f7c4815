"""Surveys: what find in a container says of every path, and what two of them differ in.

ctime is what tells: the kernel sets it, with whatever changes, and nobody else can. An engine has a
list of changes of its own, which is not used: it knows no volumes, does not say what is a FIFO or a
socket, and on some storage drivers says of a directory that was removed and made again that it is
gone. What was there before is also what it takes to remove exactly that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error, RejectedFile
from ds01build.layers.foreign import is_clean
from ds01build.layers.tar import WHITEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = [
    "ELSEWHERE",
    "NOT_CAPTURED",
    "VOLUME",
    "Changes",
    "Survey",
    "argv",
    "compare",
    "is_noise",
    "parse",
]

MAX_PATHS = 4_000_000
_CHUNK = "what find in the container printed"

# Below these nothing is captured: a container gets them from its engine, or they are temporary.
NOT_CAPTURED = ("dev", "proc", "run", "sys", "tmp", "var/tmp")
# What is said where something is written below a volume.
VOLUME = "a volume of the base, which is no part of an image"
ELSEWHERE = "write to another directory, or use a base without that VOLUME"

# Files that an engine puts into every container.
_ENGINES = frozenset({".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf"})

# Logs, locks, backups and caches, which are made again by whoever needs them.
_NOISE = re.compile(
    r"var/cache/(?:apt/.*|debconf/.*-old|ldconfig/aux-cache)|var/lib/apt/lists/.*"
    r"|var/lib/dpkg/(?:lock|lock-frontend|triggers/Lock|[a-z]+-old)"
    r"|var/log/(?:apt/.*|alternatives\.log|dpkg\.log)",
    re.DOTALL,
)

_RECORD = re.compile(rb"([a-zD?]) ([0-9.-]{1,40}) /(.{0,4096})", re.DOTALL)
_DROPPED = {"p": "a FIFO", "s": "a socket", "b": "a device", "c": "a device"}

# By path, with no leading slash: find's letter for the type, and the ctime.
Survey = dict[bytes, tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is different, by path and sorted.

    ``present`` is what is new or changed and can be in a layer, with every directory above it, the
    root too; ``removed`` the highest paths that are gone; ``notes`` say what is left out.
    """

    present: tuple[str, ...]
    removed: tuple[str, ...]
    notes: tuple[str, ...] = ()


def argv(scratch: str, volumes: Sequence[str]) -> list[str]:
    """Return the command (GNU find) whose output ``parse`` reads.

    ``scratch`` and what is not captured are left out; ``volumes`` are looked into though they are
    other file systems. All are absolute.
    """
    skipped = [scratch, *(f"/{path}" for path in NOT_CAPTURED)]
    tests = [word for path in skipped for word in ("-o", "-path", path)][1:]
    # A name with these would be a pattern to -path; where a scratch directory is, ds01 decides.
    starts = [path for path in volumes if path.startswith("/") and is_clean(path[1:])]
    return [
        *("find", "/", *starts, "-xdev"),
        *("(", *tests, ")", "-prune", "-o", "-printf", r"%y %C@ %p\0"),
    ]


def parse(output: Iterable[bytes]) -> Survey:
    """Return the survey that ``output`` holds. Raises RejectedFile where find would not say it."""
    found: Survey = {}
    rest = b""
    for chunk in output:
        *records, rest = (rest + chunk).split(b"\0")
        for record in records:
            match = _RECORD.fullmatch(record)
            if match is None:
                raise RejectedFile(name=_CHUNK, problem=f"{record!r:.100}")
            found[match[3]] = (match[1], match[2])
        if len(found) > MAX_PATHS or len(rest) > 1 << 16:
            raise RejectedFile(name=_CHUNK, problem=f"more than {MAX_PATHS} paths")
    if rest or b"" not in found:
        raise RejectedFile(name=_CHUNK, problem="is cut short")
    return found


def is_noise(path: str) -> bool:
    """Tell whether apt and dpkg leave ``path`` behind for themselves only."""
    return bool(_NOISE.fullmatch(path))


def compare(
    before: Survey,
    after: Survey,
    volumes: Iterable[str] = (),
    ignored: Callable[[str], bool] | None = None,
) -> Changes:
    """Return what is different in ``after``, but for paths that are ``ignored``.

    Raises Ds01Error for a change below one of ``volumes`` (absolute), which no layer can hold, and
    for a name that could not be one in a layer.
    """
    changed = {path for path, seen in after.items() if before.get(path) != seen} - {b""}
    gone = before.keys() - after.keys()
    names = {path: _name(path) for path in sorted(changed | gone) if not _engines(path)}
    if ignored:
        names = {path: name for path, name in names.items() if not ignored(name)}
    _check_volumes(names.values(), [volume.strip("/") for volume in volumes])
    notes, present = [], set()
    for path, name in names.items():
        if path in changed:
            letter = after[path][0].decode()
            if letter in _DROPPED:
                notes.append(f"/{name} is {_DROPPED[letter]}, and is left out")
            else:
                present.add(name)
    removed = {name for path, name in names.items() if path in gone}
    return Changes(
        present=tuple(sorted(_with_parents(present | removed, after) | present)),
        removed=tuple(sorted(name for name in removed if _is_highest(name, removed, after))),
        notes=tuple(notes),
    )


def _engines(path: bytes) -> bool:
    return path.decode(errors="replace") in _ENGINES


def _name(path: bytes) -> str:
    try:
        name = path.decode()
    except UnicodeDecodeError as error:
        shown = path.decode(errors="backslashreplace")
        raise Ds01Error(
            f"the name {'/' + shown:.200} is not UTF-8, and no layer can hold it",
            hint="rename or remove it at the end of the tier's commands",
        ) from error
    if not is_clean(name):
        raise Ds01Error(f"the name {name!r:.200} has characters that can't be seen, or is too long")
    if any(part.startswith(WHITEOUT) for part in name.split("/")):
        raise Ds01Error(f"the name {name!r:.200} would remove files of other layers")
    return name


def _check_volumes(names: Iterable[str], volumes: Sequence[str]) -> None:
    for name in names:
        for volume in volumes:
            if name.startswith(f"{volume}/"):
                raise Ds01Error(f"{'/' + name!r:.200} is below /{volume}, {VOLUME}", hint=ELSEWHERE)


def _with_parents(names: Iterable[str], after: Mapping[bytes, tuple[bytes, bytes]]) -> set[str]:
    """Return the directories above ``names``, as far as they are there."""
    parents: set[str] = set()
    for name in names:
        parents.add("")
        above = name.rpartition("/")[0]
        while above not in parents:
            parents.add(above)
            above = above.rpartition("/")[0]
    return {path for path in parents if after.get(path.encode(), (b"",))[0] == b"d"}


def _is_highest(name: str, removed: set[str], after: Survey) -> bool:
    """Tell whether the directory of a removed path is still there, as a directory."""
    above = name.rpartition("/")[0]
    return above not in removed and after.get(above.encode(), (b"",))[0] == b"d"
