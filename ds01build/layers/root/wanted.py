"""The users and groups that packages ask for, in scripts (adduser(8)) and in sysusers.d(5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ds01build.layers.root import shell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.layers.deb import DebFacts

__all__ = ["Group", "Member", "User", "wanted"]

_ABOUT = re.compile(r"adduser|addgroup|systemd-sysusers")
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_NUMBER = re.compile(r"[1-9]\d{0,4}")
_TEXT = re.compile(r"[^:\n,\x00-\x1f\x7f]{0,200}")
_PATH = re.compile(r"/[A-Za-z0-9_+./-]*")
_VALUED = {
    *("--comment", "--conf", "--firstgid", "--firstuid", "--gecos", "--gid", "--home"),
    *("--ingroup", "--lastgid", "--lastuid", "--shell", "--uid"),
}
_FIELD = re.compile(r"\"([^\"]*)\"|(\S+)")

_NOWHERE, _NOLOGIN, _NOGROUP = "/nonexistent", "/usr/sbin/nologin", "nogroup"


class Group(NamedTuple):
    """A system group; ``gid`` is None where any will do."""

    name: str
    gid: int | None = None


class User(NamedTuple):
    """A system user with ``group`` as its first; ``uid`` is None where any will do."""

    name: str
    group: str
    uid: int | None = None
    comment: str = ""
    home: str = _NOWHERE
    shell: str = _NOLOGIN


class Member(NamedTuple):
    """A user that joins a group."""

    user: str
    group: str


def wanted(deb: DebFacts) -> Iterator[Group | User | Member]:
    """Yield what the scripts of ``deb`` ask for, as far as they say it literally."""
    for name in ("preinst", "postinst"):
        script = deb.scripts.get(name, "")
        for words in shell.commands(script) if _ABOUT.search(script) else ():
            yield from _from_command(words, deb.kept)


def _from_command(
    words: tuple[str, ...], kept: dict[str, bytes]
) -> Iterator[Group | User | Member]:
    for at, word in enumerate(words[:2]):  # a wrapper may come first
        command, rest = word.rpartition("/")[2], words[at + 1 :]
        if command in ("adduser", "addgroup"):
            yield from _from_adduser(command, rest)
        elif command == "systemd-sysusers":
            for name in rest:
                content = kept.get(f"usr/lib/sysusers.d/{name}", b"").decode(errors="replace")
                for line in content.splitlines():
                    yield from _from_sysusers(line)


def _from_adduser(command: str, words: tuple[str, ...]) -> Iterator[Group | User | Member]:
    options, names = _options(words)
    if not names or not all(map(_NAME.fullmatch, names)):
        return
    name = names[0]
    if len(names) > 1:
        yield Member(name, names[1])
    elif "--system" in options:
        own = command == "addgroup" or "--group" in options
        if own:
            yield Group(name, _number(options.get("--gid", "")))
        if command == "adduser":
            comment = options.get("--gecos", options.get("--comment", "")).rstrip(",")
            yield User(
                name,
                name if own else options.get("--ingroup", _NOGROUP),
                _number(options.get("--uid", "")),
                comment if _TEXT.fullmatch(comment) else "",
                _path(options.get("--home", ""), _NOWHERE),
                _path(options.get("--shell", ""), _NOLOGIN),
            )


def _options(words: tuple[str, ...]) -> tuple[dict[str, str], list[str]]:
    """Split the words after adduser(8) into options and names."""
    options: dict[str, str] = {}
    names: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if word in _VALUED:
            options[word] = rest.pop(0) if rest else ""
        elif word.startswith("-"):
            options[name] = value if equals else ""
        else:
            names.append(word)
    return options, names


def _from_sysusers(line: str) -> Iterator[Group | User | Member]:
    """Read a line: type, name, id, comment, home, shell; ``-`` stands for the default."""
    fields = [quoted or bare for quoted, bare in _FIELD.findall(line)]
    kind, name, number, comment, home, login = (["" if f == "-" else f for f in fields] + [""] * 6)[
        :6
    ]
    if not _NAME.fullmatch(name):
        return
    uid, _, gid = number.partition(":")
    if kind == "m" and _NAME.fullmatch(number):
        yield Member(name, number)
    elif kind == "g":
        yield Group(name, _number(uid))
    elif kind.rstrip("!") == "u":
        yield Group(name, _number(gid or uid))
        comment = comment if _TEXT.fullmatch(comment) else ""
        yield User(name, name, _number(uid), comment, _path(home, "/"), _path(login, _NOLOGIN))


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None


def _path(text: str, default: str) -> str:
    return text if _PATH.fullmatch(text) else default
