"""Locks and facts of bases for tests of exports, with whatever may stand in them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from packaging.version import Version
from values import a_lock, an_image_lock, digest, wheel_pin

from ds01build.base.facts import BaseFacts, Deb, Distribution, Interpreter
from ds01build.pin import DebPin, Source

if TYPE_CHECKING:
    from ds01build.lock import Lock
    from ds01build.pin import WheelPin

SITE = "/usr/local/lib/python3.11/dist-packages"
COMMIT = "0123456789" * 4
SHA256 = "ab" * 32

NAMES = st.from_regex(r"[a-z0-9]{1,6}(?:-[a-z0-9]{1,4}){0,2}", fullmatch=True)
VERSIONS = st.from_regex(
    r"(?:[1-9]!)?[0-9]{1,3}(?:\.[0-9]{1,3}){0,3}(?:rc[0-9])?(?:\+cu[0-9]{1,3})?", fullmatch=True
).map(lambda text: str(Version(text)))
DEB_NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,12}", fullmatch=True)
DEB_VERSIONS = st.from_regex(r"(?:[1-9]:)?[0-9][A-Za-z0-9.+~-]{0,12}", fullmatch=True)
ODD_VERSIONS = st.from_regex(r"[!-~]{1,20}", fullmatch=True)  # what a METADATA may have


def place_of(pin: WheelPin) -> str:
    return f"https://files.example/{pin.digest.hex[:8]}/{pin.file.replace('+', '%2B')}"


def sourced(name: str, kind: str) -> WheelPin:
    """Return a wheel that no index offers."""
    file = f"{name}-1.0-py3-none-any.whl"
    sources = {
        "url": Source(kind="url", place=f"https://code.test/{file}"),
        "archive": Source(kind="archive", place="https://code.test/a.tar.gz", address=SHA256),
        "git": Source(kind="git", place="https://code.test/team/tool", address=COMMIT),
        "sdist": Source(kind="sdist", place=f"{name}-1.0.tar.gz", address=SHA256),
    }
    return replace(wheel_pin(name), source=sources[kind])


def facts_of(*distributions: tuple[str, str], debs: tuple[Deb, ...] = ()) -> BaseFacts:
    """Return facts of a base that holds ``distributions``."""
    return BaseFacts(
        config=digest("base config"),
        architecture="amd64",
        distribution="debian",
        codename="bookworm",
        interpreter=Interpreter(
            path="/usr/bin/python3", version="3.11.2", prefix="/usr", directories=(SITE,)
        ),
        distributions=tuple(
            Distribution(name=name, version=version, directory=SITE, is_held=True)
            for name, version in distributions
        ),
        debs=debs,
    )


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    """Return a lock over an image or over .debs, with any names and versions."""
    lock = draw(st.sampled_from([a_lock(), an_image_lock()]))
    wheels = draw(st.dictionaries(NAMES, VERSIONS, max_size=6))
    names = sorted(wheels)
    pins = [
        replace(
            wheel_pin(name, version=version),
            requires=tuple(draw(st.lists(st.sampled_from(names), unique=True, max_size=3))),
        )
        for name, version in wheels.items()
    ]
    debs = draw(st.dictionaries(DEB_NAMES, DEB_VERSIONS, max_size=6))
    return replace(
        lock,
        wheels=tuple(pins),
        debs=tuple(_deb(name, version) for name, version in debs.items()),
        removed=(),
    )


def _deb(name: str, version: str) -> DebPin:
    return DebPin(
        name=name,
        version=version,
        architecture="amd64",
        path=f"pool/main/x/{name}_{version.replace(':', '%3a')}_amd64.deb",
        size=10,
        digest=digest(f"{name} {version} deb"),
        tier="system",
    )


@st.composite
def facts(draw: st.DrawFn) -> BaseFacts:
    """Return facts with whatever is let through of a base."""
    found = draw(st.lists(st.tuples(NAMES, ODD_VERSIONS), max_size=5))
    pairs = st.tuples(DEB_NAMES, DEB_VERSIONS, st.sampled_from(["amd64", "all", "i386"]))
    debs = draw(st.lists(pairs, max_size=5))
    made = tuple(Deb(name=name, version=v, architecture=arch) for name, v, arch in debs)
    return facts_of(*found, debs=made)
