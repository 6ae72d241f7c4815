"""The packages that a base image has: its dpkg status, checked and written anew."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from ds01build.errors import ResolveError
from ds01build.resolve.preferences import read_preferences
from ds01build.resolve.stanza import NAME, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from ds01build.base.facts import BaseFacts

__all__ = ["NOTHING", "Installed", "debian_architecture", "installed_of", "is_newer", "read_status"]

_NOTES = 50
_ARCHITECTURES = {"386": "i386", "arm": "armhf", "ppc64le": "ppc64el", "mips64le": "mips64el"}
_LIMIT = 64 * 1024 * 1024  # characters
_MOST = 50_000  # packages
_LONGEST = 256 * 1024  # characters of one field
_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_RELATION = re.compile(r"[A-Za-z0-9.+~:()<>=|,\[\]! \t-]*")
_STATUS = re.compile(  # dpkg-query(1)
    r"(?P<want>install|hold|deinstall|purge|unknown) (?P<flag>ok|reinstreq) (?P<state>[a-z-]+)"
)
_RELATIONS = ("Pre-Depends", "Depends", "Conflicts", "Breaks", "Replaces", "Provides")
# By this and by its relations apt tells two builds of one version apart (debListParser in apt's
# source): without it, it would install the version again that is there.
_INSTALLED_SIZE = "Installed-Size"
_SIZE = re.compile(r"[0-9]{1,12}")
_WORDS = {
    "Multi-Arch": ("same", "foreign", "allowed", "no"),
    "Essential": ("yes", "no"),
    "Protected": ("yes", "no"),
}
_ABSENT = ("config-files", "not-installed")
# What has been unpacked will have been configured before anything is installed over it.
_PRESENT = ("installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending")


class _Package(NamedTuple):
    name: str
    version: str
    architecture: str
    is_held: bool
    rest: tuple[tuple[str, str], ...]

    def text(self) -> str:
        want = "hold" if self.is_held else "install"
        fields = [
            ("Package", self.name),
            ("Status", f"{want} ok installed"),
            ("Version", self.version),
            ("Architecture", self.architecture),
            *self.rest,
        ]
        return "".join(f"{key}: {value}\n" for key, value in fields) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What dpkg has installed, for a base of ``architecture`` (Debian's name).

    ``preferences`` are its pins, apt_preferences(5); ``skipped`` says what was left out, and why.
    """

    packages: tuple[_Package, ...] = field(default=(), repr=False)
    architecture: str = ""
    preferences: str = field(default="", repr=False)
    skipped: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.packages)

    def versions(self) -> dict[str, str]:
        """Return the version of each package of the base's own architecture."""
        own = (self.architecture, "all")
        return {each.name: each.version for each in self.packages if each.architecture in own}

    def held(self) -> frozenset[str]:
        """Return the packages that somebody has put on hold (``apt-mark hold``)."""
        return frozenset(each.name for each in self.packages if each.is_held)

    def text(self, *, without: AbstractSet[str] = frozenset()) -> str:
        """Return the dpkg status file, without packages that have been replaced.

        Those of a foreign architecture stay.
        """
        own = (self.architecture, "all")
        kept = [p for p in self.packages if p.name not in without or p.architecture not in own]
        return "".join(each.text() for each in kept)


NOTHING = Installed()


def installed_of(base: BaseFacts) -> Installed:
    """Return what a base image has installed, with its pins: see ``read_status``."""
    installed = read_status(base.apt.status, debian_architecture(base.architecture))
    pins = read_preferences(base.apt.preferences)
    return replace(
        installed, preferences=pins.text, skipped=(*installed.skipped, *pins.notes)[:_NOTES]
    )


def debian_architecture(architecture: str) -> str:
    """Return Debian's name for an architecture of OCI's."""
    return _ARCHITECTURES.get(architecture, architecture)


def read_status(text: str, architecture: str) -> Installed:
    """Return what the dpkg status ``text`` of a base image has as installed.

    Only what bears on dependencies is kept, and only in the form that Debian's policy gives it:
    other packages are skipped. Raises ResolveError where there is no status, where it is too
    large, and where a package is half-installed.
    """
    if not text.strip():
        raise ResolveError(
            "the base has no dpkg status: apt tiers need a base of Debian's or Ubuntu's family",
            hint="install with conda or pip instead, or choose another base",
        )
    if len(text) > _LIMIT:
        raise ResolveError(f"the dpkg status of the base has more than {_LIMIT} characters")
    packages: list[_Package] = []
    skipped: list[str] = []
    for fields in _paragraphs(text):
        package, problems = _package(fields)
        packages += [package] if package else []
        skipped += [f"package {fields.get('package', '')!r:.60} of the base: {p}" for p in problems]
    return Installed(
        packages=_unique(packages, skipped), architecture=architecture, skipped=tuple(skipped)
    )


def is_newer(version: str, other: str) -> bool:
    """Return whether ``version`` comes after ``other`` (Debian policy 5.6.12)."""
    from debian.debian_support import NativeVersion

    return bool(NativeVersion(version) > NativeVersion(other))


def _unique(packages: list[_Package], skipped: list[str]) -> tuple[_Package, ...]:
    counts = Counter((each.name, each.architecture) for each in packages)
    for (name, architecture), count in counts.items():
        if count > 1:
            skipped.append(f"package {name}:{architecture} is {count} times in the base's status")
    return tuple({(each.name, each.architecture): each for each in packages}.values())


def _paragraphs(text: str) -> Iterator[dict[str, str]]:
    """Yield the fields by lower-case name, continuation lines joined by a space."""
    number = 0
    for paragraph in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")):
        fields: dict[str, str] = {}
        key = ""
        for line in paragraph.split("\n"):
            if line[:1] in (" ", "\t") and key:
                fields[key] += f" {line.strip()}"
            elif ":" in line:
                key, _, value = line.partition(":")
                key = key.strip().lower()
                fields[key] = value.strip()
        if fields:
            number += 1
            if number > _MOST:
                raise ResolveError(f"the dpkg status of the base has more than {_MOST} packages")
            yield fields


def _package(fields: dict[str, str]) -> tuple[_Package | None, list[str]]:
    """Return the package, if it is there and in form, and what had to be left out."""
    status = _STATUS.fullmatch(fields.get("status", ""))
    if status and status["state"] in _ABSENT:
        return None, []
    forms = {"package": NAME, "version": VERSION, "architecture": _ARCHITECTURE, "status": _STATUS}
    wrong = [key for key, form in forms.items() if not form.fullmatch(fields.get(key, ""))]
    if wrong or status is None:
        return None, [f"left out, {key} is {fields.get(key, '')!r:.60}" for key in wrong]
    if status["state"] not in _PRESENT or status["flag"] == "reinstreq":
        raise ResolveError(
            f"package {fields['package']} of the base is {status['state']}: broken",
            hint="choose a base in which `apt-get check` finds nothing wrong",
        )
    relations, problems = _relations(fields)
    words = [(k, fields[k.lower()]) for k, v in _WORDS.items() if fields.get(k.lower()) in v]
    if _SIZE.fullmatch(fields.get(_INSTALLED_SIZE.lower(), "")):
        words.append((_INSTALLED_SIZE, fields[_INSTALLED_SIZE.lower()]))
    package = _Package(
        name=fields["package"],
        version=fields["version"],
        architecture=fields["architecture"],
        is_held=status["want"] == "hold",
        rest=(*words, *relations),
    )
    return package, problems


def _relations(fields: dict[str, str]) -> tuple[list[tuple[str, str]], list[str]]:
    found = [(key, fields[key.lower()]) for key in _RELATIONS if fields.get(key.lower())]
    good = [(k, v) for k, v in found if _RELATION.fullmatch(v) and len(v) <= _LONGEST]
    return good, [f"{k} is left out: {v!r:.60}" for k, v in found if (k, v) not in good]
