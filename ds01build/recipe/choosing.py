"""Which tier packages go to, and why one that no tier asks for by name cannot be taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from ds01build.catalogue import bundles
from ds01build.errors import Ds01Error, UsageError
from ds01build.fields import did_you_mean
from ds01build.grammar import package_name, tier_name
from ds01build.recipe.editing import Spot, name_of, normal
from ds01build.recipe.parse import AptTier, PythonTier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ds01build.recipe.editing import Kind, Text
    from ds01build.recipe.parse import Tier

__all__ = ["absence", "chosen", "existing", "homes", "kind_of", "plain_name"]


def kind_of(tier: Tier) -> str:
    """Return what a recipe calls the kind of a tier."""
    return type(tier).__name__.removesuffix("Tier").lower()


def chosen(recipe: Text, kind: Kind | None, tier: str = "", fallback: str = "") -> Spot:
    """Return where packages of a kind go: to ``tier``, or to the only one of the kind.

    Without ``tier``, one called ``fallback`` comes first, and is made where there are several
    others or none. A ``tier`` that is not there is made where its kind is given, but with a
    ``fallback`` no other than that is: the kind may have followed from the command. Raises
    UsageError, which lists the tiers that there are.
    """
    kinds = _kinds(recipe)
    if tier:
        if tier not in kinds and tier != "base" and kind and fallback not in ("", tier):
            makes = f"to make it: ds01 add {recipe.source} --tier {tier} --kind {kind} PKG"
            raise _no_tier(recipe, tier, _makes(tier, makes))
        return _named(recipe, kind, tier, kinds)
    wanted: Kind = kind or "python"
    fitting = [name for name, each in kinds.items() if each == wanted]
    if fallback in fitting:
        return Spot(fallback, wanted)
    if len(fitting) == 1:
        return Spot(fitting[0], wanted)
    if fallback and fallback not in kinds:
        return Spot(fallback, wanted, is_new=True)
    several = f"several {wanted} tiers" if fitting else f"no {wanted} tier"
    raise UsageError(
        f"{recipe.source} has {several}: {_listed({n: kinds[n] for n in fitting} or kinds)}",
        hint="name one with --tier" if fitting else f"--tier NAME --kind {wanted} makes one",
    )


def existing(recipe: Text, tier: str) -> Spot:
    """Return a tier that has packages. Raises UsageError, which lists those that there are."""
    kinds = _kinds(recipe)
    if tier not in kinds:
        raise _no_tier(recipe, tier)
    return _named(recipe, None, tier, kinds)


def homes(recipe: Text, kind: Kind | None, package: str, tier: str = "") -> list[Spot]:
    """Return the tiers that ask for a package by name, of one kind and name where they are given.

    ``package`` may have a version. Raises UsageError for what is no package of the kind.
    """
    found: list[Spot] = []
    for each in recipe.recipe.tiers:
        if not isinstance(each, (AptTier, PythonTier)) or tier not in ("", each.name):
            continue
        of: Kind = "apt" if isinstance(each, AptTier) else "python"
        try:
            name = name_of(of, normal(of, package))
        except ValueError as error:
            if of == kind:
                raise UsageError(str(error)) from error
            continue
        if kind in (None, of) and name in [name_of(of, one) for one in each.packages]:
            found.append(Spot(each.name, of))
    return found


def plain_name(text: str) -> str:
    """Return the name of a package, as it was given. Raises UsageError for more than a name."""
    try:
        normal("apt", text)
        if "=" not in text:
            return text
    except ValueError:
        pass
    try:
        return package_name(text)
    except ValueError as error:
        raise UsageError(str(error), hint="give the name alone, without a version") from error


def absence(
    recipe: Text,
    name: str,
    asked: Mapping[str, Sequence[str]],
    needed_by: Sequence[str],
    tier: str = "",
) -> Ds01Error:
    """Return why ``name`` cannot be taken out of a recipe whose tiers do not name it.

    ``asked`` are the packages of each tier with those of bundles and of included files, and
    ``needed_by`` the packages of its lock that need this one.
    """
    for each in recipe.recipe.tiers:
        if not isinstance(each, (AptTier, PythonTier)) or tier not in ("", each.name):
            continue
        kind: Kind = "apt" if isinstance(each, AptTier) else "python"
        own = name if kind == "apt" else str(canonicalize_name(name))
        if each.bundle and own in _names(kind, bundles()[each.bundle].packages):
            return _bundled(own, each, kind)
        if own in _names(kind, asked.get(each.name, ())):
            where = each.requirements if isinstance(each, PythonTier) else ""
            return Ds01Error(
                f"{name!r} comes from {where} of tier {each.name!r}",
                hint=f"take it out of that file, or of one that it includes, then: ds01 lock "
                f"{recipe.source}",
            )
    if needed_by:
        return Ds01Error(
            f"no tier asks for {name!r}: it is there because of {', '.join(needed_by):.200}",
            hint=_way_out(recipe, name, needed_by),
        )
    return _unknown(recipe, name, asked, tier)


def _way_out(recipe: Text, name: str, needed_by: Sequence[str]) -> str:
    """Return what takes out all that needs ``name``, if the recipe asks for it by name."""
    if all(homes(recipe, None, each) for each in needed_by):
        return f"ds01 remove {recipe.source} {' '.join(needed_by)}"
    return f"who asks for what needs it: ds01 why {recipe.source} {name}"


def _named(recipe: Text, kind: Kind | None, tier: str, kinds: Mapping[str, str]) -> Spot:
    found = kinds.get(tier)
    if tier == "base":
        raise UsageError(
            f"'base' is what all tiers stand on, and no tier itself; the tiers of {recipe.source} "
            f"are {_listed(kinds)}",
            hint=f"--tier NAME --kind {kind or 'python'} makes one",
        )
    if found is None and kind is not None:
        try:
            return Spot(tier_name(tier), kind, is_new=True)
        except ValueError as error:
            raise UsageError(str(error)) from error
    if found is None:
        raise _no_tier(recipe, tier, _makes(tier, "--kind python, or --kind apt, makes it"))
    for of in ("apt", "python"):
        if found == of and kind in (None, of):
            return Spot(tier, "apt" if of == "apt" else "python")
    wanted = f"{kind} tiers" if kind else "apt and python tiers"
    raise UsageError(
        f"tier {tier!r} of {recipe.source} is of kind {found}, and such packages go to {wanted}: "
        f"{_listed(kinds)}"
    )


def _no_tier(recipe: Text, tier: str, hint: str = "") -> UsageError:
    kinds = _kinds(recipe)
    near = did_you_mean(tier, kinds)
    listed = f"its tiers are {_listed(kinds)}"
    return UsageError(f"{recipe.source} has no tier {tier!r:.100}{near}; {listed}", hint=hint)


def _makes(tier: str, hint: str) -> str:
    """Return a hint at what makes a tier, empty where none can have that name."""
    try:
        tier_name(tier)
    except ValueError:
        return ""
    return hint


def _kinds(recipe: Text) -> dict[str, str]:
    return {each.name: kind_of(each) for each in recipe.recipe.tiers}


def _bundled(name: str, tier: AptTier | PythonTier, kind: Kind) -> Ds01Error:
    hint = f"to leave it out: exclude = [{name!r}] under [resolve]".replace("'", '"')
    if kind == "apt":
        rest = [each for each in bundles()[tier.bundle].packages if name_of(kind, each) != name]
        hint = f"in place of the bundle: packages = {rest}".replace("'", '"')
    return Ds01Error(f"{name!r} comes from the bundle {tier.bundle!r} of tier {tier.name!r}", hint)


def _unknown(recipe: Text, name: str, asked: Mapping[str, Sequence[str]], tier: str) -> Ds01Error:
    where = f"tier {tier!r}" if tier else recipe.source
    known = {
        name_of(kind, package)
        for each in recipe.recipe.tiers
        for kind in (("apt",) if isinstance(each, AptTier) else ("python",))
        for package in asked.get(each.name, ())
    }
    return Ds01Error(
        f"{where} does not ask for {name!r}{did_you_mean(name, known - {name})}",
        hint=f"what it asks for: ds01 plan {recipe.source}",
    )


def _names(kind: Kind, packages: Sequence[str]) -> set[str]:
    return {name_of(kind, normal(kind, package)) for package in packages}


def _listed(kinds: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in kinds.items()) or "none"
