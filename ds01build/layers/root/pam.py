"""PAM's common-* files, as pam-auth-update(8) makes them of the profiles that are on by default."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ds01build.layers.root import made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.layers.entry import Entry
    from ds01build.layers.root.tree import Tree

__all__ = ["entries"]

_TEMPLATES = "usr/share/pam/common-"
_PROFILES = "usr/share/pam-configs/"
_TYPES = ("account", "auth", "password", "session", "session-noninteractive")
_BLOCKS = ("Primary", "Additional")
_INTERACTIVE = "Session-Interactive-Only"
_PERMIT = "[default=1]\t\t\tpam_permit.so"  # keeps a stack without primary modules intact
_FIELD = re.compile(r"(\S+):[ \t]*(.*)")
_LINE = re.compile(r"(?:\[[^]]+\]|\w+)\s+\S+")

_VARIABLE = re.compile(r"\$\w+_(primary|additional)\n?")

_Profile = dict[str, str]
_Blocks = dict[str, list[tuple[str, list[str]]]]


def entries(tree: Tree) -> Iterator[tuple[str, Entry]]:
    """Yield the files in /etc/pam.d and the state in /var/lib/pam."""
    if not tree.has("libpam-runtime"):
        return
    profiles = {
        path.removeprefix(_PROFILES): _profile(content.decode(errors="replace"))
        for path, content in tree.kept_below(_PROFILES).items()
    }
    enabled = _enabled(profiles)
    for kind in _TYPES:
        template = (tree.kept(_TEMPLATES + kind) or b"").decode(errors="replace")
        blocks = {block: _modules(enabled, kind, block) for block in _BLOCKS}
        content = _filled(template, kind, blocks)
        yield "libpam-runtime", made.file(f"etc/pam.d/common-{kind}", content)
        yield "libpam-runtime", made.file(f"var/lib/pam/{kind}", _saved(blocks))
    seen = "".join(f"{name}\n" for name in _ordered(profiles))
    yield "libpam-runtime", made.file("var/lib/pam/seen", seen)


def _profile(text: str) -> _Profile:
    """Parse a profile: fields, some with lines of modules below them."""
    profile: _Profile = {}
    name = ""
    for line in text.splitlines():
        match = _FIELD.fullmatch(line)
        if match and not line[:1].isspace():
            name = match[1].removesuffix("-Final")
            profile[name] = match[2].strip()
        elif name and line.strip():
            profile[name] = f"{profile[name]}\n{line.strip()}".strip("\n")
    return profile


def _ordered(profiles: dict[str, _Profile]) -> list[str]:
    """Return the names of profiles, the most important first."""
    return sorted(profiles, key=lambda name: (_priority(profiles[name]), name), reverse=True)


def _priority(profile: _Profile) -> int:
    value = profile.get("Priority", "0")
    return int(value) if re.fullmatch(r"\d{1,6}", value) else 0


def _enabled(profiles: dict[str, _Profile]) -> dict[str, _Profile]:
    chosen = {n: profiles[n] for n in _ordered(profiles) if profiles[n].get("Default") == "yes"}
    for name in list(chosen):
        conflicts = (
            chosen[name]["Conflicts"].split(", ") if "Conflicts" in chosen.get(name, {}) else []
        )
        for other in conflicts:
            chosen.pop(other, None)
    return chosen


def _modules(enabled: dict[str, _Profile], kind: str, block: str) -> list[tuple[str, list[str]]]:
    """Return the lines of each profile for a block of a file; the first has a way of its own."""
    field = kind.partition("-")[0].capitalize()
    found: list[tuple[str, list[str]]] = []
    for name, profile in enabled.items():
        interactive = kind.endswith("-noninteractive") and profile.get(_INTERACTIVE) == "yes"
        if profile.get(f"{field}-Type") != block or interactive:
            continue
        lines = profile.get(field, "")
        if not found:
            lines = profile.get(f"{field}-Initial") or lines
        found.append((name, lines.splitlines()))
    return found


def _filled(template: str, kind: str, blocks: _Blocks) -> str:
    """Return ``template`` with a stack of modules in the place of each of its two variables."""
    word = kind.partition("-")[0]
    lines: list[str] = []
    for line in template.splitlines(keepends=True):
        match = _VARIABLE.fullmatch(line)
        block = match[1].capitalize() if match else ""
        lines.extend(_stack(word, block, blocks[block]) if block else [line])
    return "".join(lines)


def _stack(word: str, block: str, modules: list[tuple[str, list[str]]]) -> list[str]:
    lines = [line for _, each in modules for line in each]
    count = len(lines) - (block == "Additional")  # a jump must not leave the stack
    if block == "Primary" and not lines:
        return [f"{word}\t{_PERMIT}\n"]
    return [f"{word}\t{_line(line, count - at)}\n" for at, line in enumerate(lines)]


def _line(line: str, count: int) -> str:
    """Replace ``end`` by the number of modules to jump over."""
    match = _LINE.match(line)
    control = match[0] if match else line
    options = " ".join(line[len(control) :].split())
    return f"{control.replace('end', str(count))} {options}"


def _saved(blocks: _Blocks) -> str:
    primary = blocks["Primary"] or [("null", [_PERMIT])]
    rows = [*primary, *blocks["Additional"]]
    return "".join(f"Module: {name}\n" + "".join(f"{x}\n" for x in lines) for name, lines in rows)
