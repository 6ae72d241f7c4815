"""Reads what commands of a Dockerfile install: with pip, uv and apt, as DS01 writes it and others.

An option or word that means something for an image, and that a recipe has no place for, is noted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from ds01build.grammar import deb, requirement, requirement_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ds01build.importing.draft import Teller
    from ds01build.importing.shell import Command, Word

__all__ = ["Asked", "asked_by", "does_nothing"]

_PIP = re.compile(r"(?:.*/)?pip(?:3(?:\.[0-9]+)?)?")
_PYTHON = re.compile(r"(?:.*/)?python(?:3(?:\.[0-9]+)?)?")
_APT = re.compile(r"(?:.*/)?(?:apt|apt-get|aptitude)")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_REDIRECT = re.compile(r"[0-9]*[<>]")
_VERSIONS = re.compile(r"(?:[<>]=?[0-9=][A-Za-z0-9.*+!,<>=~-]*)")

# Options of pip and uv that change nothing about what is in an image, alone and with a value.
_PLAIN = frozenset(
    {
        *("--no-cache-dir", "--no-cache", "-q", "-qq", "-qqq", "--quiet", "-v", "--verbose", "-U"),
        *("--upgrade", "-y", "--yes", "--no-input", "--disable-pip-version-check", "--system"),
        *("--break-system-packages", "--no-warn-script-location", "--prefer-binary", "--user"),
        *("--force-reinstall", "-I", "--ignore-installed", "--no-python-version-warning"),
        *("--no-color", "--compile", "--no-compile", "--compile-bytecode"),
    }
)
_VALUED = frozenset(
    {
        *("--root-user-action", "--timeout", "--default-timeout", "--retries", "--progress-bar"),
        *("--cache-dir", "--upgrade-strategy", "--only-binary", "--link-mode", "--log"),
    }
)
# Options with a value that decide what is installed, or from where; the value may be a secret.
_LOST = frozenset(
    {
        *("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "-t", "--target"),
        *("--prefix", "--root", "--python", "-p", "--proxy", "--cert", "--client-cert"),
        *("--trusted-host", "--platform", "--python-version", "--implementation", "--abi"),
        *("--no-binary", "-e", "--editable", "--src", "--config-settings", "-C", "--report"),
        *("--global-option", "--group", "--index", "--default-index", "--torch-backend"),
    }
)
_FILES: dict[str, Literal["file", "bounds"]] = {"-r": "file", "--requirement": "file"}
_FILES |= {"--requirements": "file", "-c": "bounds", "--constraint": "bounds"}
_FILES |= {"--constraints": "bounds"}
_APT_PLAIN = frozenset(
    {
        *("-y", "--yes", "--assume-yes", "-q", "-qq", "-qqy", "-yq", "-yqq", "-qy", "--quiet"),
        *("--no-install-recommends", "--no-install-suggests", "-f", "--fix-missing"),
        *("--allow-downgrades", "--allow-change-held-packages"),
    }
)
_APT_VALUED = frozenset(
    {"-o", "--option", "-c", "-a", "--default-release", "-t", "--target-release"}
)
_KEPT = frozenset({"update", "clean", "autoclean", "autoremove"})


class Asked(NamedTuple):
    """Something that a command installs: a package in normal form, or a file that names some.

    ``bounds`` is a file of constraints. ``place`` is where it stands in the script.
    """

    kind: Literal["apt", "python", "file", "bounds"]
    text: str
    place: int


def asked_by(command: Command, tell: Teller) -> list[Asked] | None:
    """Return what a command installs, None where it is not one that installs packages.

    ``tell`` is told what of it is not carried over as it is written.
    """
    words = _stripped(command.words)
    names = [word.text for word in words[:3]]
    if len(names) > 1 and _PIP.fullmatch(names[0]) and names[1] == "install":
        return list(_pip(words[2:], tell))
    if names[:3] == ["uv", "pip", "install"]:
        return list(_pip(words[3:], tell))
    if names[1:3] == ["-m", "pip"] and _PYTHON.fullmatch(names[0]):
        return list(_pip(words[4:], tell)) if _at(words, 3) == "install" else None
    if names and _APT.fullmatch(names[0]):
        return _apt(words[1:], tell)
    return None


def does_nothing(command: Command) -> bool:
    """Say whether a command leaves nothing in an image that ds01 would not do without."""
    words = [word.text for word in _stripped(command.words) if not _REDIRECT.match(word.text)]
    if not words or words[0] in ("true", ":", "set", "export"):
        return words[:1] != ["export"]
    if words[0] == "rm":
        paths = [word for word in words[1:] if not word.startswith("-")]
        kept = ("/var/lib/apt/lists", "/tmp/", "/var/tmp/", "/root/.cache", "/var/cache/apt")  # noqa: S108
        return all(path.startswith(kept) for path in paths)
    return words[:3] in (["pip", "cache", "purge"], ["pip3", "cache", "purge"])


def _at(words: Sequence[Word], place: int) -> str:
    return words[place].text if len(words) > place else ""


def _stripped(words: Sequence[Word]) -> Sequence[Word]:
    """Return a command without the variables that it is given, and without sudo and env."""
    start = 0
    while start < len(words):
        text = words[start].text
        if not (_ASSIGNMENT.fullmatch(text) or text in ("sudo", "env", "exec", "command", "-E")):
            break
        start += 1
    return words[start:]


def _pip(words: Sequence[Word], tell: Teller) -> Iterator[Asked]:
    rest = list(words)
    wanted: list[tuple[str, Word]] = []
    while rest:
        word = rest.pop(0)
        if word.is_range and _REDIRECT.match(word.text):
            if wanted and _VERSIONS.fullmatch(word.text):  # pandas >=2.0
                text, first = wanted.pop()
                wanted.append((text + word.text, first._replace(is_range=True)))
        elif word.text.startswith("-") and len(word.text) > 1:
            yield from _pip_option(word, rest, tell)
        else:
            wanted.append((word.text, word))
    for text, word in wanted:
        found = _requirement(text, word, tell)
        if found:
            yield Asked("python", found, word.start)


def _pip_option(word: Word, rest: list[Word], tell: Teller) -> Iterator[Asked]:
    name, equals, value = word.text.partition("=")
    short = name[:2]
    if not name.startswith("--") and short in {*_FILES, *_LOST} and name != short:
        name, equals, value = short, "=", word.text[2:]  # -rFILE
    if name in _FILES or name in _VALUED or name in _LOST:
        following = rest.pop(0) if not equals and rest else word
        value = value if equals else following.text
        if name in _FILES:
            yield Asked(_FILES[name], value, word.start)
        elif name in _LOST:
            tell("dropped", word.start, name, _advice(name))
    elif name not in _PLAIN:
        tell("dropped", word.start, name, "an option that a recipe has no place for")


def _advice(name: str) -> str:
    if name in ("-e", "--editable"):
        return "editable installs are not part of an image: name a package"
    if "index" in name or name in ("-i", "-f", "--find-links"):
        return "set index-url or extra-index-urls in [resolve]"
    return "an option that a recipe has no place for"


def _requirement(text: str, word: Word, tell: Teller) -> str:
    if word.expands:
        tell("dropped", word.start, text, "what the shell would put here is not known")
        return ""
    try:
        found = requirement(text)
    except ValueError as error:
        tell("dropped", word.start, text, str(error))
        return ""
    if requirement_name(found) == "pip":
        tell("done", word.start, text, "ds01 installs packages itself")
        return ""
    if word.is_range:
        name = requirement_name(found)
        reason = f"as {found}: the shell took its version for a file, and pip got {name} alone"
        tell("changed", word.start, text, reason)
    return found


def _apt(words: Sequence[Word], tell: Teller) -> list[Asked] | None:
    """Return what apt installs; None for what it does else, but for its housekeeping."""
    rest = list(words)
    action = ""
    found: list[Asked] = []
    while rest:
        word = rest.pop(0)
        if word.is_range and _REDIRECT.match(word.text):
            continue
        if word.text.startswith("-"):
            _apt_option(word, rest, tell)
        elif not action:
            action = word.text
        elif action == "install":
            found += _deb(word, tell)
    return found if action == "install" or action in _KEPT else None


def _apt_option(word: Word, rest: list[Word], tell: Teller) -> None:
    name, equals, _ = word.text.partition("=")
    if name in _APT_VALUED and not equals and rest:
        rest.pop(0)
    if name not in _APT_PLAIN:
        tell("dropped", word.start, word.text, "an option that a recipe has no place for")


def _deb(word: Word, tell: Teller) -> Iterator[Asked]:
    if word.expands:
        tell("dropped", word.start, word.text, "what the shell would put here is not known")
        return
    try:
        yield Asked("apt", deb(word.text), word.start)
    except ValueError as error:
        tell("dropped", word.start, word.text, str(error))
