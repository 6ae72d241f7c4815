"""``image-create``: asks, or takes from flags, what an image is to hold, and builds it."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import answering, creation, options, phases
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ds01build.asking import Asker
    from ds01build.container import Wish
    from ds01build.lock import LockedImage
    from ds01build.wizard import Answers
    from ds01build.workflow.built import Built
    from ds01build.workflow.creating import Draft
    from ds01build.workflow.rendering import Place

__all__ = ["create"]


@click.command("image-create", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", metavar="[NAME]", required=False)
@creation.answers
@click.option("--dockerfile", type=creation.FILE, metavar="FILE", help="Take over a Dockerfile.")
@click.option("--project-dockerfile", is_flag=True, help="Write the Dockerfile to the project.")
@click.option("--recipe", type=click.Path(dir_okay=False, path_type=Path), metavar="PATH")
@click.option("--no-build", is_flag=True, help="Write recipe, lock and Dockerfile, and stop.")
@click.option(
    "--container/--no-container",
    default=None,
    help="Create a container of it, or not; asked for otherwise, and not created with --yes.",
)
@click.option("--force", is_flag=True, help="Write over a recipe of NAME that is there.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing, and take the defaults; no container.")
@click.option("--dry-run", is_flag=True, help="Only print the recipe.")
@options.loading
@options.as_json
@options.quiet
def create(name: str | None, **rest: Any) -> None:
    """Create the image NAME: its recipe, its lock, its Dockerfile, itself, and a container of it.

    Asks what the image is to hold, unless name, framework and type say it or --yes takes defaults;
    without a terminal nothing is asked, and these have to be there. --yes makes no container unless
    --container says so. The recipe is
    ~/workspace/NAME/recipe.toml, and is what the same answers always give; image-update changes it
    later.

    \b
    image-create
    image-create thesis -f pytorch -t nlp -p "wandb" -s "tmux"
    image-create thesis --bundles essential,cv --yes --no-container
    """  # noqa: D301
    from ds01build.cli.output import print_json

    asker = creation.asker(is_silent=rest["yes"] or rest["dry_run"])
    wish = _taken_over(name, rest, asker) if rest["dockerfile"] else _asked(name, rest, asker)
    recipe = creation.recipe(wish.name, rest)
    if rest["dry_run"]:
        answer = {"name": wish.name, "recipe": str(recipe), "text": wish.text}
        if rest["as_json"]:
            print_json({"schema": "ds01.drafted/1", **answer})
        else:
            click.echo(wish.text, nl=False)
        return
    drafted, place = _written(wish, recipe, rest, asker)
    with _resumable(drafted, rest):
        built = _built(drafted, place, rest, asker)
    container = _contained(drafted, built, rest, asker) if built else ""
    if rest["as_json"]:
        print_json(phases.answer(drafted, place, built, container))
    else:
        click.echo(container or (built.reference(phases.store_root()) if built else recipe))


@dataclass(frozen=True, slots=True)
class _Wish:
    """An image to be: the text of its recipe, the answers it is of, and its base if shown.

    It ``is_asked`` where a person has answered what no flag did.
    """

    name: str
    text: str
    answers: Answers | None = None
    shown: LockedImage | None = None
    is_asked: bool = False


def _taken_over(name: str | None, rest: dict[str, Any], asker: Asker) -> _Wish:
    """Return the recipe that a Dockerfile comes to; what it has no place for is told.

    Raises UsageError without a name, or with answers beside it.
    """
    from ds01build.cli.importing import tell
    from ds01build.workflow.importing import Wishes, import_drafts, read_sources
    from ds01build.workflow.replacing import refuse_replacing

    answering.refuse_answers(rest)
    given = answering.named(name, rest)
    creation.claim(given, rest, asker)
    wishes, file = Wishes(name=given), rest["dockerfile"]
    recipe = creation.recipe(given, rest)
    sources = read_sources([file], recipe.parent, wishes)
    if not rest["dry_run"]:
        refuse_replacing(recipe, sources.files, "--recipe")
    imported = import_drafts(sources.drafts, wishes, [file.name], given)
    tell(imported.notes, rest)
    return _Wish(given, imported.text)


def _asked(name: str | None, rest: dict[str, Any], asker: Asker) -> _Wish:
    """Return the recipe of all answers, after asking for those that are not given."""
    from ds01build.wizard import compose

    shown: list[LockedImage] = []
    given = answering.given(name, rest)
    is_asked = not (creation.is_complete(given, rest) or rest["yes"])
    answers = _answered(given, rest, asker, shown.append)
    assert answers.name is not None, "it was asked for"
    base = shown[-1] if shown else None
    return _Wish(answers.name, compose(answers), answers, base, is_asked)


def _answered(
    given: Answers, rest: dict[str, Any], asker: Asker, tell: Callable[[LockedImage], object]
) -> Answers:
    from ds01build.cli import wiring
    from ds01build.cli.progress import progress
    from ds01build.wizard import checklist
    from ds01build.wizard.phases import ask

    is_complete = creation.is_complete(given, rest)
    with progress(quiet=rest["quiet"]) as report:
        bases = wiring.edges(report, creation.choices(rest)).bases
        given = creation.pinned(given, bases)
        world = None if is_complete else creation.world(given, bases, rest, tell)
    claim = partial(creation.claim, rest=rest, asker=asker)
    if world is None:
        claim(given.name or "")
        return creation.with_defaults(given)
    pick = checklist.pick if rest["bundles"] is not None else None
    return ask(given, asker, replace(world, claim=claim), pick)


def _written(
    wish: _Wish, recipe: Path, rest: dict[str, Any], asker: Asker
) -> tuple[Draft, Place | None]:
    """Lock, write the files, and show what they come to."""
    from ds01build.cli import wiring
    from ds01build.cli.progress import progress
    from ds01build.workflow import creating

    asker.explain("image-create.dockerfile")
    drafted = _drafted(wish, recipe, rest, asker)
    with progress(quiet=rest["quiet"]) as report:
        edges = wiring.edges(report, creation.choices(rest))
        place = phases.place(drafted, in_project=rest["project_dockerfile"])
        creating.write(drafted, place, edges)
    if place is None and rest["project_dockerfile"]:
        phases.tell("--project-dockerfile: an image from scratch has no Dockerfile.", rest)
    asker.explain("image-create.summary")
    phases.tell(phases.first_phase(drafted, place), rest)
    return drafted, place


def _drafted(wish: _Wish, recipe: Path, rest: dict[str, Any], asker: Asker) -> Draft:
    """Lock; packages that there are not are asked for again. Raises what locking raises."""
    from ds01build.cli import wiring
    from ds01build.cli.progress import progress
    from ds01build.workflow import creating

    try:
        with progress(quiet=rest["quiet"]) as report:
            edges = wiring.edges(report, creation.choices(rest))
            return creating.draft(wish.text, recipe, edges, wish.shown)
    except Ds01Error as error:
        if wish.answers is None:
            raise
        again = _corrected(wish, wish.answers, error, asker)
    return _drafted(again, recipe, rest, asker)


def _corrected(wish: _Wish, answers: Answers, error: Ds01Error, asker: Asker) -> _Wish:
    """Ask again, or raise the error with what to give in another way.

    What a person has answered is in a command, so that it is not to be said again.
    """
    from ds01build.errors import ResolveError
    from ds01build.wizard import compose, correcting
    from ds01build.wizard.phases import explained

    is_unsolved = isinstance(error, ResolveError)
    is_mistyped = is_unsolved and correcting.blamed(answers, str(error))
    if not is_mistyped or not asker.can_correct(explained(error)):
        raise replace(error, hint=_hint(wish, answers, error, is_unsolved=is_unsolved))
    answers = correcting.corrected(answers, asker, str(error))
    return replace(wish, answers=answers, text=compose(answers), is_asked=True)


def _hint(wish: _Wish, answers: Answers, error: Ds01Error, *, is_unsolved: bool) -> str:
    from ds01build.wizard import correcting
    from ds01build.workflow import creating

    ways = [correcting.advice(answers, str(error))] if is_unsolved else []
    if " under [" in error.hint:  # in a recipe, which nobody has yet
        ways.append(f"{error.hint} of the recipe, which --dry-run prints")
    else:
        ways.append(error.hint)
    if wish.is_asked:
        line = correcting.command(answers, creating.project_of(wish.name, Path.home()))
        ways.append(shlex.join(line))
    return "; or, ".join(filter(None, ways))


@contextmanager
def _resumable(drafted: Draft, rest: dict[str, Any]) -> Iterator[None]:
    """Say how to go on with what is written, where its build ends before its end."""
    try:
        yield
    except (Ds01Error, click.Abort, KeyboardInterrupt):
        recipe = shlex.quote(str(drafted.locked.request.path))
        phases.tell(f"\nTo go on: ds01 build {recipe}", rest)
        raise


def _built(drafted: Draft, place: Place | None, rest: dict[str, Any], asker: Asker) -> Built | None:
    from ds01build.cli import wiring
    from ds01build.cli.progress import progress
    from ds01build.workflow.building import build

    recipe = drafted.locked.request.path
    if rest["no_build"]:
        phases.tell(phases.by_hand(recipe, place, drafted.locked.lock.name), rest)
        return None
    asker.explain("image-create.build")
    phases.tell(phases.second_phase(drafted), rest)
    if not asker.confirm("Build image now?", default=True):
        phases.tell(f"Later: ds01 build {shlex.quote(str(recipe))}", rest)
        return None
    chosen = creation.choices(rest)
    with progress(quiet=rest["quiet"]) as report:
        return build(recipe, wiring.edges(report, chosen), chosen)


def _contained(drafted: Draft, built: Built, rest: dict[str, Any], asker: Asker) -> str:
    """Create and start a container where that is wanted, and return its name.

    One that is there already is offered to be put on the new build.
    """
    from ds01build.cli import making, wiring
    from ds01build.cli.progress import progress
    from ds01build.workflow import containers, deploying

    if not built.tag or rest["container"] is False:
        return ""
    with progress(quiet=rest["quiet"]) as report:
        host = wiring.host(report)
    project = drafted.locked.request.path.parent
    named = containers.wish_for(built.name, built.tag, host)
    wanted = replace(named, workspace=str(project.resolve()), interface="orchestration")
    if rest["container"] is None:
        if rest["yes"] or not _is_wanted(wanted, rest, asker):
            phases.tell(f"Later: container-create {wanted.name} {built.name}", rest)
            return ""
        old = deploying.there(wanted.name, host)
        if old is not None:
            return making.renewed(old, built.tag, host, asker)
    made = deploying.deploy(wanted, host)
    phases.tell(f"Enter it: container-run {wanted.name}", rest)
    return made.name


def _is_wanted(wanted: Wish, rest: dict[str, Any], asker: Asker) -> bool:
    asker.explain("image-create.container")
    phases.tell(phases.third_phase(wanted), rest)
    return asker.confirm("Create container now?", default=True)
