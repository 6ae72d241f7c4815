"""Which image a container is to be of: those that a user has, and what he may call one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.catalogue import framework_of, frameworks
from ds01build.container import container_name
from ds01build.engine.holdings import named
from ds01build.engine.names import fixed_tag, moving_tag
from ds01build.errors import Ds01Error
from ds01build.fields import did_you_mean
from ds01build.grammar import recipe_name
from ds01build.labels import BASE
from ds01build.reference import parse_reference
from ds01build.workflow.inventory import images
from ds01build.workflow.stored import find, parse_numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ds01build.engine.api import Engine
    from ds01build.events import Report
    from ds01build.store import DirStore
    from ds01build.workflow.freshness import Verdict
    from ds01build.workflow.inventory import EngineOnly, Held

__all__ = [
    "Candidate",
    "candidates",
    "default_name",
    "full_reference",
    "generation_tag",
    "image_of",
    "is_name",
    "meant",
    "on_framework",
]

_ALSO = {"torch": "pytorch", "tf": "tensorflow"}  # what people call frameworks
_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST = 100  # characters of a container's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An image of a user, of which a container can be once the engine has it."""

    name: str
    tag: str  # in the engine, or what it is going to be there
    is_loaded: bool
    created: str = ""  # RFC 3339, UTC; empty where nobody knows
    framework: str = ""  # of the catalogue, in lower case; empty for another base
    verdict: Verdict = "recipe unknown"

    @property
    def remark(self) -> str:
        """What has become of it since it was built, empty where nothing has."""
        if not self.is_loaded:
            return "not in the engine"
        return "" if self.verdict in ("fresh", "recipe unknown") else f"old: {self.verdict}"


def candidates(store: DirStore, engine: Engine, report: Report) -> tuple[Candidate, ...]:
    """Return the images of the user of ``store``, the newest first."""
    there = images(store, engine, report)
    found = [
        *(_held(each, store.uid) for each in there.held),
        *(_engine_only(each, engine) for each in there.engine_only),
    ]
    by_name = sorted(found, key=lambda each: each.name)
    return tuple(sorted(by_name, key=lambda each: each.created, reverse=True))


def _held(one: Held, uid: int) -> Candidate:
    tag = moving_tag(uid, one.name)
    return Candidate(
        name=one.name,
        tag=tag,
        is_loaded=tag in (one.tags or ()),
        created=one.created,
        framework=_framework(one.base.reference) if one.base else "",
        verdict=one.verdict,
    )


def _engine_only(one: EngineOnly, engine: Engine) -> Candidate:
    image = engine.inspect(one.tag)
    labels = image.labels if image else {}
    said = labels.get("ds01.framework", "")  # of the tools before
    return Candidate(
        name=one.name,
        tag=one.tag,
        is_loaded=image is not None,
        created=one.created,
        framework=_framework(labels.get(BASE, "")) or said.partition("-")[0].lower(),
    )


def _framework(reference: str) -> str:
    """Return the framework whose image a reference names, empty where it is none of them."""
    found = framework_of(reference)
    return found.name.lower() if found else ""


def meant(text: str, among: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Return the image of that name; else those on the framework that ``text`` is.

    Raises Ds01Error where there is none: no image is made for a container.
    """
    found = tuple(each for each in among if each.name == text)
    if found:
        return found
    if _catalogued(text) in _frameworks():
        return on_framework(text, among)
    names = [each.name for each in among]
    raise Ds01Error(
        f"no image of yours is called {text!r:.200}{did_you_mean(text, names)}",
        hint="image-list shows them; image-create makes one",
    )


def on_framework(text: str, among: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Return the images that stand on a framework. Raises Ds01Error where there is none."""
    framework = _catalogued(text)
    if framework not in _frameworks():
        known = did_you_mean(framework, _frameworks())
        raise Ds01Error(f"no framework is called {text!r:.100}{known}", hint="ds01 catalogue list")
    found = tuple(each for each in among if each.framework == framework)
    if not found:
        raise Ds01Error(
            f"you have no image on {framework}", hint=f"image-create --framework {framework}"
        )
    return found


def _catalogued(text: str) -> str:
    return _ALSO.get(text.lower(), text.lower())


def _frameworks() -> dict[str, None]:
    return dict.fromkeys(each.name.lower() for each in frameworks())


def full_reference(text: str) -> str:
    """Return what an engine calls the image of a full reference, empty for a mere name.

    Raises Ds01Error for what is no reference.
    """
    if not any(each in text for each in "/:@"):
        return ""
    try:
        known = parse_reference(text)
    except ValueError as error:
        raise Ds01Error(f"{text!r:.200}: {error}", hint="image-list") from error
    last = text.rpartition("/")[2]
    return text if known.digest or ":" in last else f"{text}:latest"


def generation_tag(text: str, store: Callable[[], DirStore], engine: Callable[[], Engine]) -> str:
    """Return what an engine calls the generation that NAME@N names, empty for another text.

    That tag never moves. Raises Ds01Error for a generation that is not there, or not in the engine.
    """
    if parse_numbered(text) is None:
        return ""
    there, at = store(), engine()
    found = find(there, text)
    tag = fixed_tag(there.uid, found.name, found.config())
    if at.inspect(tag) is None:
        raise Ds01Error(
            f"the engine at {at.place} has no image of {text}",
            hint=f"ds01 image load {text}, which lets {found.name} stand for it in the engine",
        )
    return tag


def is_name(text: str) -> bool:
    """Say whether an image of ds01 can be called so."""
    try:
        return bool(recipe_name(text))
    except ValueError:
        return False


def image_of(tag: str, uid: int) -> str:
    """Return the name of the image of a user that a tag is of, empty where it is none of his."""
    parts = named(tag)
    return parts[1] if parts and parts[0] == uid else ""


def default_name(tag: str) -> str:
    """Return the short name of a container of the image that ``tag`` names."""
    last = tag.partition("@")[0].rpartition("/")[2]
    plain = _UNFIT.sub("-", container_name(last.partition(":")[0]))
    return plain.strip("-_")[:_LONGEST]
