"""The tables [image] and [resolve] of a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.fields import did_you_mean
from ds01build.grammar import (
    absolute_path,
    bound,
    index_alias,
    label_name,
    moment,
    package_name,
    port,
    relative_path,
    url,
    user,
    variable_name,
)

if TYPE_CHECKING:
    from ds01build.fields import Fields

__all__ = ["ImageSettings", "ResolveSettings", "read_image", "read_resolve"]

# As uv names them.
PRERELEASES = ("disallow", "allow", "if-necessary", "explicit", "if-necessary-or-explicit")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSettings:
    """What the image's configuration says; whatever is empty or None comes from the base.

    ``env`` and ``labels`` are sorted by name, ``ports`` are like ``8888/tcp``.
    """

    env: tuple[tuple[str, str], ...] = ()
    workdir: str = ""
    user: str = ""
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    labels: tuple[tuple[str, str], ...] = ()
    ports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveSettings:
    """What decides which versions are locked; whatever is empty is the resolvers' own default.

    ``exclude_newer`` is a UTC time, ``YYYY-MM-DDTHH:MM:SSZ``. ``extra_index_urls`` are pairs of
    alias and URL, the first asked first. No URL holds credentials. ``prefer`` is the path of a
    site's lock, absolute or below the recipe.
    """

    exclude_newer: str = ""
    index_url: str = ""
    extra_index_urls: tuple[tuple[str, str], ...] = ()
    prerelease: str = ""
    overrides: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    allow_base_change: tuple[str, ...] = ()
    apt_mirror: str = ""
    prefer: str = ""


def read_image(table: Fields) -> ImageSettings:
    """Read the table [image]."""
    settings = ImageSettings(
        env=tuple(sorted(table.pairs("env", variable_name, str))),
        workdir=table.text("workdir", absolute_path),
        user=table.text("user", user),
        entrypoint=table.texts("entrypoint", str) if "entrypoint" in table else None,
        cmd=table.texts("cmd", str) if "cmd" in table else None,
        labels=tuple(sorted(table.pairs("labels", label_name, str))),
        ports=tuple(sorted(set(table.items("ports", port)))),
    )
    table.close()
    return settings


def read_resolve(table: Fields) -> ResolveSettings:
    """Read the table [resolve]."""
    settings = ResolveSettings(
        exclude_newer=table.value("exclude-newer", moment),
        index_url=table.text("index-url", url),
        extra_index_urls=table.pairs("extra-index-urls", index_alias, url),
        prerelease=table.text("prerelease", _prerelease),
        overrides=tuple(sorted(set(table.texts("overrides", bound)))),
        exclude=tuple(sorted(set(table.texts("exclude", package_name)))),
        allow_base_change=tuple(sorted(set(table.texts("allow-base-change", package_name)))),
        apt_mirror=table.text("apt-mirror", url),
        prefer=table.text("prefer", _lock_path),
    )
    table.close()
    return settings


def _lock_path(text: str) -> str:
    return absolute_path(text) if text.startswith("/") else relative_path(text)


def _prerelease(text: str) -> str:
    if text not in PRERELEASES:
        near = did_you_mean(text, PRERELEASES)
        raise ValueError(f"{text!r:.100} is not one of {', '.join(PRERELEASES)}{near}")
    return text
