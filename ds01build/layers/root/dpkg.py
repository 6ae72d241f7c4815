"""dpkg's database, as if dpkg had installed the packages: status, triggers, diversions, overrides.

Formats: deb-control(5) for the status, dpkg's lib/dpkg/dump.c for the order of its fields. The
files below info/ belong to the packages' own layers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.layers.deb.mend import MENDED
from ds01build.layers.root import made, shell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.layers.deb import DebFacts
    from ds01build.layers.entry import Entry
    from ds01build.layers.root.tree import Tree

__all__ = ["entries"]

_FOLDER = "var/lib/dpkg"
_BEFORE = (
    *("Package", "Essential", "Protected", "Status", "Priority", "Section", "Installed-Size"),
    *("Origin", "Maintainer", "Bugs", "Architecture", "Multi-Arch", "Source", "Version"),
    *("Replaces", "Provides", "Depends", "Pre-Depends", "Recommends", "Suggests", "Breaks"),
    *("Conflicts", "Enhances", "Conffiles", "Description"),
)
_DASH = ("/usr/share/man/man1/sh.1.gz", "/bin/sh")  # what dash's postinst diverts in a loop
_TRIGGER = re.compile(r"interest(?:-(?P<await>await|noawait))?[ \t]+(?P<name>[!-~]+)")
_PATH = re.compile(r"(/[A-Za-z0-9_+:.@,=~%-]+)+")


def entries(tree: Tree) -> Iterator[tuple[str, Entry]]:
    """Yield the files of /var/lib/dpkg that no single package decides."""
    files = {
        "diversions": "".join(_diversions(tree)),
        "info/format": "1\n",
        "status": "".join(f"{_stanza(deb)}\n" for deb in tree.debs),
        "triggers/Unincorp": "",
        **_triggers(tree),
    }
    overrides = "".join(_overrides(tree))
    if overrides:
        files["statoverride"] = overrides
    for name, content in files.items():
        yield "dpkg", made.file(f"{_FOLDER}/{name}", content)


def _stanza(deb: DebFacts) -> str:
    """Return the paragraph of a package in the status: dpkg's fields first, then its own."""
    fields = {name: value for name, value in deb.control.items() if value}
    fields["Status"] = "install ok installed"
    if deb.conffiles:
        rows = (f"\n {path} {md5}" for path, md5 in deb.conffiles.items())
        fields["Conffiles"] = "".join(rows)
    names = {name.lower(): name for name in fields}
    first = [names[name.lower()] for name in _BEFORE if name.lower() in names]
    rest = [name for name in fields if name not in first]
    return "".join(_field(name, fields[name]) for name in [*first, *rest])


def _field(name: str, value: str) -> str:
    return f"{name}:{value}\n" if value.startswith("\n") else f"{name}: {value}\n"


def _diversions(tree: Tree) -> Iterator[str]:
    for deb in tree.debs:
        if deb.name == "dash" and "claim_binsh" in deb.scripts.get("postinst", ""):
            for path in _DASH:
                stem, dot, end = path.partition(".1")
                yield f"{path}\n{stem}.distrib{dot}{end}\ndash\n"
        script = "\n".join(deb.scripts.get(name, "") for name in ("preinst", "postinst"))
        for path, to in sorted(set(_diverted(script))):
            yield f"{path}\n{to}\n{deb.name}\n"


def _diverted(script: str) -> Iterator[tuple[str, str]]:
    """Yield the literal diversions that a script adds: from and to."""
    for words in shell.commands(script) if "--divert" in script else ():
        if words[0] == "dpkg-divert" and "--divert" in words and "--remove" not in words:
            to, path = words[words.index("--divert") + 1 :][:1], words[-1]
            if to and _PATH.fullmatch(to[0]) and _PATH.fullmatch(path):
                yield path, to[0]


def _overrides(tree: Tree) -> Iterator[str]:
    for row in MENDED.values():
        if row.listed and tree.has(row.package):
            yield f"root {row.group} {row.mode:o} /{row.path}\n"


def _triggers(tree: Tree) -> dict[str, str]:
    """Return the files of triggers/: one for those about paths, one for each other name."""
    files = {"triggers/File": ""}
    for deb in tree.debs:
        for line in deb.triggers.splitlines():
            match = _TRIGGER.fullmatch(line.partition("#")[0].strip())
            if match is None:
                continue
            row = deb.qualified + ("/noawait" if match["await"] == "noawait" else "")
            if match["name"].startswith("/"):
                files["triggers/File"] += f"{match['name']} {row}\n"
            elif re.fullmatch(r"[A-Za-z0-9+._-]+", match["name"]):
                name = f"triggers/{match['name']}"
                files[name] = files.get(name, "") + f"{row}\n"
    return files
