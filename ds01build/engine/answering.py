"""What goes wrong between a client and its engine, as errors that say so."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import docker.errors

from ds01build.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["answering"]

_SHOWN = 300  # characters of what an engine says


@contextmanager
def answering() -> Iterator[None]:
    """Raise Unavailable where an engine refuses what is asked of it, or does not answer."""
    try:
        yield
    except docker.errors.APIError as error:
        raise Unavailable(f"the engine refused: {_line(error.explanation or error)}") from error
    except (OSError, docker.errors.DockerException) as error:
        raise Unavailable(
            f"the engine does not answer: {_line(error)}", hint="docker info"
        ) from error


def _line(problem: object) -> str:
    return "".join(each if each.isprintable() else " " for each in str(problem))[:_SHOWN]
