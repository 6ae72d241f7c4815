"""The phases of image-create: each asks for what no flag has answered, and shows what is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

from ds01build.asking import Option
from ds01build.base import show
from ds01build.catalogue import bundle
from ds01build.errors import Ds01Error
from ds01build.grammar import image_reference
from ds01build.recipe import DebianBase, FrameworkBase, ImageBase
from ds01build.wizard import screens
from ds01build.wizard.answers import Answers, Picked, image_name, release, requirements, tools
from ds01build.wizard.base_packages import BasePackages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.asking import Asker
    from ds01build.base.facts import BaseFacts
    from ds01build.recipe import Base

__all__ = [
    "MORE",
    "MORE_TOOLS",
    "SUITE",
    "Choice",
    "Offer",
    "Pick",
    "World",
    "ask",
    "bare",
    "explained",
    "fill",
    "offered",
    "pick_bundles",
    "usual_tools",
]

SUITE = "bookworm"
_TOOLS = "system"  # the bundle
_NOTHING = Picked()
MORE = "Additional Python packages? (separated by spaces, or Enter to skip)"
MORE_TOOLS = "System packages (apt)? (or Enter to skip)"
_GUIDED, _TYPED = "guided", "typed"  # in the place of a file
_PATH = "Path of the file"

Choice = Literal["yes", "no", "custom"]
Pick = Callable[[Answers, "Asker", BasePackages], Answers]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A framework on this machine: ``title`` is a line of the menu."""

    name: str
    title: str
    base: FrameworkBase


class Seen(Protocol):
    """A base that was looked into. ``architecture`` is the catalogue's, empty for other images."""

    @property
    def reference(self) -> str: ...
    @property
    def architecture(self) -> str: ...
    @property
    def facts(self) -> BaseFacts: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the questions are about: frameworks, what is in a base, files that ask for packages.

    ``files`` are by the text that names each, ``preset`` the one of the image's own project.
    ``take`` reads one of them, or one whose path is typed, as Answers.requirements of the image of
    a name has it. ``claim`` raises Ds01Error for a name that is not to be had.
    """

    offers: Sequence[Offer]
    look: Callable[[ImageBase | FrameworkBase], Seen]
    files: Sequence[str]
    take: Callable[[str, str], str | tuple[str, ...]]
    preset: str = ""
    claim: Callable[[str], object] = lambda _: None


def ask(answers: Answers, asker: Asker, world: World, pick: Pick | None = None) -> Answers:
    """Return ``answers`` with what a person says to the rest, phase by phase.

    ``pick`` asks for bundles in another way than one after the other.
    """
    answers = _named(answers, asker)
    world.claim(answers.name or "")
    answers, contents = _looked_into(answers, asker, world)
    if isinstance(answers.base, ImageBase):
        asker.say("An image of your own has its packages: only extras are asked for.")
        answers = bare(answers)
    if pick is None:
        answers = _sourced(answers, asker, world)
    answers = (pick or pick_bundles)(answers, asker, contents)
    return _added(answers, asker, contents)


def fill(answers: Answers) -> Answers:
    """Return answers with the defaults of what nobody was asked for; the base has to be there."""
    if isinstance(answers.base, ImageBase) or answers.requirements:
        answers = bare(answers)
    return replace(
        answers,
        jupyter=Picked(bundle="jupyter") if answers.jupyter is None else answers.jupyter,
        data_science=(
            Picked(bundle="data-science") if answers.data_science is None else answers.data_science
        ),
        use_cases=(Picked(bundle="ml"),) if answers.use_cases is None else answers.use_cases,
        packages=answers.packages or (),
        system=(
            Picked(bundle=usual_tools(answers.base)) if answers.system is None else answers.system
        ),
    )


def bare(answers: Answers) -> Answers:
    """Return answers that take no bundle where nobody asked for one: an image has its own."""
    return replace(
        answers,
        jupyter=_NOTHING if answers.jupyter is None else answers.jupyter,
        data_science=_NOTHING if answers.data_science is None else answers.data_science,
        use_cases=() if answers.use_cases is None else answers.use_cases,
    )


def explained(error: Ds01Error) -> str:
    """Return an error as the answer to a question is refused."""
    return "\n".join(filter(None, (f"error: {error}", error.hint)))


def _named(answers: Answers, asker: Asker) -> Answers:
    if answers.name is not None:
        return answers
    asker.explain("image-create.name")
    typed = [""]

    def read(text: str) -> str:
        typed[0] = text
        return image_name(text)

    name = asker.text("Name of the image", read)
    if name != typed[0]:
        asker.say(f"It is going to be called {name}.")
    return replace(answers, name=name)


def _looked_into(answers: Answers, asker: Asker, world: World) -> tuple[Answers, BasePackages]:
    """Ask for a base, again where it cannot be had, and return what is in it."""
    typed = ""
    while True:
        based = _based(answers, asker, world, typed)
        assert based.base is not None, "asked for just now"
        try:
            return based, _shown(based.base, asker, world)
        except Ds01Error as error:
            if answers.base is not None or not asker.can_correct(explained(error)):
                raise
        typed = based.base.reference if isinstance(based.base, ImageBase) else ""


def _based(answers: Answers, asker: Asker, world: World, typed: str) -> Answers:
    if answers.base is not None:
        return answers
    asker.explain("image-create.framework")
    options = [
        *(Option(value=offer.name, title=offer.title) for offer in world.offers),
        Option(value="custom", title="Custom - Specify an image (e.g. ubuntu:22.04, python:3.11)"),
        Option(value="scratch", title="Custom - Build from scratch (Debian, no base image)"),
    ]
    preset = "custom" if typed else options[0].value
    chosen = asker.choose("Select base framework", options, preset)
    return replace(answers, base=_base(chosen, asker, world, typed))


def _base(chosen: str, asker: Asker, world: World, typed: str) -> Base:
    if chosen == "custom":
        reference = asker.text("Image", image_reference, typed=typed)
        return ImageBase(reference=reference)
    if chosen == "scratch":
        return DebianBase(suite=asker.text("Debian release", release, SUITE))
    return next(offer.base for offer in world.offers if offer.name == chosen)


def _shown(base: Base, asker: Asker, world: World) -> BasePackages:
    """Show what is in a base before anything is asked, and return its Python packages."""
    asker.explain("image-create.base")
    if isinstance(base, DebianBase):
        asker.say(f"From scratch: Debian {base.suite} with its Python and pip, and nothing else.")
        return BasePackages()
    seen = world.look(base)
    asker.say(show.screen(seen.facts, seen.reference, architecture=seen.architecture))
    if asker.confirm("View full package list?", default=False):
        asker.say(show.every_package(seen.facts))
    return BasePackages(show.installed(seen.facts))


def _sourced(answers: Answers, asker: Asker, world: World) -> Answers:
    """Ask where Python packages come from, again where a file is none that can be taken."""
    if answers.requirements is not None or _is_picked(answers):
        return answers
    asker.explain("image-create.source")
    preset, typed = world.preset or _GUIDED, ""
    while True:
        chosen = _source(asker, world, preset)
        if chosen == _GUIDED:
            return replace(answers, requirements="")
        file = typed = asker.text(_PATH, _path, typed=typed) if chosen == _TYPED else chosen
        try:
            return bare(replace(answers, requirements=world.take(file, answers.name or "")))
        except Ds01Error as error:
            if not asker.can_correct(explained(error)):
                raise
        preset = chosen


def _source(asker: Asker, world: World, preset: str) -> str:
    options = [
        *(Option(value=file, title=file) for file in world.files),
        Option(value=_TYPED, title="A requirements.txt or pyproject.toml, by its path"),
        Option(value=_GUIDED, title="Choose packages step by step"),
    ]
    return asker.choose("Where do the Python packages come from?", options, preset)


def _path(text: str) -> str:
    if not text:
        raise ValueError("the path of a file")
    return text


def _is_picked(answers: Answers) -> bool:
    return None not in (answers.jupyter, answers.data_science, answers.use_cases)


def pick_bundles(answers: Answers, asker: Asker, contents: BasePackages) -> Answers:
    """Ask for one bundle after the other, unless that is answered."""
    if answers.jupyter is None:
        answers = replace(answers, jupyter=_asked("jupyter", asker, contents))
    if answers.data_science is None:
        answers = replace(answers, data_science=_asked("data-science", asker, contents))
    if answers.use_cases is None:
        answers = replace(answers, use_cases=_use_case(asker, contents))
    return answers


def _asked(name: str, asker: Asker, contents: BasePackages) -> Picked:
    asker.explain(f"image-create.{name}")
    return offered(name, asker, contents)


def offered(name: str, asker: Asker, contents: BasePackages, default: Choice = "yes") -> Picked:
    """Say what a bundle is for, and ask whether a tier gets it, nothing, or packages by name.

    Nobody is asked where the base has all of it.
    """
    screen, packages = screens.screen(name), bundle(name).packages
    there, lacking = contents.there(packages), contents.lacking(packages)
    lines = [screen.question, "", screen.intro, *(f"  • {line}" for line in screen.lines), ""]
    if there:
        lines.append(f"In the base already: {', '.join(there)}")
    if not lacking:
        asker.say("\n".join([*lines, "The base has them all."]))
        return Picked(bundle=name)
    asker.say("\n".join([*lines, f"Default packages: {' '.join(lacking)}"]))
    options = [
        Option(value="yes", title=screen.yes),
        Option(value="no", title=screen.no),
        Option(value="custom", title="Custom - Specify packages manually"),
    ]
    chosen = asker.choose("Choice", options, default)
    if chosen == "custom":
        return Picked(packages=_packages(asker, contents))
    return Picked(bundle=name) if chosen == "yes" else _NOTHING


def _use_case(asker: Asker, contents: BasePackages) -> tuple[Picked, ...]:
    asker.explain("image-create.use-case")
    options = [
        Option(
            value=name,
            title=case.title,
            detail=(" ".join(contents.lacking(bundle(name).packages)), f"→ {case.use}"),
        )
        for name, case in screens.use_cases().items()
    ]
    options.append(
        Option(value="custom", title="None/Custom", detail=("Skip or specify packages",))
    )
    chosen = asker.choose(screens.question("use-case"), options, options[0].value)
    if chosen != "custom":
        return (Picked(bundle=chosen),)
    packages = _packages(asker, contents)
    return (Picked(packages=packages),) if packages else ()


def _packages(asker: Asker, contents: BasePackages) -> tuple[str, ...]:
    question = "Packages (separated by spaces, or Enter for none)"
    return _told(asker.text(question, requirements), asker, contents)


def _told(packages: tuple[str, ...], asker: Asker, contents: BasePackages) -> tuple[str, ...]:
    """Return packages; what the base has of them is told, and is not installed again."""
    there = contents.there(packages)
    if there:
        asker.say(f"In the base already: {', '.join(there)}")
    return packages


def _added(answers: Answers, asker: Asker, contents: BasePackages) -> Answers:
    if answers.packages is None:
        asker.explain("image-create.packages")
        asker.say("Examples: wandb tensorboard pytorch-lightning optuna")
        packages = _told(asker.text(MORE, requirements), asker, contents)
        answers = replace(answers, packages=packages)
    if answers.system is None:
        asker.explain("image-create.system")
        asker.say("Examples: tmux git-lfs ffmpeg")
        usual = usual_tools(answers.base)
        if usual:
            asker.say(
                f"These come with them, unless you say no: {' '.join(bundle(usual).packages)}"
            )
        picked = asker.text(MORE_TOOLS, lambda text: tools(text, usual))
        answers = replace(answers, system=picked)
    return answers


def usual_tools(base: Base | None) -> str:
    """Return the bundle of the tools that most want; over an image of one's own there is none."""
    return "" if isinstance(base, ImageBase) else _TOOLS
