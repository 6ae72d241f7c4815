"""Finds a version for every package with uv, and asks no index about what stays as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ds01build.errors import ResolveError, Unavailable
from ds01build.grammar import requirement_name
from ds01build.resolve.explanation import explained
from ds01build.resolve.holds import constraints, described, stubs
from ds01build.resolve.request import PythonRequest, limits, options
from ds01build.resolve.solution import parse_solution
from ds01build.resolve.uv import NoSolution, compile_requirements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ds01build.resolve.request import Wanted
    from ds01build.resolve.solution import Found
    from ds01build.resolve.uv import Uv, Workspace

__all__ = ["solve"]

_ATTEMPTS = 8  # each rules out a local version of one release


def solve(
    wanted: Wanted, keep: Mapping[str, str], tool: Uv, workspace: Workspace
) -> dict[str, Found]:
    """Return a version of every package, those of ``keep`` wherever they satisfy.

    Raises ResolveError and Unavailable.
    """
    return _recalled(wanted, keep, tool, workspace) or _solve(wanted, keep, tool, workspace)


def _recalled(
    wanted: Wanted, keep: Mapping[str, str], tool: Uv, workspace: Workspace
) -> dict[str, Found]:
    """Return what ``_solve`` would, if it can be told from what uv remembers; else nothing.

    A page of an index may be out of date as soon as it is fetched, and uv asks for each of them
    again. Here only those of new packages are asked for, and of what these need. The rest has to
    come out as it was, so that it does not matter what else its pages have by now.
    """
    settled = {pin.name for pin in wanted.settled}
    if tool.offline or not settled:
        return {}
    known = settled.union(each.name for each in wanted.present)
    lines = {line for request in wanted.requests for line in request.requirements}
    new = tuple(sorted(line for line in lines if requirement_name(line) not in known))
    alone = replace(wanted, requests=(PythonRequest(tier="new", requirements=new),))
    try:
        asked = _solve(alone, keep, tool, workspace) if new else {}
        found = _solve(wanted, keep, replace(tool, offline=True), workspace)
    except (ResolveError, Unavailable):
        return {}  # what is wrong comes out when all is asked for
    present = {each.name: each.version for each in wanted.present}
    versions = {**keep, **present, **{name: each.version for name, each in asked.items()}}
    stays = all(versions.get(name) == each.version for name, each in found.items())
    return found if stays else {}


def _solve(
    wanted: Wanted, keep: Mapping[str, str], tool: Uv, workspace: Workspace
) -> dict[str, Found]:
    """Return what uv finds, in which everything that the base holds has the base's version.

    A constraint such as ==2.8.0 lets 2.8.0+cpu of an index through (PEP 440): what comes of it is
    ruled out, and uv asked again.
    """
    held = {each.name: each.version for each in wanted.holding.held}
    held |= {each.pin.name: each.described.version for each in wanted.supplied if each.only}
    ruled_out: list[str] = []
    for _ in range(_ATTEMPTS):
        solution = _solve_once(wanted, keep, ruled_out, tool, workspace)
        strange = {
            n for n, found in solution.items() if held.get(n, found.version) != found.version
        }
        if not strange:
            return solution
        ruled_out += [f"{name}!={solution[name].version}" for name in sorted(strange)]
    raise ResolveError(f"cannot hold the base's versions: the index offers {', '.join(ruled_out)}")


def _solve_once(
    wanted: Wanted,
    keep: Mapping[str, str],
    ruled_out: Sequence[str],
    tool: Uv,
    workspace: Workspace,
) -> dict[str, Found]:
    arguments = [*options(wanted), "--annotation-style", "line", "--emit-index-annotation"]
    arguments += ["--no-strip-extras", *stubs(wanted.present, workspace)]
    arguments += limits(wanted, workspace)
    only = [f"{s.pin.name}=={s.described.version}" for s in wanted.supplied if s.only]
    bounds = [*constraints(wanted.holding), *only, *ruled_out]
    arguments += ["--constraints", workspace.write("base.txt", bounds)] if bounds else []
    # uv prefers the versions that stand in its output file already.
    kept = [f"{name}=={version}" for name, version in sorted(keep.items())]
    arguments += ["--output-file", workspace.write("solution.txt", kept)]
    inputs = [
        workspace.write(f"{request.tier}.in", sorted(request.requirements))
        for request in wanted.requests
    ]
    try:
        compile_requirements(tool, workspace, inputs, arguments, described(wanted.present))
    except NoSolution as error:
        raise explained(error, wanted) from error
    return parse_solution(workspace.read("solution.txt"), tool.aliases())
