"""Which image a container is made from: one that is named, its own, or one that is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ds01build.asking import Asker
    from ds01build.workflow.containers import Host
    from ds01build.workflow.selecting import Candidate

__all__ = ["Asked", "Desk", "tag_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is named on the command line; ``framework`` counts without ``image``."""

    name: str | None
    image: str | None
    framework: str = ""
    project: str = ""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a container is asked for: ``asker`` is None where nobody can be asked.

    ``images`` looks for those of the user, once; ``most_gpus`` says how many one container more of
    his could have now.
    """

    host: Host
    images: Callable[[], tuple[Candidate, ...]]
    asker: Asker | None
    most_gpus: Callable[[], int]


def tag_of(asked: Asked, at: Desk) -> str:
    """Return the tag of the image that is named, or else belongs to NAME, or is chosen."""
    from ds01build.cli import wiring
    from ds01build.engine.names import moving_tag
    from ds01build.workflow import selecting

    if asked.image is None and asked.framework:
        on_it = selecting.on_framework(asked.framework, at.images())
        return _chosen(on_it, at, f"you have several images on {asked.framework}")
    if asked.image is None:
        return _own(asked, at)
    full = selecting.generation_tag(asked.image, wiring.open_store, at.host.engine)
    full = full or selecting.full_reference(asked.image)
    if full:
        return full
    if selecting.is_name(asked.image):
        tag = moving_tag(at.host.identity.uid, asked.image)
        if at.host.engine().inspect(tag) is not None:
            return tag
    several = f"you have several images on {asked.image}"
    return _chosen(selecting.meant(asked.image, at.images()), at, several)


def _own(asked: Asked, at: Desk) -> str:
    """Return the tag of the image that is called like the container, or of one that is chosen."""
    from ds01build.container import container_name
    from ds01build.errors import Ds01Error

    if asked.name is None and at.asker is None:
        raise click.UsageError("name a container, an image, or both")
    called = {each for each in (asked.name, container_name(asked.project)) if each}
    own = [each for each in at.images() if container_name(each.name) in called]
    if own:
        return own[0].tag
    if there := _of_container(asked.name, at):
        return there
    if at.asker is None:
        program = click.get_current_context().info_name
        raise Ds01Error(
            f"you have no image for a container {asked.name!r:.100}",
            hint=f"image-create {asked.name} makes one; {program} {asked.name} IMAGE takes another;"
            f" {program} {asked.name} pytorch one of yours that stands on that",
        )
    if not at.images():
        raise Ds01Error("you have no image yet", hint="image-create")
    return _chosen(at.images(), at, "")


def _of_container(name: str | None, at: Desk) -> str:
    """Return the tag that the container of a name was made from, empty where there is none."""
    from ds01build.container import read
    from ds01build.workflow import deploying

    row = deploying.there(name, at.host) if name else None
    wish = read(row.labels) if row is not None else None
    return wish.image if wish is not None else ""


def _chosen(among: Sequence[Candidate], at: Desk, problem: str) -> str:
    """Return the tag of the only image, or of one that a person chooses.

    Raises Ds01Error with the ``problem`` where nobody can be asked.
    """
    from ds01build.asking import Option
    from ds01build.errors import Ds01Error

    if len(among) == 1 and problem:
        return among[0].tag
    if at.asker is None:
        names = ", ".join(each.name for each in among)
        raise Ds01Error(f"{problem}: {names}", hint="give the name of one of them")
    at.asker.explain("container-create.image")
    choices = [Option(value=each.tag, title=_title(each)) for each in among]
    return at.asker.choose("Image", choices, among[0].tag)


def _title(one: Candidate) -> str:
    facts = (one.framework, one.created[:10] and f"built {one.created[:10]}", one.remark)
    said = ", ".join(filter(None, facts))
    return f"{one.name} ({said})" if said else one.name
