"""Resolves Python packages with uv: once over all tiers, and never building anything."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import tomli
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from ds01build.digest import Digest
from ds01build.errors import ResolveError
from ds01build.pin import WheelPin
from ds01build.platform import wheel_tags
from ds01build.resolve.uv import NoSolution, Uv, Workspace, compile_requirements

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ds01build.platform import Platform

__all__ = ["Located", "PythonRequest", "Wanted", "locate", "resolve"]


# The newest glibc 2.x that uv has a name for. Wheels for newer ones are not found with it; none
# of those that are found needs a newer one.
GLIBC = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonRequest:
    """What one tier asks for: PEP 508 requirements without URLs."""

    tier: str
    requirements: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the resolver is asked: the tiers in order, and everything else that decides."""

    requests: tuple[PythonRequest, ...]
    platform: Platform
    constraints: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    prerelease: str = ""  # as uv names it
    exclude_newer: str = ""


@dataclass(frozen=True, slots=True)
class Located:
    """Where an index has a wheel. ``url`` holds no credentials; a pin of size 0 has no size yet."""

    pin: WheelPin
    url: str


def resolve(
    wanted: Wanted, keep: Mapping[str, WheelPin], tool: Uv, workspace: Workspace
) -> tuple[Located, ...]:
    """Return the wheels that ``wanted`` comes to, sorted by name.

    Pins of ``keep`` hold their version while it satisfies, and their tier while something in it
    still needs them; other packages go to the first tier that needs them. Raises ResolveError
    (the request) and Unavailable (index, uv).
    """
    solution = _solve(wanted, keep, tool, workspace)
    tiers = _tiers(wanted.requests, solution, keep)
    pins = workspace.write("pins.txt", [f"{n}=={f.version}" for n, f in sorted(solution.items())])
    arguments = [*_arguments(wanted), "--no-deps", "--format", "pylock.toml"]
    try:
        output = compile_requirements(tool, workspace, [pins], arguments)
    except NoSolution as error:
        raise _explained(error, wanted.requests) from error
    tags = wheel_tags(wanted.platform)
    chosen = [(package, _best_wheel(package, tags)) for package in _packages(output)]
    return tuple(_located(package, wheel, tiers, solution) for package, wheel in chosen)


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
    wheels = [wheel for package in _packages(output) for wheel in package.get("wheels", ())]
    urls = {wheel.get("hashes", {}).get("sha256"): wheel["url"] for wheel in wheels}
    return tuple(Located(pin, urls[pin.digest.hex]) for pin in pins if pin.digest.hex in urls)


@dataclass(frozen=True, slots=True)
class _Found:
    version: str
    index: str = "default"
    required_by: tuple[str, ...] = ()  # package names, and "-r TIER"


def _arguments(wanted: Wanted) -> list[str]:
    platform = wanted.platform
    arguments = ["--python-version", platform.python]
    minor = min(platform.glibc[1], GLIBC)
    arguments += ["--python-platform", f"{platform.machine}-manylinux_2_{minor}"]
    if wanted.prerelease:
        arguments += ["--prerelease", wanted.prerelease]
    if wanted.exclude_newer:
        arguments += ["--exclude-newer", wanted.exclude_newer]
    return arguments


def _solve(
    wanted: Wanted, keep: Mapping[str, WheelPin], tool: Uv, workspace: Workspace
) -> dict[str, _Found]:
    arguments = [*_arguments(wanted), "--annotation-style", "line", "--emit-index-annotation"]
    if wanted.constraints:
        arguments += ["--constraints", workspace.write("constraints.txt", wanted.constraints)]
    if wanted.overrides:
        arguments += ["--overrides", workspace.write("overrides.txt", wanted.overrides)]
    if wanted.exclude:
        arguments += ["--excludes", workspace.write("excludes.txt", wanted.exclude)]
    # uv prefers the versions that stand in its output file already.
    kept = [str(pin) for _, pin in sorted(keep.items())]
    arguments += ["--output-file", workspace.write("solution.txt", kept)]
    inputs = [
        workspace.write(f"{request.tier}.in", sorted(request.requirements))
        for request in wanted.requests
    ]
    try:
        compile_requirements(tool, workspace, inputs, arguments)
    except NoSolution as error:
        raise _explained(error, wanted.requests) from error
    return _parse_solution(workspace.read("solution.txt"), tool.aliases())


def _parse_solution(text: str, aliases: Mapping[str, str]) -> dict[str, _Found]:
    """Read uv's requirements: ``name==version  # via a, -r tier.in``, then ``# from URL``."""
    found: dict[str, _Found] = {}
    last = ""
    for line in text.splitlines():
        requirement, _, comment = (part.strip() for part in line.partition("#"))
        if requirement:
            name, _, version = requirement.partition("==")
            last = canonicalize_name(name.partition("[")[0])
            found[last] = _Found(version.partition(";")[0].strip())
        if comment.startswith("via "):
            needers = tuple(_needer(part.strip()) for part in comment[4:].split(","))
            found[last] = replace(found[last], required_by=needers)
        elif comment.startswith("from "):
            index = aliases.get(comment[5:].rstrip("/"), "default")
            found[last] = replace(found[last], index=index)
    return found


def _needer(text: str) -> str:
    if text.startswith("-r "):
        return text.removesuffix(".in")
    return canonicalize_name(text.partition("[")[0])


def _tiers(
    requests: Sequence[PythonRequest], solution: Mapping[str, _Found], keep: Mapping[str, WheelPin]
) -> dict[str, str]:
    """Give each package a tier: the one it had, if that still needs it, or the first that does."""
    needs: dict[str, set[str]] = {}
    for name, found in solution.items():
        for needer in found.required_by:
            needs.setdefault(needer, set()).add(name)
    tiers: dict[str, str] = {}
    for request in requests:
        for name in _closure(f"-r {request.tier}", needs):
            had_it = name in keep and keep[name].tier == request.tier
            if had_it or name not in tiers:
                tiers[name] = request.tier
    return tiers


def _closure(start: str, needs: Mapping[str, Iterable[str]]) -> set[str]:
    reached: set[str] = set()
    todo = [start]
    while todo:
        fresh = set(needs.get(todo.pop(), ())) - reached
        reached |= fresh
        todo.extend(fresh)
    return reached


def _packages(output: str) -> list[dict[str, Any]]:
    packages = tomli.loads(output).get("packages", [])
    return [package for package in packages if isinstance(package, dict)]


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
        raise ResolveError(f"{name} has no wheel for this platform: {_OTHERWISE}")
    return min(ranked, key=lambda row: row[:2])[2]


def _file_name(url: str) -> str:
    return unquote(urlsplit(url).path).rpartition("/")[2]


def _located(
    package: Mapping[str, Any],
    wheel: Mapping[str, Any],
    tiers: Mapping[str, str],
    solution: Mapping[str, _Found],
) -> Located:
    """Turn one package of uv's pylock.toml (PEP 751) into a pin and where it lies."""
    name = canonicalize_name(package["name"])
    requires = [other for other, found in solution.items() if name in found.required_by]
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
        index=solution[name].index,
        requires=tuple(sorted(requires)),
    )
    return Located(pin, wheel["url"])


_OTHERWISE = "ask for a version with wheels, or drop what needs it with [resolve] exclude"
_NO_WHEELS = re.compile(
    r"Because (?:all versions of )?(?P<name>\S+) ha(?:s|ve) no "
    r"(?P<kind>usable wheels|wheels with a matching)"
)
_OFFERED = re.compile(r"hint: .*?wheels .*?: (`[^`]+`(?:, `[^`]+`)*)", re.IGNORECASE)
_ABSENT = re.compile(r"Because (\S+?) was not found in the package registry")


def _explained(error: NoSolution, requests: Sequence[PythonRequest]) -> ResolveError:
    """Say uv's explanation in the recipe's words: which tiers ask for what it names."""
    text = error.message
    askers = _askers(text, requests)
    by = f" ({'; '.join(askers)})" if askers else ""
    if match := _NO_WHEELS.search(text):
        return ResolveError(f"{match['name']} {_lacking(match['kind'], text)}{by}: {_OTHERWISE}")
    if match := _ABSENT.search(text):
        return ResolveError(f"the package index has no {match[1]}{by}")
    text = text.removeprefix("No solution found when resolving dependencies").strip()
    return ResolveError(" ".join([text, *(f"[{asker}]" for asker in askers)]))


def _lacking(kind: str, text: str) -> str:
    """Say why a package has no wheel that can be used; ``text`` is uv's, hints included."""
    if kind == "usable wheels":
        return "has only source distributions, and ds01 never runs a build on this host"
    offered = _OFFERED.search(text)
    return f"has no wheel for this platform{f', only for {offered[1]}' if offered else ''}"


def _askers(text: str, requests: Sequence[PythonRequest]) -> list[str]:
    words = set(re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", text))
    names = {canonicalize_name(word.rstrip(".")) for word in words}
    return [
        f"tier {request.tier} asks for {line}"
        for request in requests
        for line in request.requirements
        if canonicalize_name(Requirement(line).name) in names
    ]
