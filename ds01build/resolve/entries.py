"""Reads sources.list(5), both formats: what each entry says, unjudged."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Entry", "parse_entries"]

_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<rest>\S.*)")
_OPTION = re.compile(r"([A-Za-z-]+)([+-]?)=(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One place and suite of binary packages, as a file says it; anything may stand in it.

    ``signed_by`` is the field as it stands: paths, fingerprints, or a key written out.
    ``architectures`` is empty where the entry is for all of them.
    """

    uri: str = field(repr=False)
    suite: str
    components: tuple[str, ...]
    signed_by: str = field(default="", repr=False)
    architectures: tuple[str, ...] = ()
    expires: bool = True


def parse_entries(texts: Mapping[str, str]) -> Iterator[Entry]:
    """Yield the entries of ``texts``, the contents of apt's files by absolute path.

    ``.sources`` files are deb822, ``.list`` files have one entry a line; other files are mirror
    lists that ``mirror+file:`` entries name: of these the first mirror counts. Disabled entries,
    those of source packages, and lines that cannot be read are left out.
    """
    for path in sorted(texts):
        if path.endswith(".sources"):
            yield from _deb822_entries(texts[path], texts)
        elif path.endswith(".list"):
            yield from _one_line_entries(texts[path], texts)


def _deb822_entries(text: str, texts: Mapping[str, str]) -> Iterator[Entry]:
    from debian.deb822 import Deb822

    # By line: a text of one line could be the name of a file, and would be opened.
    for fields in Deb822.iter_paragraphs(text.split("\n"), use_apt_pkg=False):
        if "deb" not in fields.get("Types", "").split() or _is_no(fields.get("Enabled", "yes")):
            continue
        for uri in fields.get("URIs", "").split():
            for suite in fields.get("Suites", "").split():
                yield Entry(
                    uri=_resolved(uri, texts),
                    suite=suite,
                    components=tuple(fields.get("Components", "").split()),
                    signed_by=fields.get("Signed-By", ""),
                    architectures=tuple(fields.get("Architectures", "").split()),
                    expires=not _is_no(fields.get("Check-Valid-Until", "yes")),
                )


def _one_line_entries(text: str, texts: Mapping[str, str]) -> Iterator[Entry]:
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if match is None:
            continue
        words = map(_OPTION.fullmatch, (match["options"] or "").split())
        options = {word[1].lower(): word[3] for word in words if word and not word[2]}
        suite, *components = match["rest"].split()
        yield Entry(
            uri=_resolved(match["uri"], texts),
            suite=suite,
            components=tuple(components),
            signed_by=options.get("signed-by", ""),
            architectures=tuple(word for word in options.get("arch", "").split(",") if word),
            expires=not _is_no(options.get("check-valid-until", "yes")),
        )


def _is_no(text: str) -> bool:
    return text.strip().lower() in {"no", "false", "without", "off", "disable", "0"}


def _resolved(uri: str, texts: Mapping[str, str]) -> str:
    """Replace ``mirror+file:/path`` by the first mirror of that list (apt-transport-mirror(1))."""
    match = re.fullmatch(r"mirror\+file:/*(/.*)", uri)
    if match is None:
        return uri
    mirrors = [line.split()[0] for line in texts.get(match[1], "").splitlines() if line.strip()]
    return next((mirror for mirror in mirrors if not mirror.startswith("#")), uri)
