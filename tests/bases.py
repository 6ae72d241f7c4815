"""Facts of bases as tests need them: a Python of Debian's kind, with what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.base.facts import BaseFacts, Distribution, Interpreter
from ds01build.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Sequence

SITE = "/usr/local/lib/python3.11/site-packages"
DIST = "/usr/lib/python3/dist-packages"


def distribution(
    name: str,
    version: str,
    *requires: str,
    extras: Sequence[str] = (),
    directory: str = SITE,
    owner: str = "",
    owns: Sequence[str] | None = None,
) -> Distribution:
    """Return a distribution that pip has put into ``SITE``, or one that ``owner`` brought."""
    own = (f"{directory[1:]}/{name}", f"{directory[1:]}/{name}-{version}.dist-info")
    return Distribution(
        name=name,
        version=version,
        directory=directory,
        is_held=directory == SITE,
        requires=requires,
        extras=tuple(extras),
        owner=owner,
        owns=own if owns is None else tuple(owns),
    )


def debian(name: str, version: str, *requires: str) -> Distribution:
    """Return a distribution of a .deb."""
    return distribution(name, version, *requires, directory=DIST, owner=f"python3-{name}", owns=())


def facts(*distributions: Distribution, cuda: str = "") -> BaseFacts:
    interpreter = Interpreter(
        path="/usr/local/bin/python3",
        version="3.11.9",
        prefix="/usr/local",
        directories=(SITE, DIST),
    )
    return BaseFacts(
        config=Digest.of(b"base"),
        architecture="amd64",
        glibc=(2, 36),
        interpreter=interpreter,
        distributions=tuple(sorted(distributions)),
        cuda=cuda,
    )
