"""The words a recipe is made of: each function returns the normal form or raises ValueError."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ds01build.reference import parse_reference

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "NEEDS_ENGINE",
    "RELEASES",
    "absolute_path",
    "bound",
    "deb",
    "image_reference",
    "index_alias",
    "label_name",
    "matching",
    "mode",
    "moment",
    "package_name",
    "port",
    "recipe_name",
    "relative_path",
    "requirement",
    "requirement_name",
    "requirement_words",
    "sdist",
    "suite",
    "tier_name",
    "url",
    "user",
    "variable_name",
]

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[::1\])"
    r"(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/%+-]*)?"
)
_LOOPBACK = re.compile(r"localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:]{8}(?:Z|[+-][0-9]{2}:[0-9]{2}))?")
NEEDS_ENGINE = "needs a build in an engine, which ds01 does not do yet"
_PACKAGE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_SOURCE = r"\.(?:tar\.gz|tgz|tar\.bz2|tar\.xz|zip)"
_DIRECT = re.compile(rf"(?P<url>[^#?]*(?:\.whl|{_SOURCE}))(?:#sha256=(?P<sha256>[0-9a-f]{{64}}))?")
_REVISION = re.compile(r"(?!.*(?:\.\.|//|\.lock\Z|[./]\Z))[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}")
# A comma before a comparison, or between extras, belongs to a requirement, and so do spaces at '@'.
_WORD = re.compile(r"(?:\[[^\[\]]*\]|,(?=\s*[<>=!~])|(?<=[^\s,])\s*@\s*|[^\s,])+")
_ARCHIVE = re.compile(r".*\.(?:whl|zip|tar|tgz|tar\.[a-z0-9]+)", re.IGNORECASE)


def matching(pattern: str, what: str) -> Callable[[str], str]:
    """Return the check that a string matches ``pattern`` as a whole; ``what`` it has to be."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(f"{text!r:.100} is not {what}")
        return text

    return check


tier_name = matching(
    r"[a-z0-9][a-z0-9-]{0,62}", "a tier name: a-z, 0-9 and '-', at most 63 characters"
)
recipe_name = matching(
    r"(?=.{1,128}\Z)[a-z0-9]+(?:[._-][a-z0-9]+)*",
    "an image name: a-z, 0-9, and single '.', '_' or '-' between them, at most 128 characters",
)
# Of Debian, newest first of those that are out. A mirror may have others: a recipe may name any.
RELEASES = (
    *("trixie", "bookworm", "bullseye", "buster", "forky", "duke", "sid"),
    *("stable", "oldstable", "oldoldstable", "testing", "unstable"),
)
suite = matching(r"[a-z]{2,32}", "the codename of a Debian release, such as bookworm")
index_alias = matching(
    r"(?!default\Z)[a-z0-9][a-z0-9-]{0,62}", "an alias: a-z, 0-9 and '-', but not 'default'"
)
variable_name = matching(r"[A-Za-z_][A-Za-z0-9_]{0,127}", "the name of an environment variable")
user = matching(
    r"(?:[a-z_][a-z0-9_-]{0,31}|[0-9]{1,10})(?::(?:[a-z_][a-z0-9_-]{0,31}|[0-9]{1,10}))?",
    "a user, such as 1000:1000",
)
mode = matching(
    r"0?[0-7]{3}", "permissions in octal, such as 0644; no setuid, setgid or sticky bit"
)
_label = matching(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,126}[A-Za-z0-9])?", "the name of a label")
sdist = matching(
    rf"[A-Za-z0-9][A-Za-z0-9._+!-]{{0,200}}{_SOURCE}", "the name of a source distribution"
)
# Debian policy 5.6.1 and 5.6.12. A trailing minus would make apt remove the package.
deb = matching(
    r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.](?:=(?:[0-9]+:)?[0-9][A-Za-z0-9.+~-]*\*?)?",
    "a Debian package: NAME or NAME=VERSION, and '*' may end the version",
)


def label_name(text: str) -> str:
    """Check the name of an image label that is not one of ds01's or the OCI's own."""
    for prefix in ("ds01.", "org.opencontainers."):
        if text.lower().startswith(prefix):
            raise ValueError(f"labels that start with {prefix!r} are written by ds01 itself")
    return _label(text)


def image_reference(text: str) -> str:
    """Check a reference to an OCI image, with a tag, a digest, both or neither."""
    parse_reference(text)
    return text


def url(text: str) -> str:
    """Check an https URL, http on the loopback interface; what it holds is never shown."""
    if "@" in text.partition("://")[2].partition("/")[0]:
        raise ValueError(
            "the URL holds credentials: take them out of the recipe and put them into the "
            "environment"
        )
    match = _URL.fullmatch(text)
    if match is None:
        raise ValueError("not an https URL of host, port and path")
    if match["scheme"] == "http" and not _LOOPBACK.fullmatch(match["host"]):
        raise ValueError("the URL must start with https://")
    return text


def absolute_path(text: str) -> str:
    """Check the path of a file or directory in the image, in its shortest form."""
    if text != "/" and not (text.startswith("/") and _plain(text[1:].split("/"))):
        raise ValueError(f"{text!r:.100} is not an absolute path without '.', '..' and '//'")
    return text


def relative_path(text: str) -> str:
    """Check the path of a file beneath the recipe's directory; a leading ``./`` is dropped."""
    parts = text.removeprefix("./").split("/")
    if not _plain(parts):
        raise ValueError(f"{text!r:.100} is not a path beneath the recipe's directory")
    return "/".join(parts)


def _plain(parts: list[str]) -> bool:
    short = all(len(part.encode(errors="replace")) <= 255 for part in parts)  # noqa: PLR2004
    return short and not {"", ".", ".."}.intersection(parts)


def port(value: object) -> str:
    """Return ``PORT/tcp`` for an integer; a string may name the protocol: ``53/udp``."""
    if isinstance(value, int) and not isinstance(value, bool):
        number, protocol = value, "tcp"
    else:
        match = re.fullmatch(
            r"([1-9][0-9]{0,4})/(tcp|udp)", value if isinstance(value, str) else ""
        )
        number, protocol = (int(match[1]), match[2]) if match else (0, "")
    if not 0 < number < 2**16:
        raise ValueError("expected a port, such as 8888 or '53/udp'")
    return f"{number}/{protocol}"


def moment(value: object) -> str:
    """Return a date or time (TOML's own, or RFC 3339 text) as ``YYYY-MM-DDTHH:MM:SSZ``.

    A date means its end in UTC, whatever the time zone of this machine is.
    """
    try:
        read = _read_moment(value) if isinstance(value, str) else value
    except ValueError:
        read = None
    if isinstance(read, date) and 1970 <= read.year < 3000:  # noqa: PLR2004  (no overflow below)
        if not isinstance(read, datetime):
            return f"{read + timedelta(days=1):%Y-%m-%d}T00:00:00Z"
        if read.tzinfo is not None:
            return f"{read.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    raise ValueError("expected a date, or a time with its offset, such as 2026-11-01")


def _read_moment(text: str) -> date:
    if not _MOMENT.fullmatch(text):
        raise ValueError(text)
    if "T" not in text:
        return date.fromisoformat(text)
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def package_name(text: str) -> str:
    """Return the name of a Python distribution, normalised (PEP 503)."""
    if not _PACKAGE.fullmatch(text):
        raise ValueError(f"{text!r:.100} is not the name of a Python package")
    return str(canonicalize_name(text))


def requirement(text: str) -> str:
    """Return a requirement (PEP 508) in its one normal form: name, extras, versions, marker.

    A direct URL stands in the place of versions: ``name @ URL ; marker``.
    """
    _refuse_builds(text)
    try:
        parsed = Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(f"{_shown(text)} is not a requirement, such as pandas>=2.2") from error
    name = package_name(parsed.name)
    if not text.isascii() or any(each.operator == "===" for each in parsed.specifier):
        raise ValueError(f"{_shown(text)} has a version outside PEP 440")
    extras = ",".join(sorted({package_name(extra) for extra in parsed.extras}))
    versions = ",".join(sorted(map(str, parsed.specifier)))
    if parsed.url is not None:
        versions = f" @ {_direct_url(name, parsed.url)}"
    marker = f"{' ' if parsed.url else ''}; {parsed.marker}" if parsed.marker else ""
    return f"{name}{f'[{extras}]' if extras else ''}{versions}{marker}"


def bound(text: str) -> str:
    """Return a requirement, as ``requirement`` does, that bounds versions: it has no URL."""
    found = requirement(text)
    if " @ " in found:
        raise ValueError(f"{requirement_name(found)!r:.100} has a URL, and versions belong here")
    return found


def _direct_url(name: str, text: str) -> str:
    """Check the URL of a git repository, with a revision or without, or of one file."""
    if text.startswith("git+"):
        scheme, _, rest = text[4:].partition("://")
        host, slash, path = rest.partition("/")
        path, _, revision = path.partition("@")
        if revision and not _REVISION.fullmatch(revision):
            raise ValueError(f"{name!r:.100}: {revision!r:.100} is not a commit, tag or branch")
        url(f"{scheme}://{host}{slash}{path}")
        return text
    match = _DIRECT.fullmatch(text)
    url(match["url"] if match else text.partition("#")[0])
    if match is None:
        raise ValueError(
            f"{name!r:.100}: a direct URL is git+https://..., or that of a .whl, .tar.gz or .zip "
            "with #sha256=... behind it"
        )
    if not match["sha256"]:
        raise ValueError(
            f"{name!r:.100}: the direct URL lacks #sha256= and the file's SHA-256 in 64 digits"
        )
    return text


def requirement_words(text: str) -> list[str]:
    """Return the requirements of a line, as they are written, with spaces or commas between them.

    One that has spaces itself is a line of its own, but for those around the ``@`` of a URL.
    """
    try:
        requirement(text)
    except ValueError:
        return _WORD.findall(text)
    return [text]


def requirement_name(requirement: str) -> str:
    """Return the name of the package that a requirement in normal form asks for."""
    return re.split(r"[^a-z0-9-]", requirement, maxsplit=1)[0]


def _refuse_builds(text: str) -> None:
    """Name the things that pip takes in a requirement's place, which ds01 cannot."""
    word = text.split(" ", 1)[0]
    if word.startswith(("-e", "--editable")):
        raise ValueError("editable installs are not part of an image: name a package")
    if text.startswith("-"):
        raise ValueError(f"{_shown(word)} is an option, not a requirement")
    if re.match(r"(?:[^@]*@\s*)?(?:hg|svn|bzr|git\+(?!https?:)[a-z]+)[+:]", text):
        raise ValueError("of version control only git+https:// is supported")
    before, mark, _ = word.partition("://")
    if mark and "@" in before:
        return
    if mark:
        raise ValueError("a URL does not say what it is of: write NAME @ URL")
    if word.startswith((".", "/", "~", "file:")) or _ARCHIVE.fullmatch(word):
        raise ValueError(f"a local project or file {NEEDS_ENGINE}")


def _shown(text: str) -> str:
    return "this" if "@" in text or "://" in text else f"{text!r:.100}"
