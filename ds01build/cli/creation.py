"""What image-create can be asked for, and the world that its questions are about."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ds01build.cli import completers, guidance, terminal
from ds01build.cli.phases import short

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.asking import Asker
    from ds01build.lock import LockedImage
    from ds01build.recipe import FrameworkBase, ImageBase
    from ds01build.wizard import Answers
    from ds01build.wizard.phases import World
    from ds01build.workflow.bases import ImageBases
    from ds01build.workflow.looking import Seen
    from ds01build.workflow.steps import Choices

__all__ = [
    "ASK",
    "BASE",
    "FILE",
    "answers",
    "asker",
    "choices",
    "claim",
    "is_complete",
    "pinned",
    "recipe",
    "with_defaults",
    "world",
]

F = TypeVar("F", bound="Callable[..., Any]")

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
ASK = "ask"  # --bundles without a list

BASE = (
    click.option("--base", metavar="REF", help="The image of a custom base."),
    click.option("--debian", metavar="RELEASE", help="Debian's release, for a base from scratch."),
    click.option("--arch", metavar="ARCH", help="What processor the framework is for."),
)
_OPTIONS = (
    click.option(
        "--framework",
        "-f",
        metavar="NAME",
        shell_complete=completers.frameworks,
        help="pytorch, tensorflow, jax, pytorch-cpu or NAME:VERSION; custom or scratch.",
    ),
    *BASE,
    click.option(
        "--type",
        "-t",
        "types",
        multiple=True,
        metavar="CASE",
        help="Use case: ml, cv, nlp, rl, audio, ts, llm or custom; may be repeated.",
    ),
    click.option("--jupyter", metavar="yes|no|PKGS", help="Jupyter's defaults, none, or others."),
    click.option("--data-science", metavar="yes|no|PKGS", help="The same for data science."),
    click.option("--packages", "-p", multiple=True, metavar="PKGS", help="More Python packages."),
    click.option(
        "--system",
        "-s",
        multiple=True,
        metavar="no|PKGS",
        help="More Debian packages; no: not even the usual tools.",
    ),
    click.option(
        "--requirements",
        "-r",
        type=FILE,
        metavar="FILE",
        help="Take Python packages from a requirements.txt or pyproject.toml.",
    ),
    click.option(
        "--bundles",
        is_flag=False,
        flag_value=ASK,
        metavar="[LIST]",
        help="Choose bundles on one list: essential, and use cases, with commas.",
    ),
)


def answers(function: F) -> F:
    """Add an option for each answer."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def asker(*, is_silent: bool) -> Asker:
    """Return who asks: nobody where nothing is to be asked."""
    from ds01build.asking import Defaults

    if is_silent or not terminal.is_there():
        return Defaults()
    return terminal.Terminal(guidance.explainer(click.get_current_context()))


def choices(rest: dict[str, Any]) -> Choices:
    """Return what is decided about locking and loading: a container needs an engine."""
    from ds01build.cli import options

    if rest["container"] and (rest["no_build"] or rest["no_load"]):
        flag = "--no-build" if rest["no_build"] else "--no-load"
        raise click.UsageError(f"--container and {flag} contradict each other")
    load = rest["load"] or bool(rest["container"])
    return options.plain_choices({**rest, "load": load, "offline": False})


def is_complete(given: Answers, rest: dict[str, Any]) -> bool:
    """Say whether nobody is to be asked for what the image holds. Raises UsageError.

    Name, framework and type are enough; so is a name where the defaults are taken.
    """
    has_contents = given.use_cases is not None or given.requirements
    if given.name and given.base and (has_contents or rest["yes"]) and rest["bundles"] != ASK:
        return True
    if rest["yes"] and given.name:
        return False  # the default framework is this machine's
    if rest["yes"] or rest["dry_run"] or not terminal.is_there():
        flags = {"NAME": given.name, "--framework": given.base, "--type": has_contents}
        lacking = ", ".join(flag for flag, value in flags.items() if not value)
        why = next((f"with --{n.replace('_', '-')}" for n in ("yes", "dry_run") if rest[n]), "")
        raise click.UsageError(
            f"nothing is asked {why or 'without a terminal'}: give {lacking or '--bundles LIST'}"
        )
    return False


def with_defaults(given: Answers) -> Answers:
    """Return answers with the defaults of what nobody was asked for."""
    from ds01build.wizard import phases

    return phases.fill(given)


def pinned(given: Answers, bases: ImageBases) -> Answers:
    """Return answers that mean the same image tomorrow, if they name a base."""
    from dataclasses import replace

    from ds01build.errors import Ds01Error
    from ds01build.workflow import creating

    try:
        return replace(given, base=creating.pinned(given.base, bases)) if given.base else given
    except Ds01Error as error:
        raise click.UsageError(f"--framework: {error}") from error


def world(
    given: Answers, bases: ImageBases, rest: dict[str, Any], tell: Callable[[LockedImage], object]
) -> World:
    """Return what the questions are about on this machine; each base that is shown is told.

    Whether a base is fetched is seen between two questions, so its bars end before the next one.
    """
    from ds01build.cli import wiring
    from ds01build.cli.progress import progress
    from ds01build.wizard.phases import World
    from ds01build.workflow import creating
    from ds01build.workflow.looking import seen

    home = Path.home()
    project = creating.project_of(given.name or "", home)
    files = {short(path, home): path for path in creating.package_files(project, home)}
    own = (text for text, path in files.items() if given.name and path.parent == project)

    def look(base: ImageBase | FrameworkBase) -> Seen:
        with progress(quiet=rest["quiet"]) as report:
            found = seen(wiring.edges(report, choices(rest)).bases, base)
        tell(found.image)
        return found

    return World(
        offers=creating.offers(bases),
        look=look,
        files=tuple(files),
        take=lambda text, name: creating.take(
            files.get(text) or Path(text).expanduser(), creating.project_of(name, home)
        ),
        preset=next(own, ""),
    )


def recipe(name: str, rest: dict[str, Any]) -> Path:
    """Return where the recipe is written."""
    from ds01build.workflow import creating

    given: Path | None = rest["recipe"]
    return given or creating.recipe_of(creating.project_of(name, Path.home()))


def claim(name: str, rest: dict[str, Any], asker: Asker) -> None:
    """Let nobody lose a recipe that is there, before anything else is asked. Raises Ds01Error."""
    from ds01build.errors import Ds01Error
    from ds01build.workflow import creating

    if rest["dry_run"]:
        return
    path = recipe(name, rest)
    read = [file for file in (rest["dockerfile"], rest["requirements"]) if file]
    if not creating.is_taken(path, name, read) or rest["force"]:
        return
    if asker.confirm(f"{short(path, Path.home())} exists. Overwrite?", default=False):
        return
    called = shlex.quote(str(rest["recipe"])) if rest["recipe"] else name
    raise Ds01Error(
        f"{path} exists, and nothing is changed",
        hint=f"image-update {called} changes it; --force writes a new recipe over this one",
    )
