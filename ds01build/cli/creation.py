"""What image-create is asked for: flags to answers, and the world that questions are about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ds01build.cli import completers, guidance, terminal
from ds01build.cli.phases import short

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.asking import Asker
    from ds01build.lock import LockedImage
    from ds01build.recipe import Base, FrameworkBase, ImageBase
    from ds01build.wizard import Answers, Picked
    from ds01build.wizard.phases import World
    from ds01build.workflow.bases import ImageBases
    from ds01build.workflow.looking import Seen
    from ds01build.workflow.steps import Choices

__all__ = [
    "FILE",
    "answers",
    "asker",
    "choices",
    "given",
    "is_complete",
    "named",
    "pinned",
    "recipe",
    "refuse_answers",
    "refuse_over",
    "with_defaults",
    "world",
]

T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., Any]")

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_ASK = "ask"  # --bundles without a list
_ANSWERS = (
    *("framework", "base", "debian", "arch", "types", "jupyter", "data_science"),
    *("packages", "system", "requirements", "bundles"),
)

_OPTIONS = (
    click.option(
        "--framework",
        "-f",
        metavar="NAME",
        shell_complete=completers.frameworks,
        help="pytorch, tensorflow, jax, pytorch-cpu or NAME:VERSION; custom or scratch.",
    ),
    click.option("--base", metavar="REF", help="The image of a custom base."),
    click.option("--debian", metavar="RELEASE", help="Debian's release, for a base from scratch."),
    click.option("--arch", metavar="ARCH", help="What processor the framework is for."),
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
    click.option("--system", "-s", multiple=True, metavar="PKGS", help="More Debian packages."),
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
        flag_value=_ASK,
        metavar="[LIST]",
        help="Choose bundles on one list: essential, and use cases, with commas.",
    ),
)


def answers(function: F) -> F:
    """Add an option for each answer."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def asker(rest: dict[str, Any]) -> Asker:
    """Return who asks: nobody where nothing is to be asked."""
    from ds01build.asking import Defaults

    if rest["yes"] or rest["dry_run"] or not terminal.is_there():
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


def given(name: str | None, rest: dict[str, Any]) -> Answers:
    """Return the answers that flags give. Raises UsageError."""
    from ds01build.wizard import Answers, checklist
    from ds01build.wizard.answers import debs, image_name, requirements
    from ds01build.workflow import creating

    named = _read("NAME", image_name, name) if name is not None else None
    found = Answers(
        name=named,
        base=_base(rest),
        jupyter=_picked("jupyter", rest["jupyter"]),
        data_science=_picked("data-science", rest["data_science"]),
        use_cases=_cases(rest["types"]) if rest["types"] else None,
        packages=_all("--packages", requirements, rest["packages"]) if rest["packages"] else None,
        system=_system(rest, _all("--system", debs, rest["system"])) if rest["system"] else None,
    )
    if rest["bundles"] is not None:
        _refuse_picks(rest)
    if rest["bundles"] not in (None, _ASK):
        names = rest["bundles"].replace(",", " ").split()
        found = _read("--bundles", lambda _: checklist.selected(found, names), "")
    if rest["requirements"] is None:
        return found
    from dataclasses import replace

    from ds01build.wizard.phases import bare

    if found.name is None:
        raise click.UsageError("--requirements needs the NAME of the image")
    project = creating.project_of(found.name, Path.home())
    return bare(replace(found, requirements=creating.take(rest["requirements"], project)))


def _refuse_picks(rest: dict[str, Any]) -> None:
    for answer in ("types", "jupyter", "data_science"):
        if rest[answer]:
            raise click.UsageError(f"--bundles takes the place of {_flag(answer)}: give one")


def _flag(answer: str) -> str:
    return "--type" if answer == "types" else f"--{answer.replace('_', '-')}"


def named(name: str | None) -> str:
    """Return the name of an image for which nothing is asked. Raises UsageError."""
    from ds01build.wizard.answers import image_name

    if name is None:
        raise click.UsageError("--dockerfile needs the NAME of the image")
    return _read("NAME", image_name, name)


def refuse_answers(rest: dict[str, Any]) -> None:
    """Raise UsageError for answers beside a Dockerfile, which has them all."""
    for answer in _ANSWERS:
        if rest[answer] not in (None, ()):
            raise click.UsageError(f"{_flag(answer)} has no meaning with --dockerfile")


def _base(rest: dict[str, Any]) -> Base | None:
    from ds01build.catalogue import LATEST
    from ds01build.grammar import image_reference
    from ds01build.recipe import DebianBase, FrameworkBase, ImageBase
    from ds01build.wizard.answers import release
    from ds01build.wizard.phases import SUITE

    framework = (rest["framework"] or "").lower()
    if rest["base"] or framework == "custom":
        _refuse(rest, "custom", "debian", "arch")
        if not rest["base"]:
            raise click.UsageError("--framework custom needs --base REF")
        return ImageBase(reference=_read("--base", image_reference, rest["base"]))
    if rest["debian"] or framework == "scratch":
        _refuse(rest, "scratch", "base", "arch")
        return DebianBase(suite=_read("--debian", release, rest["debian"] or SUITE))
    if not framework:
        if rest["arch"]:
            raise click.UsageError("--arch needs a --framework")
        return None
    name, _, version = framework.partition(":")
    return FrameworkBase(framework=name, version=version or LATEST, architecture=rest["arch"] or "")


def _refuse(rest: dict[str, Any], framework: str, *others: str) -> None:
    for other in others:
        if rest[other]:
            raise click.UsageError(f"--{other} has no meaning with a {framework} base")
    if (rest["framework"] or framework).lower() != framework:
        raise click.UsageError(f"--framework {rest['framework']} is no {framework} base")


def _picked(bundle: str, text: str | None) -> Picked | None:
    from ds01build.wizard import Picked
    from ds01build.wizard.answers import requirements

    if text is None:
        return None
    if text.lower() in ("yes", "no", "none"):
        return Picked(bundle=bundle) if text.lower() == "yes" else Picked()
    return Picked(packages=_read(f"--{bundle}", requirements, text))


def _cases(types: tuple[str, ...]) -> tuple[Picked, ...]:
    from ds01build.fields import did_you_mean
    from ds01build.wizard import Picked, screens

    known = (*screens.use_cases(), "custom")
    for name in types:
        if name not in known:
            near = did_you_mean(name, known)
            raise click.UsageError(f"no use case {name!r}; there are {', '.join(known)}{near}")
    return tuple(Picked(bundle=name) for name in known[:-1] if name in types)


def _system(rest: dict[str, Any], packages: tuple[str, ...]) -> Picked:
    from ds01build.wizard.phases import system

    return system(_base(rest), packages)


def _all(
    flag: str, read: Callable[[str], tuple[str, ...]], texts: tuple[str, ...]
) -> tuple[str, ...]:
    from ds01build.grammar import requirement_name

    found: dict[str, str] = {}
    for each in (each for text in texts for each in _read(flag, read, text)):
        other = found.setdefault(requirement_name(each.partition("=")[0]), each)
        if other != each:
            raise click.UsageError(f"{flag}: asked for twice: {other} and {each}")
    return tuple(found.values())


def _read(flag: str, read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except ValueError as error:
        raise click.UsageError(f"{flag}: {error}") from error


def is_complete(given: Answers, rest: dict[str, Any]) -> bool:
    """Say whether nobody is to be asked for what the image holds. Raises UsageError.

    Name, framework and type are enough; so is a name where the defaults are taken.
    """
    has_contents = given.use_cases is not None or given.requirements
    if given.name and given.base and (has_contents or rest["yes"]) and rest["bundles"] != _ASK:
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


def world(given: Answers, bases: ImageBases, tell: Callable[[LockedImage], object]) -> World:
    """Return what the questions are about on this machine; each base that is shown is told."""
    from ds01build.wizard.phases import World
    from ds01build.workflow import creating
    from ds01build.workflow.looking import seen

    home = Path.home()
    project = creating.project_of(given.name or "", home)
    files = {short(path, home): path for path in creating.package_files(project, home)}
    own = (text for text, path in files.items() if given.name and path.parent == project)

    def look(base: ImageBase | FrameworkBase) -> Seen:
        found = seen(bases, base)
        tell(found.image)
        return found

    return World(
        offers=creating.offers(bases),
        look=look,
        files=tuple(files),
        take=lambda text: creating.take(files[text], project),
        preset=next(own, ""),
    )


def recipe(name: str, rest: dict[str, Any]) -> Path:
    """Return where the recipe is written."""
    from ds01build.workflow import creating

    given: Path | None = rest["recipe"]
    return given or creating.recipe_of(creating.project_of(name, Path.home()))


def refuse_over(name: str, recipe: Path, rest: dict[str, Any], asker: Asker) -> None:
    """Let nobody lose a recipe that is there. Raises Ds01Error."""
    from ds01build.errors import Ds01Error
    from ds01build.workflow import creating

    read = [path for path in (rest["dockerfile"], rest["requirements"]) if path]
    if not creating.is_taken(recipe, name, read) or rest["force"]:
        return
    if asker.confirm(f"{recipe} exists. Overwrite?", default=False):
        return
    raise Ds01Error(
        f"{recipe} exists, and nothing is changed",
        hint="image-update changes an image; --force writes a new recipe over this one",
    )
