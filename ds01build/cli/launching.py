"""``project-launch``: from a project to a container that one works in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import beginning, completers, creation, entering, options, terminal
from ds01build.cli.phases import short, tell
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from ds01build.asking import Asker
    from ds01build.engine.containers import Row
    from ds01build.workflow.containers import Host
    from ds01build.workflow.launching import Launchable, Launched

__all__ = ["launch", "projects"]

_NEW = "/new"  # no name of a directory
_STATES = {
    "ready": "image ready",
    "stale": "image stale",
    "missing": "needs image",
    "no recipe": "no recipe",
    "unreadable": "cannot be read",
}


@click.command("project-launch", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", metavar="[NAME]", required=False, shell_complete=completers.projects)
@click.option("--background", is_flag=True, help="Let the container run, and come back.")
@click.option("--open", "opens", is_flag=True, help="Open a shell in the container.")
@click.option(
    "--rebuild/--no-rebuild",
    default=None,
    help="Build the image whatever its state, or take the one that is there.",
)
@click.option(
    "--recreate/--no-recreate",
    default=None,
    help="Put a new container in the place of one of an earlier build, or do not.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Where Jupyter is reached in a new container; otherwise a free one is chosen.",
)
@beginning.base_options
@click.option("--yes", "-y", is_flag=True, help="Ask nothing, and take the defaults.")
@options.as_json
@options.quiet
def launch(name: str | None, **rest: Any) -> None:
    """Launch the project NAME: its image, if that is missing or stale, and its container.

    Without NAME, shows the projects of ~/workspace and asks; one of the answers is a new one. What
    an image is, is decided by hashes of its recipe and lock. Prints the container's name.

    \b
    project-launch
    project-launch thesis --background
    """  # noqa: D301
    from ds01build.cli import telling, wiring
    from ds01build.cli.output import print_json

    _check(name, rest)
    asker = creation.asker(is_silent=rest["yes"])
    chosen = _chosen(name, rest, asker)
    if chosen is None:
        return
    tag, did_build = _image(chosen, rest, asker)
    if not tag:
        tell(f"Later: {beginning.launching(chosen.directory)}", rest)
        return
    launched = _contained(chosen, tag, rest, asker)
    is_open = _opens(rest, asker)
    if rest["as_json"]:
        print_json(_answer(chosen, tag, launched, did_build=did_build))
    else:
        click.echo(launched.container)
    if is_open:
        entering.enter_by_name(launched.container, wiring.host(telling.tell))


@click.command("list", context_settings={"help_option_names": ["-h", "--help"]})
@options.as_json
def projects(as_json: bool) -> None:
    """List the projects of ~/workspace, and how their images stand to their recipes."""
    from ds01build.cli.output import print_json, print_lines, table

    found = _launchables()
    if as_json:
        answer = [each.answer() for each in found]
        print_json({"schema": "ds01.projects/1", "projects": answer})
    elif not found:
        click.echo("there are no projects yet\nhint:  project-init", err=True)
    else:
        rows = [[each.name, each.kind or "-", each.image or "-", _state(each)] for each in found]
        print_lines(table(["NAME", "TYPE", "IMAGE", "STATE"], rows).splitlines())


def _check(name: str | None, rest: dict[str, Any]) -> None:
    """Raise UsageError for options that do not go together, or lack where nobody is asked.

    Raises Ds01Error for a port that can be none.
    """
    from ds01build.workflow import ports

    if rest["background"] and rest["opens"]:
        raise click.UsageError("--background and --open contradict each other")
    if rest["port"]:
        ports.require_usable(rest["port"])
    if terminal.is_there() and not rest["yes"]:
        return
    why = "with --yes" if rest["yes"] else "without a terminal"
    if name is None and rest["directory"] is None:
        raise click.UsageError(f"nothing is asked {why}: give NAME")
    if not (rest["background"] or rest["opens"]):
        raise click.UsageError(f"nothing is asked {why}: give --background or --open")


def _launchables() -> tuple[Launchable, ...]:
    from ds01build.cli import wiring
    from ds01build.workflow import launching

    return launching.launchables(Path.home() / "workspace", wiring.open_store())


def _state(one: Launchable) -> str:
    return f"{_STATES[one.state]}: {one.reason}" if one.reason else _STATES[one.state]


def _chosen(name: str | None, rest: dict[str, Any], asker: Asker) -> Launchable | None:
    """Return the project that is meant, with a recipe; None where none is to be begun.

    Raises Ds01Error, UsageError.
    """
    from ds01build.cli import wiring
    from ds01build.project import Outline
    from ds01build.workflow import launching

    directory = _directory(name, rest) if name or rest["directory"] else _picked(asker)
    if directory is None:
        return _begun(Outline(), rest, asker)
    found = launching.launchable(directory, wiring.open_store())
    if found.state != "no recipe":
        _refuse_base(found, rest)
        return found
    question = f"{short(directory, Path.home())} has no recipe. Begin a project there?"
    if not asker.confirm(question, default=True):
        return None
    return _begun(Outline(name=_named(directory.name)), {**rest, "directory": directory}, asker)


def _refuse_base(found: Launchable, rest: dict[str, Any]) -> None:
    """Raise UsageError for a base where the recipe that is there says what the image stands on."""
    given = [flag for flag in ("framework", "base", "debian", "arch") if rest[flag]]
    if given:
        raise click.UsageError(
            f"--{given[0]} is for a new project: {found.recipe} says what the image stands on"
            f" (ds01 rebase and image-update change that)"
        )


def _directory(name: str | None, rest: dict[str, Any]) -> Path:
    if rest["directory"]:
        given: Path = rest["directory"].absolute()
        return given
    from ds01build.workflow import creating

    if not name or "/" in name or name in (".", ".."):
        raise click.UsageError(f"{name!r:.100} is no project's name; --dir names a directory")
    here = Path.home() / "workspace" / name
    return here if here.exists() else creating.project_of(_named(name), Path.home())


def _named(name: str) -> str:
    from ds01build.wizard.answers import image_name

    return beginning.read("NAME", image_name, name)


def _picked(asker: Asker) -> Path | None:
    """Return the directory of the project that a person chooses, None for a new one."""
    from ds01build.asking import Option

    found = _launchables()
    asker.explain("project-launch.menu")
    menu = [
        Option(
            value=str(each.directory),
            title=f"{each.name} ({', '.join(filter(None, (each.kind, _state(each))))})",
        )
        for each in found
        if each.state != "unreadable"
    ]
    menu.append(Option(value=_NEW, title="New project"))
    chosen = asker.choose("Which project?", menu, menu[0].value)
    return None if chosen == _NEW else Path(chosen)


def _begun(outline: Any, rest: dict[str, Any], asker: Asker) -> Launchable:
    """Begin a project as project-init does, and return it."""
    from ds01build.cli import wiring
    from ds01build.workflow import launching

    draft = beginning.drafted(beginning.outlined(outline, rest, asker), rest)
    beginning.show(beginning.begun(draft), rest)
    return launching.launchable(draft.directory, wiring.open_store())


def _image(chosen: Launchable, rest: dict[str, Any], asker: Asker) -> tuple[str, bool]:
    """Return the tag of the project's image, and whether it is built now; no tag where none is.

    One that is ready is loaded where the engine lacks it. Raises what building raises.
    """
    import os

    from ds01build.engine.names import moving_tag

    asker.explain("project-launch.image")
    tag = moving_tag(os.geteuid(), chosen.image)
    if chosen.state != "ready" and not rest["rebuild"]:
        tell(f"{chosen.name}: {_state(chosen)}", rest)
        if rest["rebuild"] is False and chosen.state == "missing":
            raise Ds01Error(
                f"{chosen.name} has no image, and --no-rebuild builds none",
                hint=f"{beginning.launching(chosen.directory)} --rebuild",
            )
        if rest["rebuild"] is False or not asker.confirm("Build image now?", default=True):
            return ("", False) if chosen.state == "missing" else (tag, False)
    return _built(chosen, tag, rest), chosen.state != "ready" or bool(rest["rebuild"])


def _built(chosen: Launchable, tag: str, rest: dict[str, Any]) -> str:
    from ds01build.cli import wiring
    from ds01build.cli.progress import progress
    from ds01build.workflow import launching
    from ds01build.workflow.building import build

    choices = options.plain_choices({"load": True, "no_load": False})
    with progress(quiet=rest["quiet"]) as report:
        edges, host = wiring.edges(report, choices), wiring.host(report)
        edges.engine()
        # Before minutes are spent on an image that no container of this project can be made of.
        launching.there(launching.wish_of(chosen, tag, host), host)
        return build(chosen.recipe, edges, choices).tag


def _contained(chosen: Launchable, tag: str, rest: dict[str, Any], asker: Asker) -> Launched:
    from ds01build.cli import wiring
    from ds01build.cli.progress import progress
    from ds01build.workflow import launching, ports

    asker.explain("project-launch.container")
    with progress(quiet=rest["quiet"]) as report:
        host = wiring.host(report)
    wish = launching.wish_of(chosen, tag, host)
    if launching.there(wish, host) is None:
        port = ports.port_for(rest["port"], host.engine())
        wish = launching.wish_of(chosen, tag, host, port)
    launched = launching.launch(wish, host, lambda row: _replaces(row, host, rest, asker))
    if launched.is_old:
        again = f"container-upgrade {wish.name}"
        tell(f"{launched.container} is still of an earlier build: {again}", rest)
    return launched


def _replaces(row: Row, host: Host, rest: dict[str, Any], asker: Asker) -> bool:
    """Say whether a container is to make room for one of the image as it is now."""
    from ds01build.cli import making
    from ds01build.workflow.byhand import by_hand

    if rest["recreate"] is False:
        return False
    state = ", and runs" if row.is_running else ""
    tell(f"{row.name} is of an earlier build of the image{state}.", rest)
    making.tell_by_hand(by_hand(row, host))
    if rest["recreate"]:
        return True
    asker.explain("project-launch.replace")
    question = "Put a new container in its place? Your workspace stays."
    return asker.confirm(question, default=not row.is_running)


def _opens(rest: dict[str, Any], asker: Asker) -> bool:
    """Say whether a shell is wanted."""
    from ds01build.asking import Option

    if rest["background"] or rest["opens"]:
        return bool(rest["opens"])
    menu = [
        Option(value="open", title="Open a shell in it"),
        Option(value="background", title="Let it run in the background"),
    ]
    return asker.choose("The container runs", menu, "open") == "open"


def _answer(
    chosen: Launchable, tag: str, launched: Launched, *, did_build: bool
) -> dict[str, object]:
    """Return the object that ``--json`` prints; the project is as it was before."""
    return {
        "schema": "ds01.launched/1",
        "project": chosen.answer(),
        "image": {"reference": tag, "built": did_build},
        "container": {
            "name": launched.container,
            "did": launched.did,
            "old_build": launched.is_old,
        },
    }
