"""What arguments and options complete to: names of the store, and what recipes and locks name.

Commands name these where they declare parameters, so nothing is imported here before it is needed.
Nothing is written, no network is asked, and what goes wrong completes nothing.
"""

from __future__ import annotations

import re
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click
    from click.shell_completion import CompletionItem

    Items = list[CompletionItem[str]]
    Completer = Callable[[click.Context, click.Parameter, str], Items]
    Finder = Callable[[click.Context, str], Iterable[tuple[str, str]]]

__all__ = [
    "bundles",
    "containers",
    "frameworks",
    "generations",
    "images",
    "kinds",
    "locked_packages",
    "named_packages",
    "names",
    "projects",
    "recipes",
    "sides",
    "tiers",
    "updatable",
]

_LIMIT = 8 * 1024 * 1024  # bytes of a recipe or lock that are read for this
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def _completer(find: Finder) -> Completer:
    """Return what click asks: the found (value, what it is) that the word is the beginning of."""

    @wraps(find)
    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
        from click.shell_completion import CompletionItem

        try:
            found = list(find(context, incomplete))
        except (Ds01Error, OSError, ValueError):
            return []
        return [CompletionItem(v, help=h) for v, h in found if v.startswith(incomplete)]

    return complete


def recipes(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Complete to files called ``*.toml``, which the shell itself looks for."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="toml")]


@_completer
def names(_context: click.Context, _incomplete: str) -> Iterable[tuple[str, str]]:
    """Complete to the names of images."""
    return _names()


@_completer
def kinds(_context: click.Context, _incomplete: str) -> Iterable[tuple[str, str]]:
    """Complete to the types of projects."""
    from ds01build.wizard import screens

    return [*((name, case.title) for name, case in screens.use_cases().items()), ("custom", "")]


@_completer
def projects(_context: click.Context, _incomplete: str) -> Iterable[tuple[str, str]]:
    """Complete to the projects of the user's workspace."""
    recipes_of = sorted((Path.home() / "workspace").glob("*/recipe.toml"))
    return ((path.parent.name, "project") for path in recipes_of)


@_completer
def images(_context: click.Context, incomplete: str) -> Iterable[tuple[str, str]]:
    """Complete to the names of images, and after ``NAME@`` to their generations."""
    return _images(incomplete)


def updatable(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Complete to what image-update takes: the name of an image, or the path of a recipe."""
    return [*names(context, parameter, incomplete), *recipes(context, parameter, incomplete)]


def sides(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Complete to what ``ds01 diff`` compares: images, generations, files."""
    from click.shell_completion import CompletionItem

    return [*images(context, parameter, incomplete), CompletionItem(incomplete, type="file")]


@_completer
def generations(context: click.Context, _incomplete: str) -> Iterable[tuple[str, str]]:
    """Complete to the numbers of an image's generations, the newest first."""
    return _generations(context.params["name"])


@_completer
def tiers(context: click.Context, _incomplete: str) -> Iterable[tuple[str, str]]:
    """Complete to the tiers of the recipe."""
    return [(name, str(tier.get("kind", ""))) for name, tier in _tiers(_recipe(context))]


@_completer
def named_packages(context: click.Context, _incomplete: str) -> Iterable[tuple[str, str]]:
    """Complete to packages that the recipe itself names, and that can be removed so."""
    return [
        (match[0], f"tier {name}")
        for name, tier in _tiers(_recipe(context))
        for text in tier.get("packages", [])
        if (match := _PACKAGE.match(text))
    ]


@_completer
def locked_packages(context: click.Context, _incomplete: str) -> Iterable[tuple[str, str]]:
    """Complete to the packages of the recipe's lock."""
    from ds01build.workflow.quick import lock_path

    lock = _read(lock_path(_recipe(context)))
    rows = [*lock.get("wheel", []), *lock.get("deb", [])]
    return sorted({(row["name"], row["version"]) for row in rows})


@_completer
def frameworks(_context: click.Context, _incomplete: str) -> Iterable[tuple[str, str]]:
    """Complete to the frameworks of the catalogue."""
    from ds01build import catalogue

    return sorted({(each.name.lower(), "framework") for each in catalogue.frameworks()})


@_completer
def bundles(_context: click.Context, _incomplete: str) -> Iterable[tuple[str, str]]:
    """Complete to the bundles."""
    from ds01build import catalogue

    return [(name, each.title) for name, each in catalogue.bundles().items()]


@_completer
def containers(_context: click.Context, _incomplete: str) -> Iterable[tuple[str, str]]:
    """Complete to the user's containers, as the engine has them by now."""
    from ds01build.cli import wiring
    from ds01build.workflow.owned import mine, names

    host = wiring.host(lambda _: None)
    rows = mine(host)
    called = names(rows, host)
    return [(called[row.name], row.state) for row in rows]


def _names() -> Iterable[tuple[str, str]]:
    from ds01build.cli import wiring
    from ds01build.store import roots

    return [(name, "image") for name in roots.names(wiring.where())]


def _images(incomplete: str) -> Iterable[tuple[str, str]]:
    name, at, _ = incomplete.partition("@")
    if not at:
        return _names()
    return [(f"{name}@{number}", says) for number, says in _generations(name)]


def _generations(name: str) -> Iterable[tuple[str, str]]:
    from ds01build.cli import wiring
    from ds01build.store import roots

    found = roots.generations(wiring.where(), name)
    return [(str(one.number), f"built {one.created}") for one in reversed(found)]


def _recipe(context: click.Context) -> Path:
    """Return the recipe that the line names: by its path, or by the name of its image.

    Raises ValueError where it names none.
    """
    from ds01build.cli import wiring
    from ds01build.store import roots

    given = context.params.get("recipe") or context.params.get("name") or _first_word(context)
    if isinstance(given, Path) or "/" in given or given.endswith(".toml"):
        return Path(given)
    last = roots.latest(wiring.where(), given)
    places = [Path("recipes", f"{given}.toml"), Path(f"{given}.toml")]
    there = [path for path in (Path(last.place if last else ""), *places) if path.is_file()]
    if not there:
        raise ValueError("no recipe")
    return there[0]


def _first_word(context: click.Context) -> str:
    """Return the first argument on the line, which click does not read before an option is whole.

    Raises ValueError where there is none.
    """
    words: list[str] = context.obj
    rest = words[words.index(context.info_name or "") + 1 :]
    found = next((word for word in rest if not word.startswith("-")), "")
    if not found:
        raise ValueError("no recipe")
    return found


def _tiers(recipe: Path) -> Iterable[tuple[str, dict[str, Any]]]:
    found = _read(recipe).get("tiers", {})
    return [(name, tier) for name, tier in found.items() if isinstance(tier, dict)]


def _read(path: Path) -> dict[str, Any]:
    from ds01build.fields import load

    with path.open("rb") as file:
        return load(file.read(_LIMIT).decode(), limit=_LIMIT)
