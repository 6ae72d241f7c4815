"""What an image stands on, as a recipe names it: an entry of the catalogue, or the image itself."""

from __future__ import annotations

from ds01build.catalogue import LATEST, find_framework, frameworks
from ds01build.errors import UsageError
from ds01build.grammar import image_reference
from ds01build.recipe import DebianBase, FrameworkBase, ImageBase
from ds01build.reference import parse_reference

__all__ = ["DEFAULT", "base_named", "base_of_image"]

# What a recipe stands on that was imported from packages alone: no image, and no engine.
DEFAULT = DebianBase(suite="bookworm")


def base_of_image(reference: str) -> FrameworkBase | ImageBase:
    """Return the catalogue's entry for an image, with its version and architecture, or the image.

    Raises ValueError for what is no reference to an image.
    """
    wanted = parse_reference(image_reference(reference))
    for each in frameworks():
        if parse_reference(each.image) != wanted:
            continue
        for architecture in each.architectures or ("",):
            found = find_framework(each.name, each.version, architecture)
            if found.image == each.image:
                return FrameworkBase(
                    framework=each.name.lower(), version=each.version, architecture=architecture
                )
    return ImageBase(reference=reference)


def base_named(name: str) -> DebianBase | FrameworkBase | ImageBase:
    """Return the base that a person names: FRAMEWORK, FRAMEWORK:VERSION, or an image.

    Raises UsageError, and what the catalogue raises.
    """
    framework, _, version = name.partition(":")
    if framework.lower() in {each.name.lower() for each in frameworks()}:
        found = find_framework(framework, version or LATEST)
        return FrameworkBase(framework=found.name.lower(), version=version or LATEST)
    try:
        return ImageBase(reference=image_reference(name))
    except ValueError as error:
        raise UsageError(
            f"--base {name!r:.200}: {error}", hint="--base IMAGE or FRAMEWORK[:VERSION]"
        ) from error
