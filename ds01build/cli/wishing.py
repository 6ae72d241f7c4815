"""What a container can be asked for: options that several commands share, and their questions."""

from __future__ import annotations

import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ds01build.cli import guidance, picking, terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.asking import Asker
    from ds01build.container import Wish
    from ds01build.workflow.containers import Host
    from ds01build.workflow.deploying import Clash

__all__ = [
    "clash_of",
    "desk",
    "options",
    "settled",
    "tell_deprecated",
    "with_port",
]

F = TypeVar("F", bound="Callable[..., Any]")


def _named(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Path | None:
    """Return a directory that is named; an empty name would be the current one."""
    if value == "":
        raise click.BadParameter("an empty name is no directory")
    return None if value is None else Path(value)


_OPTIONS = (
    click.option(
        "--workspace",
        "-w",
        callback=_named,
        metavar="DIR",
        help="What /workspace is; ~/workspace/NAME otherwise.",
    ),
    click.option("--data", "-d", callback=_named, metavar="DIR", help="What /data is."),
    click.option("--models", callback=_named, metavar="DIR", help="What /models is."),
    click.option("--cpu-only", is_flag=True, help="No GPU, whatever the machine has."),
    click.option(
        "--num-gpus",
        "gpus",
        type=click.IntRange(0, 64),
        metavar="N",
        help="How many GPUs; one otherwise, where there are any.",
    ),
    click.option(
        "--gpu",
        "devices",
        multiple=True,
        metavar="ID",
        help="This GPU or slice, by UUID or slot (ds01 gpus); may be repeated.",
    ),
    click.option(
        "--network",
        type=click.Choice(["bridge", "host"]),
        help="Of its own, or this machine's; as configured otherwise.",
    ),
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        metavar="N",
        help="Where Jupyter is reached on this machine; 0 chooses a free one.",
    ),
    click.option("--sudo", is_flag=True, help="Let you become root in it, where that is allowed."),
    click.option("--mlc-labels", is_flag=True, help="Give it the labels of AIME's tools, too."),
    click.option("--prefer-full", is_flag=True, help="Does nothing any more."),
    click.option("--existing", is_flag=True, help="Take the container of NAME that is there."),
    click.option("--recreate", is_flag=True, help="Put a new one in the place of one of NAME."),
    click.option("--yes", "-y", is_flag=True, help="Ask nothing, and take the defaults."),
)


def options(function: F) -> F:
    """Add what can be asked of a container."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def desk(host: Host, rest: dict[str, Any]) -> picking.Desk:
    """Return where a command asks."""
    from ds01build.cli import wiring
    from ds01build.once import once
    from ds01build.workflow import allotting
    from ds01build.workflow.selecting import candidates

    store = wiring.open_store
    found = once(lambda: candidates(store(), host.engine(), host.report))
    return picking.Desk(host, found, asker(rest), once(lambda: allotting.most(host)))


def asker(rest: dict[str, Any]) -> Asker | None:
    """Return who asks, None where nobody is to be asked."""
    if rest["yes"] or not terminal.is_there():
        return None
    return terminal.Terminal(guidance.explainer(click.get_current_context()))


def settled(asked: picking.Asked, rest: dict[str, Any], at: picking.Desk) -> Wish:
    """Return what is wished by arguments and options, and by answers to what they leave open.

    Its port is none yet. Raises UsageError for what contradicts itself, Ds01Error.
    """
    from ds01build.container.names import check_name
    from ds01build.workflow import containers, selecting

    _check(rest)
    if "" in (asked.name, asked.image):
        raise click.UsageError("an empty name is none: leave it out, or give one")
    tag = picking.tag_of(asked, at)
    called = selecting.image_of(tag, at.host.identity.uid)
    short = asked.name or selecting.default_name(tag)
    if asked.name is None and at.asker:
        short = at.asker.text("Name of the container", check_name, short)
    wish = replace(
        containers.wish_for(called or short, tag, at.host),
        name=short,
        workspace=str(_workspace(short, called, asked.project, rest["workspace"], at.host)),
        data=_absolute(rest["data"]),
        models=_absolute(rest["models"]),
        is_admin=rest["sudo"],
        project=asked.project,
        has_mlc_labels=rest["mlc_labels"],
    )
    wish = replace(wish, network=rest["network"] or wish.network)
    return replace(wish, gpus=_gpus(rest, at), devices=rest["devices"])


def _check(rest: dict[str, Any]) -> None:
    if rest["cpu_only"] and rest["gpus"]:
        raise click.UsageError("--cpu-only and --num-gpus contradict each other")
    if rest["devices"] and (rest["cpu_only"] or rest["gpus"] is not None):
        other = "--cpu-only" if rest["cpu_only"] else "--num-gpus"
        raise click.UsageError(f"{other} and --gpu contradict each other")
    if rest["existing"] and rest["recreate"]:
        raise click.UsageError("--existing and --recreate contradict each other")


def _workspace(name: str, image: str, project: str, given: Path | None, host: Host) -> Path:
    """Return the directory that is given, or that of the project, the image's, or the name's."""
    from ds01build.container import container_name

    if given is not None:
        return given.absolute()
    directories = host.home / "workspace"
    of_image = image.removesuffix("-image") or image
    if not project and of_image and container_name(image) == name:
        project = of_image if _is_directory(directories / of_image) else name
    return directories / (project or name)


def _is_directory(path: Path) -> bool:
    from ds01build.errors import Ds01Error

    try:
        return path.is_dir()
    except OSError as error:
        raise Ds01Error(
            f"{path}: {error.strerror or error}",
            hint=f"ls -ld -- {shlex.quote(str(path.parent))}; --workspace DIR names another one",
        ) from error


def _absolute(path: Path | None) -> str:
    return str(path.absolute()) if path is not None else ""


def _gpus(rest: dict[str, Any], at: picking.Desk) -> int:
    """Return how many GPUs are wished; who can be asked is, where there are any."""
    given: int | None = 0 if rest["cpu_only"] or rest["devices"] else rest["gpus"]
    if given is not None:
        return given  # whether there are so many is seen when they are allotted
    most = at.most_gpus()
    if not most or at.asker is None:
        return min(1, most)
    return _asked_gpus(most, at.asker)


def _asked_gpus(most: int, asker: Asker) -> int:
    asker.explain("container-create.gpus")
    if not asker.confirm("Use a GPU?", default=True):
        return 0
    if most == 1:
        return 1
    return asker.text(f"How many GPUs (1 to {most})", partial(_number, most), "1")


def _number(most: int, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= most):
        raise ValueError(f"a number from 1 to {most}")
    return int(text)


def clash_of(wish: Wish, rest: dict[str, Any], at: picking.Desk) -> tuple[Wish, Clash]:
    """Return what happens where a container has the name, asking who can be.

    The wish has another name where that is the answer, and the port that is asked for.
    """
    from ds01build.cli import making
    from ds01build.workflow.byhand import by_hand
    from ds01build.workflow.deploying import there

    clash: Clash = "use" if rest["existing"] else "recreate" if rest["recreate"] else "refuse"
    if clash == "recreate" and (row := there(wish.name, at.host)):
        making.tell_by_hand(by_hand(row, at.host))
    while clash == "refuse" and at.asker and (row := there(wish.name, at.host)):
        making.tell_by_hand(by_hand(row, at.host))
        chosen = _clash(f"{row.name} ({row.state})", at.asker)
        if chosen == "another":
            wish = _renamed(wish, rest, at.host, at.asker)
        else:
            clash = "use" if chosen == "use" else "recreate"
    return (wish if clash == "use" else with_port(wish, rest, at.host)), clash


def with_port(wish: Wish, rest: dict[str, Any], host: Host) -> Wish:
    """Return the wish with the port that is asked for, if one is. Raises Ds01Error."""
    from ds01build.container import full_name
    from ds01build.workflow.ports import port_for

    if rest["port"] is None:
        return wish
    own = full_name(wish.name, host.identity.uid)
    return replace(wish, port=port_for(rest["port"], host.engine(), own))


def _clash(what: str, asker: Asker) -> str:
    from ds01build.asking import Option

    asker.explain("container-create.exists")
    choices = [
        Option(value="use", title="Use it as it is"),
        Option(value="recreate", title="Recreate it: what was installed by hand in it is lost"),
        Option(value="another", title="Give the new one another name"),
    ]
    return asker.choose(f"There is a container {what}", choices, "use")


def _renamed(wish: Wish, rest: dict[str, Any], host: Host, asker: Asker) -> Wish:
    from ds01build.container.names import check_name

    name = asker.text("Name of the container", check_name)
    if rest["workspace"] is not None or wish.project:
        return replace(wish, name=name)
    return replace(wish, name=name, workspace=str(host.home / "workspace" / name))


def tell_deprecated(rest: dict[str, Any]) -> None:
    """Say which options do nothing any more."""
    if rest["prefer_full"]:
        click.echo("--prefer-full does nothing any more, and will go", err=True)
