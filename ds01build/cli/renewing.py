"""``container-upgrade``: containers on the current builds of their images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import completers, guidance, making, options, terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.errors import Ds01Error
    from ds01build.workflow.containers import Host
    from ds01build.workflow.renewing import Renewal

__all__ = ["upgrade"]


@click.command("container-upgrade", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", metavar="[NAME]", required=False, shell_complete=completers.containers)
@click.option("--all", "-a", "every", is_flag=True, help="All containers of yours.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@options.as_json
@options.quiet
def upgrade(name: str | None, every: bool, **rest: Any) -> None:
    """Put the container NAME on the current build of its image, as it was wished.

    Its workspace stays, and it runs again if it did. What was installed by hand in it is listed
    before, and goes with the old one. A container on the current build stays as it is.

    \b
    container-upgrade thesis --dry-run
    container-upgrade --all --yes
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.telling import tell
    from ds01build.workflow import owned, renewing

    if bool(name) == every:
        raise click.UsageError("name the container to upgrade, or give --all")
    host = wiring.host(tell)
    rows = owned.own(host) if every else (owned.find_own(name or "", host),)
    found = [renewing.renewal(row, host) for row in rows]
    if not found:
        making.advise("you have no container that ds01 made", rest)
    for each in found:
        _tell(each, rest)
    old = [each for each in found if each.state == "old"]
    is_done = not rest["dry_run"] and _agreed(old, rest)
    problems = _carried_out(old, host) if is_done else {}
    _answer(found, problems, rest, is_done=is_done)


def _tell(one: Renewal, rest: dict[str, Any]) -> None:
    """Say on stderr what there is to say of a container, and what would go with it."""
    name = one.row.name
    if one.problem:
        if rest["dry_run"]:  # or else it is the error that all of this ends with
            making.advise(f"{name} stays: {one.problem}", rest)
        return
    if one.state == "current":
        making.advise(f"{name} is on the current build of {one.image}", rest)
        return
    state = "running, and runs again" if one.row.is_running else one.row.state
    making.advise(f"{name} ({state}) is on an earlier build of {one.image}", rest)
    making.tell_by_hand(one.by_hand)


def _agreed(old: list[Renewal], rest: dict[str, Any]) -> bool:
    """Ask where there is anything to ask about. Raises UsageError where nobody can be asked."""
    if not old or rest["yes"]:
        return True
    if not terminal.is_there():
        raise click.UsageError("there is no terminal to ask on: --yes goes on without")
    asker = terminal.Terminal(guidance.explainer(click.get_current_context()))
    names = ", ".join(each.row.name for each in old)
    return asker.confirm(f"Recreate {names} on the current build?", default=True)


def _carried_out(old: list[Renewal], host: Host) -> dict[str, str]:
    """Upgrade containers one after the other; return what went wrong, by name."""
    from functools import partial

    from ds01build.engine.api import attempted
    from ds01build.workflow.renewing import renew

    problems: dict[str, str] = {}
    for each in old:

        def note(error: Ds01Error, name: str = each.row.name) -> None:
            problems[name] = str(error)

        attempted(partial(renew, each, host), note)
    return problems


def _answer(
    found: list[Renewal], problems: dict[str, str], rest: dict[str, Any], *, is_done: bool
) -> None:
    """Print what came of each. Raises Ds01Error where not all are on current builds then."""
    from ds01build.cli.output import print_json, print_lines
    from ds01build.errors import Ds01Error

    done = [each for each in found if is_done and each.state == "old"]
    done = [each for each in done if each.row.name not in problems]
    if rest["as_json"]:
        rows = [
            {
                **each.answer(),
                "upgraded": each in done,
                "problem": each.problem or problems.get(each.row.name),
            }
            for each in found
        ]
        print_json({"schema": "ds01.upgraded/1", "dry_run": rest["dry_run"], "containers": rows})
    elif done:
        print_lines(each.row.name for each in done)
    left = [each for each in found if each.problem]
    if problems or (left and not rest["dry_run"]):
        lines = [f"{name}: {problem}" for name, problem in problems.items()]
        lines += [f"{each.row.name} stays: {each.problem}" for each in left]
        raise Ds01Error("\n".join(lines), hint=_help(left))


def _help(left: Sequence[Renewal]) -> str:
    """Return what helps containers that stay: their images, where engines have lost them."""
    from ds01build.workflow.containers import loading

    gone = next((each.image for each in left if each.state == "image gone"), "")
    return loading(gone) if gone else "container-list --all"
