"""Reads the instructions of a Dockerfile that say how containers start: ENV, WORKDIR, CMD, ..."""

from __future__ import annotations

import json
import posixpath
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ds01build.fields import single_line
from ds01build.grammar import absolute_path, label_name, port, user, variable_name
from ds01build.importing.pairs import pairs
from ds01build.importing.secrecy import SECRET, exposes, is_secret
from ds01build.recipe import ImageSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ds01build.importing.draft import Teller
    from ds01build.importing.instructions import Instruction

__all__ = ["Settings"]

_DS01 = re.compile(r"ds01\..*|maintainer(?:\..*)?|aime\.mlc(?:\..*)?", re.IGNORECASE)
_ARGUMENT = re.compile(r"\s*DS01_(?:USER_ID|GROUP_ID|USERNAME)(?:=.*)?")
_NO_USER = "the container gets its user when it is created; no image has one"


class Settings:
    """Settings as they come to be, instruction by instruction; the last of each kind counts.

    ``project`` is what DS01 called it. ``tell`` is told by line of what is not carried over.
    """

    def __init__(self, tell: Teller) -> None:
        self._tell = tell
        self._env: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        self._ports: set[str] = set()
        self._user = ""
        self._commands: dict[str, tuple[str, ...]] = {}
        self.workdir = ""
        self.project = ""

    def image(self) -> ImageSettings:
        """Return what a recipe says under [image]."""
        return ImageSettings(
            env=tuple(sorted(self._env.items())),
            workdir=self.workdir,
            user=self._user,
            entrypoint=self._commands.get("ENTRYPOINT"),
            cmd=self._commands.get("CMD"),
            labels=tuple(sorted(self._labels.items())),
            ports=tuple(sorted(self._ports)),
        )

    def take(self, each: Instruction) -> bool:
        """Take an instruction; False where it is none of these, or says what no recipe can."""
        takers = {"ENV": self._take_env, "LABEL": self._take_labels, "EXPOSE": self._take_ports}
        takers |= {
            "WORKDIR": self._take_workdir,
            "USER": self._take_user,
            "ARG": self._take_argument,
        }
        takers |= {"CMD": self._take_command, "ENTRYPOINT": self._take_command}
        taker = takers.get(each.keyword)
        if taker is None:
            return False
        names = each.keyword in ("ENV", "LABEL")
        shown = each.text.partition("=")[0] if names else each.text
        with self._telling(each.line, f"{each.keyword} {shown.strip()}"):
            taker(each)
        return True

    @contextmanager
    def _telling(self, line: int, what: str) -> Iterator[None]:
        """Tell why something is dropped whose check raises ValueError, and go on."""
        try:
            yield
        except ValueError as error:
            self._tell("dropped", line, what, str(error))

    def _take_env(self, each: Instruction) -> None:
        for name, value, expands in pairs(each.text, each.escape):
            if is_secret(name) or exposes(value):
                self._tell("dropped", each.line, f"ENV {name}", SECRET)
            elif expands:
                reason = "it refers to other variables, which a recipe's env does not"
                self._tell("dropped", each.line, f"ENV {name}", reason)
            else:
                with self._telling(each.line, f"ENV {name}"):
                    self._env[variable_name(name)] = single_line(value)

    def _take_labels(self, each: Instruction) -> None:
        for name, value, expands in pairs(each.text, each.escape):
            if _DS01.fullmatch(name):
                self.project = value if name == "ds01.project" else self.project
                reason = "ds01 labels images itself, and without a person or a time"
                self._tell("done", each.line, f"LABEL {name}", reason)
                continue
            if is_secret(name) or exposes(value):
                self._tell("dropped", each.line, f"LABEL {name}", SECRET)
                continue
            if expands:
                reason = "it refers to variables, which a recipe's labels do not"
                self._tell("dropped", each.line, f"LABEL {name}", reason)
                continue
            with self._telling(each.line, f"LABEL {name}"):
                self._labels[label_name(name)] = single_line(value)

    def _take_ports(self, each: Instruction) -> None:
        for word in each.text.split():
            with self._telling(each.line, f"EXPOSE {word}"):
                self._ports.add(port(word if "/" in word else f"{word}/tcp"))

    def _take_workdir(self, each: Instruction) -> None:
        path = posixpath.join(self.workdir or "/", each.text.strip().strip("\"'"))
        if "$" in path:
            raise ValueError("it refers to variables, which a recipe's workdir does not")
        self.workdir = absolute_path(single_line(posixpath.normpath(path)))

    def _take_user(self, each: Instruction) -> None:
        self._user = user(each.text.strip())

    def _take_argument(self, each: Instruction) -> None:
        if _ARGUMENT.fullmatch(each.text):
            self._tell("done", each.line, f"ARG {each.text.strip()}", _NO_USER)
            return
        raise ValueError("a recipe has no arguments")

    def _take_command(self, each: Instruction) -> None:
        text = each.text.strip()
        words = [single_line(word) for word in _executed(text)]
        if exposes(" ".join(words)):
            self._commands.pop(each.keyword, None)  # which this one was to replace
            self._tell("dropped", each.line, each.keyword, SECRET)
            return
        self._commands[each.keyword] = tuple(words)


def _executed(text: str) -> Sequence[str]:
    """Return the words of CMD or ENTRYPOINT: those of its JSON, or else a shell's with the text."""
    try:
        found = json.loads(text) if text.startswith("[") else None
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, list) and all(isinstance(each, str) for each in found):
        return found
    return ["/bin/sh", "-c", text]
