"""What a base's own files say of its system: distribution, C library, packages, accounts, apt."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

from ds01build.base.facts import Account, AptFacts, Deb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ds01build.base.tree import Tree

__all__ = ["accounts", "apt_facts", "debs", "glibc", "os_release", "toolkit"]

MAX_ACCOUNTS = 10_000
MAX_NUMBER = (1 << 32) - 1

_WORD = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")  # Debian policy 5.6.1
_VERSION = re.compile(r"(?:[0-9]+:)?[0-9][A-Za-z0-9.+~-]*")  # Debian policy 5.6.12
_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]*")
_ACCOUNT = re.compile(r"([A-Za-z_][A-Za-z0-9_.@-]{0,63}\$?):[^:]*:([0-9]{1,10})(?::.*)?")
_SETTING = re.compile(r"([A-Z_]{1,64})=(?:\"([^\"]*)\"|'([^']*)'|([^\s\"']*))\s*")
_GLIBC = re.compile(rb"version ([0-9]{1,2})\.([0-9]{1,3})")
# Names of files that apt reads in its directories: sources.list(5), apt_preferences(5).
_SOURCES = r"[A-Za-z0-9_.-]+\.(?:list|sources)"
_PREFERENCES = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*\.pref|[A-Za-z0-9_-]+"
_CUDA = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,5}){0,3}")

# What apt's resolver reads of an installed package. It tells two builds of one version apart by
# their installed size and what they need: without these it would install the same one again.
_FIELDS = frozenset(
    {
        *("package", "status", "version", "architecture", "multi-arch", "essential", "protected"),
        *("priority", "pre-depends", "depends", "recommends", "provides", "conflicts", "breaks"),
        *("replaces", "source", "section", "maintainer", "description", "important"),
        "installed-size",
    }
)
_CUT = frozenset({"maintainer", "description", "section"})  # dpkg wants them; one line is enough
# Where Debian's and vendors' images have the C library, by the kernel's name of the processor.
_LIBRARIES = ("lib/{0}-linux-gnu", "usr/lib/{0}-linux-gnu", "lib64", "usr/lib64", "lib", "usr/lib")


def os_release(tree: Tree) -> Mapping[str, str]:
    """Return the settings of os-release(5): ID, VERSION_CODENAME, PRETTY_NAME and others."""
    text = tree.text("etc/os-release") or tree.text("usr/lib/os-release")
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _SETTING.fullmatch(line)
        value = next((part for part in match.groups()[1:] if part is not None), "") if match else ""
        if match and value.isprintable():
            found[match[1]] = value
    return {
        name: value
        for name, value in found.items()
        if name not in {"ID", "VERSION_CODENAME"} or _WORD.fullmatch(value)
    }


def glibc(tree: Tree, machine: str) -> tuple[int, int] | None:
    """Return the version in the C library's own banner, None where there is no glibc.

    ``machine`` is the processor as the kernel names it, such as x86_64.
    """
    for folder in _LIBRARIES:
        banner = tree.read(f"{folder.format(machine)}/libc.so.6") or b""
        match = _GLIBC.search(banner)
        if match:
            return int(match[1]), int(match[2])
    return None


def debs(tree: Tree) -> tuple[tuple[Deb, ...], str]:
    """Return the packages that dpkg has as installed, sorted, and its status cut to their fields.

    A base without a package manager has one file per package in status.d instead.
    """
    stanzas = sorted(_installed(tree))
    text = "".join(f"{stanza}\n" for _, stanza in stanzas)
    return tuple(deb for deb, _ in stanzas), text


def _installed(tree: Tree) -> Iterator[tuple[Deb, str]]:
    for is_status, text in _status_texts(tree):
        for stanza in re.split(r"\n{2,}", text):
            fields = dict(_fields(stanza))
            status = fields.get("status", "" if is_status else "install ok installed")
            deb = _deb(fields)
            if deb is not None and status.split(" ")[2:] == ["installed"]:
                yield deb, _cut({**fields, "status": status})


def _status_texts(tree: Tree) -> Iterator[tuple[bool, str]]:
    yield True, tree.text("var/lib/dpkg/status")
    for name in tree.names("var/lib/dpkg/status.d"):
        yield False, tree.text(f"var/lib/dpkg/status.d/{name}")


def _fields(stanza: str) -> Iterator[tuple[str, str]]:
    """Yield the fields that are kept, names in lower case, continuation lines included."""
    for field in re.split(r"\n(?![ \t])", stanza.strip("\n")):
        name, colon, value = field.partition(":")
        if colon and name.lower() in _FIELDS and _is_clean(value):
            yield name.lower(), value.strip()


def _is_clean(value: str) -> bool:
    return value.isprintable() or all(part.isprintable() for part in re.split(r"[\n\t]", value))


def _deb(fields: Mapping[str, str]) -> Deb | None:
    name, version = fields.get("package", ""), fields.get("version", "")
    architecture = fields.get("architecture", "")
    is_deb = _NAME.fullmatch(name) and _VERSION.fullmatch(version)
    if not is_deb or not _ARCHITECTURE.fullmatch(architecture):
        return None
    return Deb(name=name, version=version, architecture=architecture)


def _cut(fields: Mapping[str, str]) -> str:
    first = ("package", "status")
    names = [*first, *sorted(fields.keys() - set(first))]
    values = ((n, fields[n].split("\n")[0] if n in _CUT else fields[n]) for n in names)
    return "".join(f"{name.title()}: {value}\n" for name, value in values)


def accounts(tree: Tree, file: str) -> tuple[Account, ...]:
    """Return the accounts of /etc/passwd or /etc/group, sorted by name."""
    matches = [_ACCOUNT.fullmatch(line) for line in tree.text(f"etc/{file}").splitlines()]
    pairs = [(match[1], int(match[2])) for match in matches[:MAX_ACCOUNTS] if match]
    return tuple(
        sorted(Account(name=name, number=number) for name, number in pairs if number <= MAX_NUMBER)
    )


def apt_facts(tree: Tree, status: str) -> AptFacts:
    """Return what apt goes by; empty where the base has no dpkg."""
    if not status:
        return AptFacts()
    return AptFacts(
        status=status,
        sources=_texts(tree, "sources.list", _SOURCES),
        keyrings=tuple(_keyrings(tree)),
        preferences=_texts(tree, "preferences", _PREFERENCES),
    )


def _texts(tree: Tree, name: str, pattern: str) -> tuple[tuple[str, str], ...]:
    """Return the file ``name`` of /etc/apt, and those of its directory that apt reads."""
    folder = f"etc/apt/{name}.d"
    chosen = [n for n in tree.names(folder) if re.fullmatch(pattern, n)]
    paths = [f"etc/apt/{name}", *(f"{folder}/{n}" for n in chosen)]
    texts = ((path, tree.text(path)) for path in paths if tree.has_file(path))
    return tuple((f"/{path}", text) for path, text in texts if text.strip())


def _keyrings(tree: Tree) -> Iterator[tuple[str, str]]:
    folders = ("etc/apt/keyrings", "etc/apt/trusted.gpg.d", "usr/share/keyrings")
    paths = ["etc/apt/trusted.gpg", *(f"{f}/{n}" for f in folders for n in tree.names(f))]
    for path in paths:
        content = tree.read(path)
        if content:
            yield f"/{path}", base64.b64encode(content).decode()


def toolkit(tree: Tree, environment: Mapping[str, str]) -> str:
    """Return the version of the CUDA toolkit: of CUDA_VERSION, else of /usr/local/cuda."""
    folder = "usr/local/cuda"
    named = [environment.get("CUDA_VERSION", ""), _recorded(tree.text(f"{folder}/version.json"))]
    old = re.search(r"CUDA Version ([0-9.]+)", tree.text(f"{folder}/version.txt"))
    named += [old[1]] if old else []
    return next((version for version in named if _CUDA.fullmatch(version)), "")


def _recorded(text: str) -> str:
    try:
        version = json.loads(text)["cuda"]["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return version if isinstance(version, str) else ""
