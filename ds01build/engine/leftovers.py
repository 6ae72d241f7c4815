"""Images without a name that a build which fails leaves in an engine of the classic builder.

It makes one of each step, of which the next one's is the child. Those of a build that ends well
are below its tag, and go with it.
"""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING

import docker.errors
import requests.exceptions

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["present", "remove_steps"]

_PATIENCE = 5.0  # seconds for an engine to notice that nobody reads on
_STEP = re.compile(r"^ ---> ([0-9a-f]{12})$", re.MULTILINE)


def present(client: docker.APIClient) -> frozenset[str] | None:
    """Return what an engine calls its images, None where one of them keeps it from listing any."""
    try:
        return frozenset(map(str, client.images(all=True, quiet=True)))
    except docker.errors.APIError:
        return None


def remove_steps(client: docker.APIClient, printed: str, before: frozenset[str] | None) -> None:
    """Remove the images of the steps of a build that ``printed`` this; what can't go stays.

    ``before`` are those that were there when it began; where that is not known, all stay. What a
    command prints may look like the name of anybody's image: only what is new goes, without a name
    or a child, and never its parents.
    """
    if before is None:
        return
    failures = (docker.errors.DockerException, requests.exceptions.RequestException)
    end = time.monotonic() + _PATIENCE
    with contextlib.suppress(*failures):
        made = [each for each in _made(client, printed) if each not in before]
        while made and not _removed(client, made[-1]) and time.monotonic() < end:
            time.sleep(0.1)  # the step that was interrupted is still executed in it
        for each in reversed(made[:-1]):
            _removed(client, each)


def _removed(client: docker.APIClient, image: str) -> bool:
    """Remove an image but not its parents; False where a container or a child has it."""
    try:
        client.remove_image(image, noprune=True)
    except docker.errors.ImageNotFound:
        return True
    except docker.errors.APIError:
        return False
    return True


def _made(client: docker.APIClient, printed: str) -> Iterator[str]:
    """Yield the images without a name that steps ended with, in their order."""
    for short in dict.fromkeys(_STEP.findall(printed)):
        with contextlib.suppress(docker.errors.APIError):
            found = client.inspect_image(short)
            if not found.get("RepoTags") and not found.get("RepoDigests"):
                yield str(found["Id"])
