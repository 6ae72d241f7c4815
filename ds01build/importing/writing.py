"""Writes a recipe from a draft: the same text for the same draft, in the manner of those shipped.

Every string in it has passed the recipe's own grammar and is written as a TOML string, and the text
is read again: it says what was meant, or is refused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ds01build.catalogue import LATEST, bundles
from ds01build.errors import Ds01Error
from ds01build.grammar import requirement_name
from ds01build.recipe import AptTier, DebianBase, ImageBase, PythonTier, Recipe, parse
from ds01build.recipe.arrays import literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ds01build.catalogue import Bundle
    from ds01build.importing.draft import Draft, Slice
    from ds01build.recipe import Base, ImageSettings

__all__ = ["recipe_of", "recipe_text"]

_WIDTH = 100
_USE_CASES = ("ml", "cv", "nlp", "rl", "audio", "ts", "llm")
_BUNDLES = {"system": ("system",), "jupyter": ("jupyter",), "data-science": ("data-science",)}


def recipe_of(draft: Draft, name: str, base: Base) -> Recipe:
    """Return what the recipe of a draft says; lists that a bundle has are that bundle."""
    tiers = [_tier(each) for each in draft.slices if each.packages or each.included]
    plain = Recipe(name=name, base=base, tiers=tuple(tiers), image=draft.image)
    asked = {requirement_name(p) for t in tiers for p in t.packages if isinstance(t, PythonTier)}
    return replace(plain, tiers=tuple(_bundled(each, asked) for each in tiers))


def recipe_text(recipe: Recipe, heading: str = "") -> str:
    """Return the text of a recipe of apt and python tiers; ``heading`` is one line of a comment.

    Raises RecipeError where there can be no such recipe.
    """
    blocks = [
        [f"# {heading}"] if heading.isprintable() and heading else [],
        [f"schema = {recipe.schema}", f"name = {literal(recipe.name)}"],
        ["[base]", *_base(recipe.base)],
        *(list(_tier_lines(tier)) for tier in recipe.tiers),
        list(_image(recipe.image)),
    ]
    text = "\n\n".join("\n".join(block) for block in blocks if block) + "\n"
    read = parse(text, source="the recipe")
    # What follows from the order of tiers, such as the chain of apt tiers, is added by reading.
    if replace(read, tiers=tuple(replace(each, after=()) for each in read.tiers)) != recipe:
        raise Ds01Error("the recipe would not say what was imported", hint="please report it")
    return text


def _tier(each: Slice) -> AptTier | PythonTier:
    if each.kind == "apt":
        return AptTier(name=each.tier, packages=each.packages)
    file = each.included.path if each.included else ""
    return PythonTier(name=each.tier, packages=each.packages, requirements=file)


def _bundled(tier: AptTier | PythonTier, asked: set[str]) -> AptTier | PythonTier:
    """Name the largest bundle whose packages the tier asks for, and keep what it says beyond.

    None that excludes what some tier asks for: the image could not have both.
    """
    names = _USE_CASES if tier.name == "use-case" else _BUNDLES.get(tier.name, ())
    known = bundles()
    fitting = [each for each in map(known.__getitem__, names) if _fits(each, tier, asked)]
    if not fitting:
        return tier
    bundle = max(fitting, key=lambda each: (len(each.packages), -each.rank))
    rest = tuple(each for each in tier.packages if each not in bundle.packages)
    return replace(tier, bundle=bundle.name, packages=rest)


def _fits(bundle: Bundle, tier: AptTier | PythonTier, asked: set[str]) -> bool:
    """Say whether the tier asks for every package of a bundle, in whatever version."""
    plain = [each for each in tier.packages if not {";", "@"}.intersection(each)]
    is_python = isinstance(tier, PythonTier)
    there = {requirement_name(each) if is_python else each for each in plain}
    return there.issuperset(bundle.packages) and asked.isdisjoint(bundle.exclude)


def _base(base: Base) -> Iterator[str]:
    if isinstance(base, DebianBase):
        yield f"debian = {literal(base.suite)}"
        if base.packages:
            yield f"packages = {_array(base.packages, 'packages')}"
    elif isinstance(base, ImageBase):
        yield f"image = {literal(base.reference)}"
    else:
        yield f"framework = {literal(base.framework)}"
        if base.version != LATEST:
            yield f"version = {literal(base.version)}"
        if base.architecture:
            yield f"arch = {literal(base.architecture)}"


def _tier_lines(tier: object) -> Iterator[str]:
    assert isinstance(tier, (AptTier, PythonTier)), "no other kind is imported"
    yield f"[tiers.{tier.name}]"
    yield f'kind = "{"apt" if isinstance(tier, AptTier) else "python"}"'
    if tier.bundle:
        yield f"bundle = {literal(tier.bundle)}"
    if tier.packages:
        yield f"packages = {_array(tier.packages, 'packages')}"
    if isinstance(tier, PythonTier) and tier.requirements:
        yield f"requirements = {literal(tier.requirements)}"


def _image(image: ImageSettings) -> Iterator[str]:
    single = {"workdir": image.workdir, "user": image.user}
    lists = {"entrypoint": image.entrypoint, "cmd": image.cmd}
    lines = [
        *(f"env.{name} = {literal(value)}" for name, value in image.env),
        *(f"{key} = {literal(value)}" for key, value in single.items() if value),
        *(f"{key} = {_array(value, key)}" for key, value in lists.items() if value is not None),
        *([f"ports = [{', '.join(map(_port, image.ports))}]"] if image.ports else []),
        *(f"labels.{literal(name)} = {literal(value)}" for name, value in image.labels),
    ]
    if lines:
        yield "[image]"
        yield from lines


def _port(port: str) -> str:
    number, _, protocol = port.partition("/")
    return number if protocol == "tcp" else literal(port)


def _array(values: Sequence[str], key: str) -> str:
    written = [literal(value) for value in values]
    line = f"[{', '.join(written)}]"
    if len(f"{key} = {line}") <= _WIDTH:
        return line
    return "\n".join(["[", *(f"    {value}," for value in written), "]"])
