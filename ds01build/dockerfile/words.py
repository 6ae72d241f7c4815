"""Quotes text for a Dockerfile, so that no value can become another word or instruction.

Two readers are met by what is written here: the parser, which splits lines and decodes JSON, and
the word processor, which afterwards expands variables and takes quotes away, also in the JSON
forms of COPY. RUN, ENTRYPOINT and CMD in JSON form are only decoded.
"""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING

from ds01build.fields import single_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["argv", "comment", "listed", "pairs", "paths", "quoted", "word"]

_SPECIAL = re.compile(r"""[\\"'$]""")
_DOUBLE_QUOTED = re.compile(r"""[\\"$]""")
_WIDTH = 98


def argv(words: Sequence[str]) -> str:
    """Return ``words`` as a JSON array on one line, which is executed as it stands.

    Characters outside ASCII are escaped, and so is what begins a heredoc. Raises ValueError for
    control characters.
    """
    return f"[{listed(words)}]"


def listed(words: Sequence[str]) -> str:
    """Return ``words`` as they stand in such an array."""
    return ", ".join(map(word, words))


def word(text: str) -> str:
    """Return one word of such an array."""
    return json.dumps(single_line(text)).replace("<<", r"\u003c\u003c")


def quoted(text: str) -> str:
    """Return ``text`` in double quotes, as ENV, LABEL and WORKDIR take one word.

    Raises ValueError for control characters.
    """
    return f'"{_DOUBLE_QUOTED.sub(_escape, single_line(text))}"'


def pairs(values: Mapping[str, str]) -> str:
    """Return the names and values of one LABEL, a line for each."""
    return " \\\n      ".join(f"{quoted(name)}={quoted(each)}" for name, each in values.items())


def paths(*words: str) -> str:
    """Return the sources and the destination of a COPY."""
    return argv([_SPECIAL.sub(_escape, each) for each in words])


def comment(text: str) -> str:
    """Return ``text`` as lines of a comment. Whatever it holds, no line is without its ``#``."""
    shown = "".join(each if each.isprintable() else "?" for each in text)
    lines = textwrap.wrap(shown, _WIDTH, break_long_words=True, break_on_hyphens=False)
    return "\n".join(f"# {line}" for line in lines)


def _escape(match: re.Match[str]) -> str:
    return f"\\{match[0]}"
