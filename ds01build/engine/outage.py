"""What helps where a container reaches nobody: its engine's network, or none at all."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["about", "advice", "advised", "hints"]

# As resolvers, the kernel and the tools that install things say it.
_NO_WAY = (
    r"[Tt]emporary failure|[Cc]ould(?: not|n't) resolve|[Nn]ame or service not known"
    r"|[Ff]ailed to lookup address|[Uu]nable to resolve|[Nn]ame resolution|dns error|getaddrinfo"
    r"|[Nn]etwork (?:is )?unreachable|[Nn]o route to host|[Cc]annot initiate the connection"
)
# What only that machine reaches refuses or ignores a bridge; without one, nothing starts.
_BRIDGE = r"|[Cc]onnection (?:refused|timed out|timeout)|[Cc]onnect timeout|network bridge"
_SEEN = {"none": re.compile(_NO_WAY), "bridge": re.compile(_NO_WAY + _BRIDGE)}
_ADVICE = {
    "none": "a tier gets a network with: network = true",
    "bridge": "if this machine gets there itself: export DS01_ENGINE_NETWORK=host",
}


def advice(network: str, printed: str) -> str:
    """Return what to do about ``printed``, which is of a container in ``network``.

    Empty where that says nothing of a network, or another one would be no help.
    """
    seen = _SEEN.get(network)
    return _ADVICE[network] if seen and seen.search(printed) else ""


def hints(*each: str) -> str:
    """Return one hint of those that are not empty."""
    return "; ".join(filter(None, each))


@contextmanager
def advised(network: str) -> Iterator[None]:
    """Add advice to the hint where what is done in a container lacks the world: its network."""
    try:
        yield
    except Unavailable as error:
        added = advice(network, error.message)
        if type(error) is not Unavailable or not added:
            raise
        raise Unavailable(error.message, hint=hints(error.hint, added)) from error


@contextmanager
def about(subject: str) -> Iterator[None]:
    """Say what an error is about, in front of it.

    Errors that have a class and fields of their own stay as they are.
    """
    try:
        yield
    except Ds01Error as error:
        kind = next((each for each in (Ds01Error, Unavailable) if type(error) is each), None)
        if kind is None:
            raise
        raise kind(f"{subject}: {error.message}", hint=error.hint) from error
