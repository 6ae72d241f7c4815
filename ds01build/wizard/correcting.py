"""Answers that turn out not to go: asked for again as they were typed, and as a command line."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ds01build.recipe import DebianBase, FrameworkBase, ImageBase
from ds01build.wizard.answers import Answers, Picked, requirements, tools
from ds01build.wizard.phases import MORE, MORE_TOOLS, usual_tools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ds01build.asking import Asker
    from ds01build.recipe import Base

__all__ = ["advice", "blamed", "command", "corrected"]

T = TypeVar("T")

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]*")
_BUNDLES = {"jupyter": "Jupyter", "data_science": "Data science"}
_FLAGS = {"jupyter": "--jupyter", "data_science": "--data-science", "system": "--system"}
_UNPINNED = re.compile(r"[A-Za-z0-9._-]+(?:\s*\[[^\]]*\])?")


def blamed(answers: Answers, complaint: str) -> tuple[str, ...]:
    """Return the answers that may be what a complaint is about, none where nobody named packages.

    Where it names none of them it is about all, unless a file asks for packages, too.
    """
    named = _named(answers)
    found = tuple(where for where, packages in named.items() if _blames(complaint, packages))
    return found or (() if answers.requirements else tuple(named))


def corrected(answers: Answers, asker: Asker, complaint: str) -> Answers:
    """Ask again for the packages that are ``blamed``, each list as it was typed."""
    named = _named(answers)
    for where in blamed(answers, complaint):
        answers = _asked_again(answers, where, asker, named[where])
    return answers


def advice(answers: Answers, complaint: str) -> str:
    """Say which flags to give in another way, empty where none is to blame."""
    named = _named(answers)
    found = [_advised(where, named[where], complaint) for where in blamed(answers, complaint)]
    if not found and answers.requirements:
        return "change what --requirements names"
    return "; ".join(found)


def _advised(where: str, packages: tuple[str, ...], complaint: str) -> str:
    wrong = [each for each in packages if _blames(complaint, [each])] or [*packages]
    plain = [_plain(each, where) for each in wrong]
    names = "its right name" if len(wrong) == 1 else "their right names"
    other = f"give {names}" if plain == wrong else f"ask for {' '.join(plain)}"
    return f"leave {' '.join(wrong)} out of {_FLAGS.get(where, '--packages')}, or {other}"


def _plain(package: str, where: str) -> str:
    """Return a package that may have any version."""
    if where == "system":
        return package.partition("=")[0]
    match = _UNPINNED.match(package)
    return match[0] if match else package


def _named(answers: Answers) -> dict[str, tuple[str, ...]]:
    """Return the packages that somebody named, by the answer that has them."""
    found = {name: getattr(answers, name) for name in (*_BUNDLES, "system")}
    own = {name: picked.packages for name, picked in found.items() if picked}
    cases = [picked.packages for picked in answers.use_cases or () if not picked.bundle]
    own["use_cases"] = cases[0] if cases else ()
    own["packages"] = answers.packages or ()
    order = (*_BUNDLES, "use_cases", "packages", "system")
    return {name: own[name] for name in order if own.get(name)}


def _blames(complaint: str, packages: Sequence[str]) -> bool:
    words = {_name(word) for word in _WORD.findall(complaint)}
    return any(_name(_WORD.findall(package)[0]) in words for package in packages)


def _name(word: str) -> str:
    """Return a name as whoever complains may write it."""
    return re.sub(r"[-_.]+", "-", word.lower()).rstrip("-")


def _asked_again(answers: Answers, where: str, asker: Asker, packages: tuple[str, ...]) -> Answers:
    def again(question: str, read: Callable[[str], T]) -> T:
        return asker.text(question, read, typed=" ".join(packages))

    if where == "packages":
        return replace(answers, packages=again(MORE, requirements))
    if where == "system":
        assert answers.system is not None, "it has packages"
        usual = answers.system.bundle
        return replace(answers, system=again(MORE_TOOLS, lambda text: tools(text, usual)))
    if where == "use_cases":
        own = again("Use case packages (separated by spaces, or Enter for none)", requirements)
        bundled = tuple(picked for picked in answers.use_cases or () if picked.bundle)
        return replace(answers, use_cases=(*bundled, *([Picked(packages=own)] if own else [])))
    title = f"{_BUNDLES[where]} packages (separated by spaces, or Enter for none)"
    picked = Picked(packages=again(title, requirements))
    if where == "jupyter":
        return replace(answers, jupyter=picked)
    return replace(answers, data_science=picked)


def command(answers: Answers, project: Path) -> list[str]:
    """Return the command line that gives these answers; packages of a use case are additional.

    ``project`` is the directory that a file of requirements lies in.
    """
    assert answers.name is not None, "an image has a name"
    assert answers.base is not None, "an image has a base"
    return ["image-create", answers.name, *_base(answers.base), *_contents(answers, project)]


def _base(base: Base) -> list[str]:
    if isinstance(base, ImageBase):
        return ["--base", base.reference]
    if isinstance(base, DebianBase):
        return ["--debian", base.suite]
    assert isinstance(base, FrameworkBase), "the three kinds of bases"
    arch = ["--arch", base.architecture] if base.architecture else []
    return ["-f", f"{base.framework}:{base.version}", *arch]


def _contents(answers: Answers, project: Path) -> Iterator[str]:
    cases = [picked.bundle for picked in answers.use_cases or () if picked.bundle]
    if answers.essential is not None:
        bundles = [*(["essential"] if answers.essential else []), *cases]
        yield f"--bundles={','.join(bundles)}"
    else:
        yield from ("--jupyter", _choice(answers.jupyter))
        yield from ("--data-science", _choice(answers.data_science))
        for case in cases or ["custom"]:
            yield from ("-t", case)
    if isinstance(answers.requirements, str) and answers.requirements:
        yield from ("-r", str(project / answers.requirements))
    more = [package for picked in answers.use_cases or () for package in picked.packages]
    more += answers.requirements if isinstance(answers.requirements, tuple) else ()
    more += answers.packages or ()
    if more:
        yield from ("-p", " ".join(dict.fromkeys(more)))
    if answers.system is not None:
        packages = " ".join(answers.system.packages)
        if packages or answers.system.bundle != usual_tools(answers.base):
            yield from ("-s", packages or "no")


def _choice(picked: Picked | None) -> str:
    if not picked:
        return "no"
    return "yes" if picked.bundle else " ".join(picked.packages)
