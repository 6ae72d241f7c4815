"""What of a recipe decides its lock: the projection whose digest says whether a lock is stale.

Fields are listed one by one and left out where they hold their default, so that a field that a
later ds01 adds makes no lock stale. What a site prefers is not among them, since it decides
nothing that a lock has decided: neither where its lock lies nor what is in that makes one stale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.recipe import DebianBase, ImageBase, excludes_of
from ds01build.recipe.requirements import expand
from ds01build.recipe.tiers import DEFAULT_MODE, AptTier, FilesTier, PythonTier, packages_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ds01build.catalogue import Bundle
    from ds01build.digest import Canonical
    from ds01build.recipe import Base, Recipe
    from ds01build.recipe.settings import ImageSettings, ResolveSettings
    from ds01build.recipe.tiers import RunTier, Tier

__all__ = ["projection"]

SCHEMA = "ds01.recipe/1"


def projection(
    recipe: Recipe,
    included: Mapping[str, str],
    files: Mapping[str, str],
    catalogue: Mapping[str, Bundle],
) -> dict[str, Canonical]:
    """Return what decides the lock of ``recipe``: one that was made for an equal one holds.

    ``included`` are the texts of requirement files and ``files`` the digests of declared files, by
    their paths relative to the recipe. Raises RecipeError for what is wrong in ``included``, and
    KeyError for a file that neither has.
    """
    tiers = [_tier(tier, included, files, catalogue) for tier in recipe.tiers]
    return _told(
        {
            "schema": SCHEMA,
            "name": recipe.name,
            "base": _base(recipe.base),
            "tiers": tiers,
            "image": _image(recipe.image),
            "resolve": _resolve(recipe.resolve, excludes_of(recipe, catalogue)),
        }
    )


def _base(base: Base) -> dict[str, Canonical]:
    if isinstance(base, DebianBase):
        return _told({"debian": base.suite, "packages": sorted(set(base.packages))})
    if isinstance(base, ImageBase):
        return {"image": base.reference}
    return _told({"framework": base.framework, "version": base.version, "arch": base.architecture})


def _tier(
    tier: Tier,
    included: Mapping[str, str],
    files: Mapping[str, str],
    catalogue: Mapping[str, Bundle],
) -> dict[str, Canonical]:
    common: dict[str, Canonical] = {"name": tier.name, "after": sorted(tier.after)}
    packages = packages_of(tier, catalogue)
    if isinstance(tier, AptTier):
        return _told({**common, "kind": "apt", "packages": sorted(set(packages))})
    if isinstance(tier, PythonTier):
        return _told({**common, "kind": "python", **_python(tier, packages, included)})
    if isinstance(tier, FilesTier):
        return _told({**common, "kind": "files", "files": _files(tier, files)})
    return _told({**common, "kind": "run", **_run(tier)})


def _python(
    tier: PythonTier, packages: Iterable[str], included: Mapping[str, str]
) -> dict[str, Canonical]:
    more = expand(tier, included.__getitem__)
    return {
        "packages": sorted({*packages, *more.packages}),
        "constraints": sorted(more.constraints),
        "digests": {name: list(map(str, each)) for name, each in more.digests.items()},
    }


def _files(tier: FilesTier, files: Mapping[str, str]) -> list[Canonical]:
    return [
        _told(
            {
                "to": entry.to,
                "digest": files[entry.source],
                "mode": None if entry.mode == DEFAULT_MODE else entry.mode,
            }
        )
        for entry in sorted(tier.files, key=lambda each: each.to)
    ]


def _run(tier: RunTier) -> dict[str, Canonical]:
    return {"commands": list(tier.commands), "network": tier.network or None}


def _image(image: ImageSettings) -> dict[str, Canonical]:
    told = _told(
        {
            "env": dict(image.env),
            "workdir": image.workdir,
            "user": image.user,
            "labels": dict(image.labels),
            "ports": sorted(image.ports),
        }
    )
    # An empty list says that there is none, where nothing leaves it to the base.
    commands = {"entrypoint": image.entrypoint, "cmd": image.cmd}
    return told | {key: list(words) for key, words in commands.items() if words is not None}


def _resolve(resolve: ResolveSettings, exclude: Iterable[str]) -> dict[str, Canonical]:
    return _told(
        {
            "exclude-newer": resolve.exclude_newer,
            "index-url": resolve.index_url,
            "extra-index-urls": [[alias, url] for alias, url in resolve.extra_index_urls],
            "prerelease": resolve.prerelease,
            "overrides": sorted(resolve.overrides),
            "exclude": sorted(exclude),
            "allow-base-change": sorted(resolve.allow_base_change),
            "apt-mirror": resolve.apt_mirror,
        }
    )


def _told(table: Mapping[str, Canonical]) -> dict[str, Canonical]:
    """Return ``table`` without what is empty."""
    return {key: value for key, value in table.items() if value not in (None, "", [], {})}
