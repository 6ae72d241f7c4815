"""Looks into a base that a person names or a recipe means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ds01build.catalogue import LATEST, NotInCatalogue, frameworks
from ds01build.errors import Ds01Error
from ds01build.fields import nearest
from ds01build.grammar import image_reference
from ds01build.recipe import FrameworkBase, ImageBase
from ds01build.reference import parse_reference

if TYPE_CHECKING:
    from ds01build.base.facts import BaseFacts
    from ds01build.catalogue import Selected
    from ds01build.lock import LockedImage
    from ds01build.workflow.bases import ImageBases

__all__ = ["Seen", "look", "seen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A base that was looked into. ``architecture`` is the catalogue's, empty for other images."""

    reference: str
    architecture: str
    facts: BaseFacts


def seen(bases: ImageBases, wanted: ImageBase | FrameworkBase) -> Seen:
    """Return what is in the image of a recipe. Raises Ds01Error, Unavailable."""
    architecture = bases.selected(wanted).architecture if isinstance(wanted, FrameworkBase) else ""
    image = bases.locked(wanted, None)
    reference = parse_reference(image.reference).familiar
    return Seen(reference=reference, architecture=architecture, facts=bases.facts(image))


def look(bases: ImageBases, name: str) -> Seen:
    """Return what is in the image that ``name`` means: FRAMEWORK, FRAMEWORK:VERSION or an image.

    Raises Ds01Error where there is no such image, and Unavailable.
    """
    known = {each.name.lower() for each in frameworks()}
    framework, _, version = name.lower().partition(":")
    if framework in known:
        wanted = FrameworkBase(framework=framework, version=version or LATEST)
        architecture = _selected(bases, wanted).architecture
        image = bases.locked(wanted, None)
    else:
        image, architecture = _named(bases, name, nearest(framework, known)), ""
    reference = parse_reference(image.reference).familiar
    return Seen(reference=reference, architecture=architecture, facts=bases.facts(image))


def _selected(bases: ImageBases, wanted: FrameworkBase) -> Selected:
    """Return the image of a framework. What there is instead is said as a command, not a recipe."""
    try:
        return bases.selected(wanted)
    except NotInCatalogue as error:
        setting = f"MLC_ARCH={error.architecture} " if error.architecture else ""
        version = error.version or wanted.version
        name = wanted.framework if version == LATEST else f"{wanted.framework}:{version}"
        raise replace(error, hint=f"{setting}ds01 base show {name}") from error


def _named(bases: ImageBases, name: str, framework: str) -> LockedImage:
    """Return the image ``name``. Where it cannot be had, ``framework`` may have been meant."""
    try:
        reference = image_reference(name)
    except ValueError as error:
        raise Ds01Error(
            f"{name!r:.200} is {error}", hint="ds01 base show python:3.12-slim"
        ) from error
    try:
        return bases.locked(ImageBase(reference=reference), None)
    except Ds01Error as error:
        if not framework:
            raise
        meant = f"if the framework {framework} is meant: ds01 base show {framework}"
        raise replace(error, hint=f"{error.hint}; or, {meant}" if error.hint else meant) from error
