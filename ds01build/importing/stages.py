"""Finds the last stage of a Dockerfile, which is the image, and what it stands on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error
from ds01build.importing.instructions import OPTION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.importing.draft import Teller
    from ds01build.importing.instructions import Instruction

__all__ = ["Stage", "last_stage"]

_STAGE = re.compile(r"(?P<image>\S+)(?:\s+AS\s+(?P<name>[a-z0-9][a-z0-9._-]*))?", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")


@dataclass(slots=True)
class Stage:
    """A stage: what it stands on, and its instructions; ``line`` is that of its FROM."""

    image: str
    name: str
    line: int
    body: list[Instruction] = field(default_factory=list)


def last_stage(
    file: str, every: Sequence[Instruction], tell: Teller
) -> tuple[Stage, list[Instruction]]:
    """Return what the image stands on, and all instructions that it is made by.

    ``tell`` is told by line of what is not carried over. Raises Ds01Error for a ``file`` that has
    no stage.
    """
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for each in every:
        if each.keyword == "FROM":
            stages.append(_stage(file, each, arguments, tell))
        elif stages:
            stages[-1].body.append(each)
        elif each.keyword == "ARG":
            name, equals, value = each.text.strip().partition("=")
            arguments |= {name: value.strip("\"'")} if equals else {}
        else:
            tell("dropped", each.line, f"{each.keyword} {each.text}", "stands before FROM")
    if not stages:
        raise Ds01Error(f"{file} is not a Dockerfile: it has no FROM")
    named = {stage.name: stage for stage in stages if stage.name}
    chain, last = [stages[-1]], stages[-1]
    while (last := named.get(last.image.lower(), last)) not in chain:
        chain.append(last)
    for stage in stages:
        if stage not in chain:
            reason = "a stage that the image takes files from at most"
            tell("dropped", stage.line, f"FROM {stage.image} and what follows", reason)
    return last, [each for stage in reversed(chain) for each in stage.body]


def _stage(file: str, each: Instruction, arguments: dict[str, str], tell: Teller) -> Stage:
    text = each.text.strip()
    while (option := OPTION.match(text)) is not None:
        reason = "a recipe's base is for the machine that it is locked on"
        tell("dropped", each.line, option[0], reason)
        text = text[option.end() :]
    match = _STAGE.fullmatch(text)
    if match is None:
        raise Ds01Error(f"{file}:{each.line}: FROM does not name an image")
    image = _VARIABLE.sub(
        lambda found: arguments.get(found[1] or found[2], found[0]), match["image"]
    )
    return Stage(image, (match["name"] or "").lower(), each.line)
