"""Reads a Dockerfile, above all those that DS01 generated: packages by section, base, settings.

Both of its formats: packages inlined below the headings of their sections, and a requirements.txt
that is copied in. Instructions that a recipe has no place for are noted with their lines.
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from ds01build.errors import Ds01Error
from ds01build.importing.bases import base_of_image
from ds01build.importing.draft import Draft, Included, Slice, noted
from ds01build.importing.installs import asked_by, does_nothing
from ds01build.importing.instructions import OPTION, instructions
from ds01build.importing.requirements import included
from ds01build.importing.settings import Settings
from ds01build.importing.shell import Command, Word, commands, joined
from ds01build.importing.stages import last_stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ds01build.importing.draft import Kind, Note, Outcome
    from ds01build.importing.installs import Asked
    from ds01build.importing.instructions import Instruction
    from ds01build.importing.stages import Stage
    from ds01build.recipe import Base

__all__ = ["read_dockerfile"]

_IDENTITY = re.compile(r"\bDS01_(?:USER_ID|GROUP_ID|USERNAME)\b")
_JUPYTER = re.compile(
    r"(?:.*/)?\.jupyter(?:/.*)?|.*jupyter_\w*config\w*(?:\.py)?|--generate-config"
)
_MAX_PLACES = 200
_PATH_LIMIT = 256  # characters of a word that are looked at
_FLOW = frozenset(
    {"if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "{"}
)

_BY_DS01 = "the container gets its user when it is created; no image has one"
_BY_JUPYTER = (
    "ipykernel brings its kernel; the settings in /root were read by nobody but root, and their "
    "empty token let everybody in"
)
_HOUSEKEEPING = "ds01 keeps no lists, caches and temporary files in an image"


class _Place(NamedTuple):
    """Where a file or directory of the context came to lie in the image; ``line`` is its COPY's."""

    line: int
    source: str
    to: str


@dataclass(slots=True)
class _Reading:
    """What has been read of a Dockerfile so far: packages by tier, files by where they went."""

    file: str
    read: Callable[[str], str]
    settings: Settings
    python: dict[str, list[str]] = field(default_factory=dict)
    system: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, Included] = field(default_factory=dict)  # by tier
    copies: list[Instruction] = field(default_factory=list)
    places: list[_Place] = field(default_factory=list)
    used: set[int] = field(default_factory=set)  # lines of COPY whose files were read
    notes: list[Note] = field(default_factory=list)

    def note(self, outcome: Outcome, line: int, text: str, reason: str) -> None:
        self.notes.append(noted(outcome, self.file, line, text, reason))


def read_dockerfile(file: str, read: Callable[[str], str]) -> Draft:
    """Read a Dockerfile; ``read`` returns files beneath its directory, its context.

    Raises Ds01Error for what is none, and what ``read`` raises of it.
    """
    try:
        every = list(instructions(read(file)))
    except ValueError as error:
        raise Ds01Error(f"{file}: {error}") from error
    notes: list[Note] = []
    settings = Settings(lambda *told: notes.append(noted(told[0], file, *told[1:])))
    reading = _Reading(file, read, settings, notes=notes)
    stage, body = last_stage(file, every, reading.note)
    base = _base(reading, stage)
    for each in body:
        _instruction(reading, each)
    for copy in reading.copies:
        if copy.line not in reading.used:
            reason = "files are not copied: a files tier names those that an image needs"
            reading.note("dropped", copy.line, f"{copy.keyword} {copy.text}", reason)
    notes.sort(key=lambda note: (note.source != file, note.line))
    return Draft(
        name=settings.project,
        base=base,
        slices=tuple(_slices(reading)),
        image=settings.image(),
        notes=tuple(notes),
    )


def _base(reading: _Reading, stage: Stage) -> Base | None:
    try:
        return base_of_image(stage.image)
    except ValueError as error:
        reading.note("dropped", stage.line, f"FROM {stage.image}", f"{error}; --base REF names one")
        return None


def _instruction(reading: _Reading, each: Instruction) -> None:
    if each.keyword == "RUN":
        _run(reading, each)
    elif each.keyword in ("COPY", "ADD"):
        _copy(reading, each)
    elif not reading.settings.take(each):
        reason = "an instruction that a recipe has no place for"
        reading.note("dropped", each.line, f"{each.keyword} {each.text}".strip(), reason)


def _copy(reading: _Reading, each: Instruction) -> None:
    reading.copies.append(each)
    text = each.text
    while (option := OPTION.match(text)) is not None:
        if option[0].strip().startswith("--from="):  # of another stage or image
            return
        text = text[option.end() :]
    *sources, to = _words(text) or [""]
    there = posixpath.normpath(posixpath.join(reading.settings.workdir or "/", to))
    for source in sources[: _MAX_PLACES - len(reading.places)]:
        reading.places.append(_Place(each.line, posixpath.normpath(source), there))


def _words(text: str) -> list[str]:
    """Return the words of an instruction in either of its forms, none where it has neither."""
    try:
        found = json.loads(text)
        if isinstance(found, list) and all(isinstance(each, str) for each in found):
            return [str(each) for each in found]
    except (ValueError, RecursionError):
        pass
    try:
        return [word.text for command in commands(text) for word in command.words]
    except ValueError:
        return []


def _run(reading: _Reading, each: Instruction) -> None:
    shown = f"RUN {each.text.strip()}"
    if _IDENTITY.search(each.text):
        reading.note("done", each.line, shown, _BY_DS01)
        return
    script = joined(each.parts)
    try:
        found = [] if each.document else list(_commands(script.text))
    except ValueError as error:
        reading.note("dropped", each.line, shown, str(error))
        return
    if not found or any(command.words[0].text in _FLOW for command in found):
        reading.note("dropped", each.line, shown, "commands are not carried over")
        return
    if each.origin:
        reason = "the list in the Dockerfile counts; import the file too if it says more by now"
        reading.note("changed", each.line, f"# Source: {each.origin}", reason)
    unknown = [command for command in found if not _known(reading, each, command, script.line)]
    for first, last in _spans(found, unknown):
        text = script.text[first.start : last.end]
        reason = "commands are not carried over: a run tier can execute them"
        reading.note("dropped", script.line(first.start), f"RUN {text}", reason)


def _commands(text: str) -> Iterator[Command]:
    start = 0
    while (option := OPTION.match(text, start)) is not None:  # --mount, --network
        start = option.end()
    if text[start:].lstrip().startswith("["):
        words = tuple(Word(word, start, len(text)) for word in _words(text[start:]))
        if words:
            yield Command(words, start, len(text), "")
        return
    yield from commands(" " * start + text[start:])


def _known(
    reading: _Reading, each: Instruction, command: Command, line: Callable[[int], int]
) -> bool:
    """Take what a command installs; say whether there is nothing else to it."""

    def tell(outcome: Outcome, place: int, text: str, reason: str) -> None:
        reading.note(outcome, line(place), text, reason)

    before = len(reading.notes)
    asked = asked_by(command, tell)
    if asked is not None:
        for one in asked:
            _take(reading, each, one, line(one.place))
        if not asked and len(reading.notes) == before:
            reading.note("done", line(command.start), _shown(command), _HOUSEKEEPING)
    elif _is_jupyter(command):
        reading.note("done", line(command.start), _shown(command), _BY_JUPYTER)
    elif does_nothing(command):
        reading.note("done", line(command.start), _shown(command), _HOUSEKEEPING)
    else:
        return False
    return True


def _shown(command: Command) -> str:
    return " ".join(word.text for word in command.words)


def _is_jupyter(command: Command) -> bool:
    words = [word.text.lstrip("<>") for word in command.words]
    is_kernel = "install" in words and ("ipykernel" in words or words[:2] == ["ipython", "kernel"])
    return is_kernel or any(_JUPYTER.fullmatch(word[-_PATH_LIMIT:]) for word in words)


def _spans(every: Sequence[Command], some: Sequence[Command]) -> Iterator[tuple[Command, Command]]:
    """Yield first and last of the commands in ``some`` that follow each other."""
    starts = {command.start for command in some}
    for is_some, group in groupby(every, lambda command: command.start in starts):
        run = list(group)
        if is_some:
            yield run[0], run[-1]


def _take(reading: _Reading, each: Instruction, one: Asked, line: int) -> None:
    if one.kind == "apt":
        reading.system.setdefault("system", []).append(one.text)
        return
    tier = each.section if each.section not in ("", "system") else "custom"
    if one.kind == "python":
        reading.python.setdefault(tier, []).append(one.text)
        return
    _file(reading, one, tier if each.section else "requirements", line)


def _file(reading: _Reading, one: Asked, tier: str, line: int) -> None:
    """Read a requirements file that was copied into the image."""
    path = _origin(reading, one.text)
    what = f"{'-r' if one.kind == 'file' else '-c'} {one.text}"
    if path is None:
        reading.note("dropped", line, what, "no COPY says which file it is")
        return
    if one.kind == "bounds":
        reason = "bounds of what others need: put -c into the requirements file itself"
        reading.note("dropped", line, what, reason)
        return
    try:
        found = included(path, reading.read, lambda file: file)
    except Ds01Error as error:
        reading.note("dropped", line, what, str(error))
        return
    if tier in reading.files and reading.files[tier].path != path:
        reading.python.setdefault(tier, []).extend(found.packages)
        reading.notes += found.notes
        return
    reading.files[tier] = found
    if not found.whole:
        reading.notes += found.notes


def _origin(reading: _Reading, target: str) -> str | None:
    """Return which file of the context lies at a path of the image, None where none is known."""
    wanted = posixpath.normpath(posixpath.join(reading.settings.workdir or "/", target))
    for place in reversed(reading.places):
        below = wanted.removeprefix("/" if place.to == "/" else f"{place.to}/")
        is_below = below != wanted
        found = ""
        if wanted == place.to or (is_below and below == posixpath.basename(place.source)):
            found = place.source
        elif is_below and place.source == ".":
            found = below
        if found and not found.startswith(("/", "..")):
            reading.used.add(place.line)
            return found
    return None


def _slices(reading: _Reading) -> Iterator[Slice]:
    kinds: list[tuple[Kind, dict[str, list[str]]]] = [("apt", reading.system)]
    kinds.append(("python", reading.python))
    for kind, tiers in kinds:
        for tier, packages in tiers.items():
            yield Slice(tier=tier, kind=kind, packages=tuple(dict.fromkeys(packages)))
    for tier, file in reading.files.items():
        yield Slice(tier=tier, kind="python", included=file)
