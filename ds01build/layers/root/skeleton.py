"""The directories and links that every Debian root has, and the templates that are copied."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.layers.deb.place import ALIASES
from ds01build.layers.root import made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.layers.entry import Entry
    from ds01build.layers.root.tree import Tree

__all__ = ["LOCAL", "LOCAL_LINK", "entries", "merged_usr", "python"]

MAIL, UTMP = 8, 43  # groups of base-passwd

# Below /usr/local (base-files' postinst); 0755, as no /etc/staff-group-for-usr-local is there.
LOCAL = (
    "usr/local",
    "usr/local/bin",
    "usr/local/etc",
    "usr/local/games",
    "usr/local/include",
    "usr/local/lib",
    "usr/local/sbin",
    "usr/local/share",
    "usr/local/share/man",
    "usr/local/src",
)
LOCAL_LINK = ("usr/local/man", "share/man")

_ALWAYS = ("bin", "lib", "sbin")
_DIRECTORIES = ("etc/opt", "media", "mnt", "opt", "srv", "var/opt")
_TEMPLATES = {
    "etc/motd": "motd",
    "etc/profile": "profile",
    "root/.bashrc": "dot.bashrc",
    "root/.profile": "dot.profile",
    "usr/share/info/dir": "info.dir",
}
_COMPILE = """\
[DEFAULT]
# how to byte-compile (comma separated: standard, optimize)
byte-compile = standard
"""
_INTERPRETER = re.compile(r"python(3\.\d+)-minimal")


def merged_usr(tree: Tree) -> Iterator[tuple[str, Entry]]:
    """Yield the links from / into /usr: the three of every root, and those that a package needs."""
    used = {alias for deb in tree.debs for alias in deb.aliased}
    for name, to in ALIASES.items():
        if "/" not in name and (name in _ALWAYS or name in used):
            yield "usr-is-merged", made.link(name, to)
            if to not in tree.stats:
                yield "usr-is-merged", made.directory(to)


def entries(tree: Tree) -> Iterator[tuple[str, Entry]]:
    """Yield what base-files' postinst makes; nothing where the package is missing."""
    if tree.has("base-files"):
        for entry in _skeleton(tree):
            yield "base-files", entry


def _skeleton(tree: Tree) -> Iterator[Entry]:
    for path in (*_DIRECTORIES, *LOCAL):
        yield made.directory(path)
    yield made.directory("run/lock", 0o1777)
    yield made.directory("var/mail", 0o2775, MAIL)
    yield made.link("var/lock", "/run/lock")
    yield made.link("var/run", "/run")
    yield made.link("var/spool/mail", "../mail")
    yield made.link(*LOCAL_LINK)
    if "etc/dpkg/origins/debian" in tree.stats:
        yield made.link("etc/dpkg/origins/default", "debian")
    for path, name in _TEMPLATES.items():
        content = tree.kept(f"usr/share/base-files/{name}")
        folder = path.rpartition("/")[0]
        if content is not None and path not in tree.stats and folder in tree.stats:
            yield made.file(path, content)
    yield made.file("var/log/btmp", b"", 0o660, UTMP)
    yield made.file("var/log/lastlog", b"", 0o664, UTMP)
    yield made.file("var/log/wtmp", b"", 0o664, UTMP)


def python(tree: Tree) -> Iterator[tuple[str, Entry]]:
    """Yield where pip installs to, for each Python, and how Debian's tools compile."""
    for deb in tree.debs:
        match = _INTERPRETER.fullmatch(deb.name)
        if match:
            yield deb.name, made.directory(f"usr/local/lib/python{match[1]}")
            yield deb.name, made.directory(f"usr/local/lib/python{match[1]}/dist-packages")
    if tree.has("python3"):
        yield "python3", made.directory("etc/python3")
        yield "python3", made.file("etc/python3/debian_config", _COMPILE)
