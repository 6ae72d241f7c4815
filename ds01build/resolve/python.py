"""Resolves Python packages with uv: once over all tiers, and never building anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name, parse_wheel_filename

from ds01build.digest import Digest
from ds01build.errors import ResolveError
from ds01build.grammar import requirement_name
from ds01build.pin import WheelPin
from ds01build.platform import wheel_tags
from ds01build.resolve.behind import far_behind, newest_of, packages_of, releases
from ds01build.resolve.explanation import OTHERWISE, explained
from ds01build.resolve.holds import broken, pruned, refuse_strangers, refuse_unreadable
from ds01build.resolve.request import PythonRequest, Supplied, Wanted, options
from ds01build.resolve.solution import tiers_of
from ds01build.resolve.solving import solve
from ds01build.resolve.uv import NoSolution, Uv, Workspace, compile_fetched, compile_requirements

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ds01build.base.holding import Held, Holding
    from ds01build.resolve.solution import Found

__all__ = ["Located", "PythonRequest", "Resolution", "Wanted", "locate", "resolve"]


@dataclass(frozen=True, slots=True)
class Located:
    """Where an index has a wheel. ``url`` holds no credentials; a pin of size 0 has no size yet.

    ``url`` is empty for a wheel that is at hand, or that the last lock has.
    """

    pin: WheelPin
    url: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """The wheels of a request, sorted by name, and what a person should know about them."""

    located: tuple[Located, ...] = ()
    warnings: tuple[str, ...] = ()


def resolve(
    wanted: Wanted, keep: Mapping[str, WheelPin], tool: Uv, workspace: Workspace
) -> Resolution:
    """Return the wheels that ``wanted`` comes to, without what the base has.

    Pins of ``keep`` hold their version while it satisfies, and their tier while something in it
    still needs them; other packages go to the first tier that needs them. Raises ResolveError
    (the request) and Unavailable (index, uv).
    """
    solution = solve(wanted, _preferences(wanted, keep), tool, workspace)
    refuse_strangers(wanted, solution)
    staying = _staying(wanted.holding, solution)
    tiers = tiers_of(wanted.requests, pruned(solution, staying), keep)
    wheels = {name: found for name, found in solution.items() if name in tiers.keys() - staying}
    refuse_unreadable(wanted.holding, wheels)
    at_hand = _at_hand(wanted, wheels)
    settled = _settled(wanted, wheels.keys() - at_hand.keys(), wheels)
    offered = {n: found for n, found in wheels.items() if n not in at_hand and n not in settled}
    newest = newest_of(wanted, _fresh(offered, keep), tool, workspace)
    packages = [each for each in newest if _is_of(each, offered)]
    rest = offered.keys() - {canonicalize_name(each["name"]) for each in packages}
    packages += _pinned(wanted, {name: offered[name] for name in rest}, tool, workspace)
    tags = wheel_tags(wanted.platform)
    warnings = list(wanted.holding.warnings())
    warnings += broken(wanted.holding, {name: found.version for name, found in wheels.items()})
    warnings += far_behind(wanted, releases(packages), releases(newest), tool, workspace)
    located = [_located(each, _best_wheel(each, tags), tiers, wheels) for each in packages]
    known = (*settled.values(), *(each.pin for each in at_hand.values()))
    located += [_known(pin, tiers, wheels) for pin in known]
    return Resolution(tuple(sorted(located, key=lambda one: one.pin.name)), tuple(warnings))


def locate(
    pins: Sequence[WheelPin], python_version: str, tool: Uv, workspace: Workspace
) -> tuple[Located, ...]:
    """Return where the indexes have the files of ``pins``, chosen by sha256.

    Pins that no index offers with that digest any more are left out. Raises Unavailable, and
    ResolveError when an index no longer has one of the versions at all.
    """
    arguments = ["--no-deps", "--universal", "--python-version", python_version]
    output = compile_requirements(
        tool,
        workspace,
        [workspace.write("pins.txt", sorted(map(str, pins)))],
        [*arguments, "--prerelease", "allow", "--format", "pylock.toml"],
    )
    wheels = [wheel for package in packages_of(output) for wheel in package.get("wheels", ())]
    urls = {wheel.get("hashes", {}).get("sha256"): wheel["url"] for wheel in wheels}
    return tuple(Located(pin, urls[pin.digest.hex]) for pin in pins if pin.digest.hex in urls)


def _staying(holding: Holding, solution: Mapping[str, Found]) -> dict[str, Held]:
    """Return what of the base stays as it is, although wheels may need it."""
    moved = {
        each.name
        for each in holding.movable
        if each.name in solution and solution[each.name].version != each.version
    }
    return {each.name: each for each in (*holding.held, *holding.movable) if each.name not in moved}


def _preferences(wanted: Wanted, keep: Mapping[str, WheelPin]) -> dict[str, str]:
    """Return the versions to prefer: those of the lock, then those of the base.

    What a tier asks for by name is worth a newer version than the one that it shadows.
    """
    holding = wanted.holding
    held = {each.name for each in holding.held}
    asked = {requirement_name(line) for r in wanted.requests for line in r.requirements}
    preferred = {each.name: each.version for each in holding.preferred if each.name not in asked}
    staying = {each.name: each.version for each in holding.movable}
    kept = {name: pin.version for name, pin in keep.items() if name not in held}
    return {**preferred, **staying, **kept}


def _pinned(
    wanted: Wanted, wheels: Mapping[str, Found], tool: Uv, workspace: Workspace
) -> list[dict[str, Any]]:
    """Return what the indexes have of ``wheels``: packages of a pylock.toml (PEP 751)."""
    if not wheels:
        return []
    pins = workspace.write("pins.txt", [f"{n}=={f.version}" for n, f in sorted(wheels.items())])
    arguments = [*options(wanted), "--no-deps", "--format", "pylock.toml"]
    try:
        return packages_of(compile_fetched(tool, workspace, [pins], arguments))
    except NoSolution as error:
        raise explained(error, wanted) from error


def _at_hand(wanted: Wanted, wheels: Mapping[str, Found]) -> dict[str, Supplied]:
    """Return what of ``wheels`` is at hand in that very version."""
    return {
        each.pin.name: each
        for each in wanted.supplied
        if each.pin.name in wheels and wheels[each.pin.name].version == each.described.version
    }


def _settled(
    wanted: Wanted, names: Collection[str], wheels: Mapping[str, Found]
) -> dict[str, WheelPin]:
    """Return the pins that stand as they are, by the names of their packages."""
    return {
        pin.name: pin
        for pin in wanted.settled
        if pin.name in names
        and pin.source is None
        and (wheels[pin.name].version, wheels[pin.name].index) == (pin.version, pin.index)
    }


def _known(pin: WheelPin, tiers: Mapping[str, str], wheels: Mapping[str, Found]) -> Located:
    requires = tuple(sorted(n for n, found in wheels.items() if pin.name in found.required_by))
    return Located(replace(pin, tier=tiers[pin.name], requires=requires), "")


def _fresh(found: Mapping[str, Found], keep: Mapping[str, WheelPin]) -> list[str]:
    """Return the packages that do not have the version that they had."""
    return [n for n, one in found.items() if n not in keep or keep[n].version != one.version]


def _is_of(package: Mapping[str, Any], found: Mapping[str, Found]) -> bool:
    """Say whether a package of a pylock.toml has the version that was found for it."""
    return found[canonicalize_name(package["name"])].version == str(package["version"])


def _best_wheel(package: Mapping[str, Any], tags: Mapping[str, int]) -> dict[str, Any]:
    """Return the wheel of ``package`` whose best tag ranks first, as an installer would."""
    ranked: list[tuple[int, str, dict[str, Any]]] = []
    for wheel in package.get("wheels", ()):
        file = _file_name(wheel["url"])
        if parse_wheel_filename(file)[0] != canonicalize_name(package["name"]):
            raise ResolveError(f"the index offers {file!r:.100} as {package['name']!r:.100}")
        ranks = [tags[str(tag)] for tag in parse_wheel_filename(file)[3] if str(tag) in tags]
        ranked += [(min(ranks), file, wheel)] if ranks else []
    if not ranked:
        name = f"{package['name']}=={package.get('version', '')}"
        raise ResolveError(f"{name} has no wheel for this platform: {OTHERWISE}")
    return min(ranked, key=lambda row: row[:2])[2]


def _file_name(url: str) -> str:
    return unquote(urlsplit(url).path).rpartition("/")[2]


def _located(
    package: Mapping[str, Any],
    wheel: Mapping[str, Any],
    tiers: Mapping[str, str],
    wheels: Mapping[str, Found],
) -> Located:
    """Turn one package of uv's pylock.toml (PEP 751) into a pin and where it lies."""
    name = canonicalize_name(package["name"])
    requires = [other for other, found in wheels.items() if name in found.required_by]
    file, sha256 = _file_name(wheel["url"]), wheel.get("hashes", {}).get("sha256", "")
    if not sha256:
        raise ResolveError(f"the package index has no sha256 for {file!r:.100}")
    pin = WheelPin(
        name=name,
        version=str(package["version"]),
        file=file,
        size=int(wheel.get("size", 0)),
        digest=Digest(f"sha256:{sha256}"),
        tier=tiers[name],
        index=wheels[name].index,
        requires=tuple(sorted(requires)),
    )
    return Located(pin, wheel["url"])
