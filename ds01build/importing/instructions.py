"""Splits a Dockerfile into instructions with the lines that they stand on, and DS01's sections.

The rules are those of BuildKit's parser: comments between the lines of an instruction are passed
over, and here-documents belong to the instruction that names them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OPTION", "Instruction", "instructions"]

MAX_INSTRUCTIONS = 5000
MAX_LINE = 16 * 1024  # characters

# An option in front of what an instruction is about: --platform=..., --from=..., --mount=...
OPTION = re.compile(r"\s*--[a-z][a-z-]*(?:=\S*)?(?:\s+|\Z)")

_DIRECTIVE = re.compile(r"#\s*([a-z]+)\s*=\s*(\S+)\s*", re.IGNORECASE)
_INSTRUCTION = re.compile(r"\s*([A-Za-z]+)(?:\s+|\Z)")
_HEREDOC = re.compile(r"<<-?(['\"]?)([A-Za-z_][A-Za-z0-9_]{0,63})\1")
# A title, which is neither a sentence nor a command: behind instructions it begins another section.
_HEADING = re.compile(r"#+\s*[A-Z][A-Za-z0-9&/ -]{0,60}(?::[A-Za-z0-9&/ -]{0,60})?")
_USE_CASE = re.compile(r"#\s*use case: ?[A-Za-z0-9&/ -]{1,60}", re.IGNORECASE)
# What the generators of DS01 have put above their instructions, by the tier that it is for.
_SECTIONS = {
    "system packages": "system",
    "packages from requirements.txt": "requirements",
    "jupyter & interactive": "jupyter",
    "core data science": "data-science",
    "use case specific packages": "use-case",
    "additional user packages": "additional",
    "custom additional packages": "custom",
    "core python packages": "core",
    "python packages": "python",
}


class Instruction(NamedTuple):
    """``parts`` are its lines with their numbers, the keyword and continuation marks apart.

    ``section`` is the tier that the comment above it stands for, empty without one; ``origin`` the
    path that DS01 says it copied packages from. ``document`` is the text of its here-documents,
    ``escape`` the Dockerfile's mark of escape.
    """

    keyword: str
    parts: tuple[tuple[int, str], ...]
    section: str
    origin: str = ""
    document: str = ""
    escape: str = "\\"

    @property
    def line(self) -> int:
        """The number of its first line."""
        return self.parts[0][0]

    @property
    def text(self) -> str:
        """What stands behind the keyword."""
        return "".join(text for _, text in self.parts)


class _Lines:
    """The lines of a file, numbered, read once."""

    __slots__ = ("_lines", "_next")

    def __init__(self, text: str) -> None:
        self._lines = re.split(r"\r?\n", text)
        self._next = 0

    def take(self) -> tuple[int, str] | None:
        if self._next >= len(self._lines):
            return None
        self._next += 1
        line = self._lines[self._next - 1]
        if len(line) > MAX_LINE:
            raise ValueError(f"line {self._next} is longer than {MAX_LINE} characters")
        return self._next, line


def instructions(text: str) -> Iterator[Instruction]:
    """Yield the instructions of a Dockerfile. Raises ValueError, which names the line."""
    lines = _Lines(text.removeprefix("\ufeff"))
    escape = _escape(text)
    section, origin, is_used, count = "", "", False, 0
    while (numbered := lines.take()) is not None:
        number, line = numbered
        stripped = line.strip()
        if not stripped:
            section, origin, is_used = ("", "", False) if is_used else (section, origin, False)
        elif stripped.startswith("#"):
            found = _section(stripped, in_body=count > 0)
            if found or (is_used and _HEADING.fullmatch(stripped)):
                section, origin, is_used = found, "", False
            elif stripped.startswith("# Source: "):
                origin = stripped.removeprefix("# Source: ")
        else:
            count += 1
            if count > MAX_INSTRUCTIONS:
                raise ValueError(f"line {number}: more than {MAX_INSTRUCTIONS} instructions")
            yield _instruction(lines, number, line, escape)._replace(section=section, origin=origin)
            is_used = True


def _instruction(lines: _Lines, number: int, line: str, escape: str) -> Instruction:
    match = _INSTRUCTION.match(line)
    keyword = match[1].upper() if match else ""
    parts, going = _part(number, line[match.end() :] if match else line, escape)
    found = [parts]
    while going and (numbered := lines.take()) is not None:
        if numbered[1].strip() and not numbered[1].lstrip().startswith("#"):
            parts, going = _part(*numbered, escape)
            found.append(parts)
    whole = Instruction(keyword, tuple(found), "", escape=escape)
    words = _HEREDOC.findall(whole.text) if keyword in ("RUN", "COPY", "ADD") else []
    return whole._replace(document="\n".join(_body(lines, word) for _, word in words))


def _part(number: int, line: str, escape: str) -> tuple[tuple[int, str], bool]:
    """Return a line without its continuation mark, and whether it had one."""
    stripped = line.rstrip(" \t")
    if stripped.endswith(escape):
        return (number, stripped[:-1]), True
    return (number, line), False


def _body(lines: _Lines, word: str) -> str:
    """Return the lines of a here-document, up to the one that ends it."""
    found = []
    while (numbered := lines.take()) is not None and numbered[1].strip("\t") != word:
        found.append(numbered[1])
    return "\n".join(found)


def _escape(text: str) -> str:
    """Return the mark of continuation: directives stand above everything else."""
    for line in text.removeprefix("\ufeff").splitlines():
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None:
            break
        if match[1].lower() == "escape" and match[2] in ("`", "\\"):
            return match[2]
    return "\\"


def _section(comment: str, *, in_body: bool) -> str:
    """Return the tier that a comment is the heading of; above all instructions a use case is none.

    There DS01 said which one the image was made for.
    """
    if in_body and _USE_CASE.fullmatch(comment):
        return "use-case"
    words = comment.lstrip("#").strip().lower().removesuffix(" (custom)")
    return _SECTIONS.get(words, "")
