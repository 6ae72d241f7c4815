"""From answers to a recipe: pure, whoever gave them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01build.asking import Defaults
from ds01build.catalogue import bundles
from ds01build.recipe import (
    DebianBase,
    FrameworkBase,
    ImageBase,
    PythonTier,
    parse,
)
from ds01build.wizard import Answers, Picked, checklist, compose, phases, screens
from ds01build.wizard.answers import debs, image_name, requirements
from ds01build.wizard.base_packages import BasePackages
from ds01build.wizard.phases import Offer, World
from ds01build.wizard.revision import asked
from ds01build.wizard.summary import Summary, sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from ds01build.asking import Option

T = TypeVar("T")

PYTORCH = FrameworkBase(framework="pytorch", version="2.7.1-aime", architecture="CUDA_AMPERE")

names = st.from_regex(r"\A[a-z][a-z0-9]{1,8}(-[a-z0-9]{1,4})?\Z")
packages = st.lists(names, max_size=4, unique=True).map(tuple)
bundled = st.sampled_from([Picked(), *(Picked(bundle=name) for name in ("jupyter", "ml"))])
answers = st.builds(
    Answers,
    name=names,
    base=st.sampled_from(
        [PYTORCH, ImageBase(reference="python:3.11"), DebianBase(suite="bookworm")]
    ),
    jupyter=bundled,
    data_science=st.builds(Picked, packages=packages),
    use_cases=st.lists(
        st.sampled_from([Picked(bundle=name) for name in screens.use_cases()]), unique=True
    ).map(tuple),
    packages=packages,
    system=st.one_of(
        st.just(Picked()), st.builds(Picked, bundle=st.just("system"), packages=packages)
    ),
)


@dataclass
class Person:
    """Answers in order, and remembers what was shown: a fake of Asker."""

    says: list[object]
    shown: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def _next(self, question: str) -> object:
        self.asked.append(question)
        return self.says.pop(0)

    def say(self, text: str) -> None:
        self.shown.append(text)

    def explain(self, topic: str) -> None:
        self.shown.append(topic)

    def choose(self, question: str, options: Sequence[Option], default: str) -> str:
        said = self._next(question)
        self.shown.extend(chain.from_iterable((each.title, *each.detail) for each in options))
        return default if said is None else str(said)

    def check(
        self, question: str, options: Sequence[Option], chosen: Collection[str]
    ) -> tuple[str, ...]:
        said = self._next(question)
        assert isinstance(said, tuple)
        assert {*said, *chosen} <= {each.value for each in options}
        return said

    def text(
        self, question: str, read: Callable[[str], T], default: str = "", *, typed: str = ""
    ) -> T:
        return read(str(self._next(question) or typed or default))

    def confirm(self, question: str, *, default: bool) -> bool:
        said = self._next(question)
        return default if said is None else bool(said)

    def can_correct(self, problem: str) -> bool:
        self.shown.append(problem)
        return True


def world(*files: str) -> World:
    def nowhere(_: object) -> object:
        raise AssertionError("no registry is asked for a root of .debs")

    return World(
        offers=[Offer(name="pytorch", title="PyTorch 2.7.1", base=PYTORCH)],
        look=nowhere,  # type: ignore[arg-type]  # is never called
        files=files,
        take=lambda file, _: (f"from-{file}",),
    )


@given(answers)
def test_every_set_of_answers_is_a_recipe_that_says_just_that(said: Answers) -> None:
    recipe = parse(compose(said), source="r")
    assert (recipe.name, recipe.base) == (said.name, said.base)
    tiers = {tier.name: tier for tier in recipe.tiers}
    found = {tier.bundle for tier in recipe.tiers if isinstance(tier, PythonTier)}
    assert {picked.bundle for picked in said.use_cases or ()} <= found
    assert ("custom" in tiers) == bool(said.packages)
    assert bool(recipe.image.ports) == (said.jupyter == Picked(bundle="jupyter"))


def test_prompts_and_flags_come_to_the_same_answers() -> None:
    person = Person(["My Project", "scratch", None, None, "yes", "yes", "nlp", "wandb", "tmux"])
    prompted = phases.ask(Answers(), person, world())
    flagged = phases.fill(
        Answers(
            name="my-project",
            base=DebianBase(suite="bookworm"),
            use_cases=(Picked(bundle="nlp"),),
            packages=("wandb",),
            system=Picked(bundle="system", packages=("tmux",)),
        )
    )
    assert compose(prompted) == compose(flagged)


def test_defaults_are_what_enter_takes() -> None:
    scratch = DebianBase(suite="bookworm")
    person = Person(["demo", None, None, None, None, "", ""])
    entered = phases.ask(Answers(base=scratch), person, world())
    assert compose(entered) == compose(phases.fill(Answers(name="demo", base=scratch)))


def test_an_image_of_ones_own_is_asked_for_extras_alone() -> None:
    said = phases.fill(Answers(name="demo", base=ImageBase(reference="ubuntu:22.04")))
    assert not any((said.jupyter, said.data_science, said.use_cases, said.system))


def test_a_file_takes_the_place_of_the_bundles() -> None:
    person = Person(["scratch", None, "requirements.txt", "", ""])
    said = phases.ask(Answers(name="demo"), person, world("requirements.txt"))
    assert said.requirements == ("from-requirements.txt",)
    assert not any((said.jupyter, said.data_science, said.use_cases))
    tier = next(t for t in parse(compose(said), source="r").tiers if t.name == "requirements")
    assert isinstance(tier, PythonTier)
    assert tier.packages == ("from-requirements-txt",)


def test_what_the_base_has_is_shown_and_not_offered_again() -> None:
    contents = BasePackages(dict.fromkeys(bundles()["jupyter"].packages, "1.0"))
    person = Person([None, "custom", "jupyter jupyter-lsp"])
    said = phases.pick_bundles(Answers(name="demo"), person, contents)
    shown = "\n".join(person.shown)
    assert "In the base already: jupyter 1.0, jupyterlab 1.0, ipykernel 1.0" in shown
    assert screens.screen("jupyter").yes not in shown
    assert said.jupyter == Picked(bundle="jupyter"), "as who is not asked gets it"
    assert "In the base already: jupyter 1.0" in shown.splitlines()
    assert said.use_cases == (Picked(packages=("jupyter", "jupyter-lsp")),)


def test_a_list_of_bundles_is_the_other_way_to_say_it() -> None:
    person = Person(["demo", "scratch", None, ("essential", "cv", "ml"), "", ""])
    said = phases.ask(Answers(), person, world(), checklist.pick)
    recipe = parse(compose(said), source="r")
    assert [tier.name for tier in recipe.tiers] == ["system", "essential", "ml", "cv"]
    assert recipe.tiers[1] == PythonTier(
        name="essential",
        packages=("jupyter", "matplotlib", "numpy", "pandas", "scikit-learn"),
    )


def test_each_phase_explains_itself() -> None:
    person = Person(["demo", "scratch", None, None, None, None, None, "", ""])
    phases.ask(Answers(), person, world("requirements.txt"))
    topics = [each for each in person.shown if each.startswith("image-create.")]
    assert [topic.removeprefix("image-create.") for topic in topics] == [
        *("name", "framework", "base", "source", "jupyter", "data-science", "use-case"),
        *("packages", "system"),
    ]


def test_screens_speak_of_every_package_of_their_bundle() -> None:
    for name in ("jupyter", "data-science"):
        said = " ".join(screens.screen(name).lines)
        assert all(package in said for package in bundles()[name].packages)
    known = {name for name, each in bundles().items() if each.kind == "python"}
    assert {*screens.use_cases(), "jupyter", "data-science"} == known


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My Project", "my-project"),
        ("  Übung 3 ", "ubung-3"),
        ("Straße", "strasse"),
        ("a..b", "a.b"),
        ("-x_", "x"),
        ("thesis", "thesis"),
    ],
)
def test_a_name_is_made_of_what_is_typed(text: str, name: str) -> None:
    assert image_name(text) == name


def test_who_types_another_name_is_told_what_is_made_of_it() -> None:
    person = Person(["My Project", "scratch", None, None, "no", "no", "custom", "", "", ""])
    phases.ask(Answers(), person, world())
    assert "It is going to be called my-project." in person.shown


def test_a_file_of_another_project_is_offered_and_not_preset() -> None:
    person = Person([None, "no", "no", "custom", "", "", ""])
    said = phases.ask(
        Answers(name="demo", base=DebianBase(suite="bookworm")), person, world("~/other/r.txt")
    )
    assert said.requirements == ""


def test_only_who_serves_notebooks_has_a_port() -> None:
    for packages, ports in ((("six",), ()), (("jupyterlab>=4",), ("8888/tcp",))):
        said = Answers(name="demo", base=PYTORCH, jupyter=Picked(packages=packages))
        assert parse(compose(said), source="r").image.ports == ports


@pytest.mark.parametrize("text", ["", "   ", ".", "日本", "../evil", "thesis:1", "a/b" * 100])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="an image name"):
        image_name(text)


@given(st.text(max_size=60))
def test_no_answer_is_too_strange(text: str) -> None:
    for read in (requirements, debs):
        try:
            found = read(text)
        except ValueError:
            continue
        said = Answers(name="a", base=PYTORCH, packages=found if read is requirements else ())
        tier = [t for t in parse(compose(said), source="r").tiers if t.name == "custom"]
        assert len(tier) == bool(said.packages)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("wandb,tensorboard", ("wandb", "tensorboard")),
        (" wandb , tensorboard, ", ("wandb", "tensorboard")),
        ("pandas>=2,<3,numpy<3 x[b, a],y", ("pandas<3,>=2", "numpy<3", "x[a,b]", "y")),
        ("x ; python_version < '3.9'", ('x; python_version < "3.9"',)),
        ("x @ https://h/a%2Cb.whl#sha256=" + "0" * 64, None),
        (
            "a @ git+https://h/a b[x]@git+https://h/b,c",
            ("a @ git+https://h/a", "b[x] @ git+https://h/b", "c"),
        ),
        (",", ()),
    ],
)
def test_packages_are_separated_by_spaces_or_commas(
    text: str, found: tuple[str, ...] | None
) -> None:
    assert requirements(text) == ((text,) if found is None else found)
    assert debs("git,curl  vim") == ("git", "curl", "vim")


@pytest.mark.parametrize("text", ["a[b,c", "a>=1, <2 b", "a;b", "a,<"])
def test_what_is_no_list_of_packages_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a requirement"):
        requirements(text)


def test_a_package_twice_is_told() -> None:
    with pytest.raises(ValueError, match=r"twice: pandas>=1 and pandas>=2"):
        requirements("pandas>=1 pandas>=2")


def test_the_phases_of_an_update_change_bundles_alone() -> None:
    said = phases.fill(Answers(name="demo", base=PYTORCH))
    recipe = parse(compose(said), source="r")
    changes = asked(recipe, Person(["yes", "no", ("cv",)]), BasePackages())
    assert [(each.tier, each.bundle) for each in changes] == [
        ("data-science", ""),
        ("use-case", ""),
        ("use-case", "cv"),
    ]


def test_the_phases_of_an_update_are_those_of_image_create() -> None:
    said = phases.fill(Answers(name="demo", base=PYTORCH, jupyter=Picked()))
    recipe = parse(compose(said), source="r")
    person = Person(["custom", "jupyterlab>=4", "custom", "pandas", ()])
    changes = asked(recipe, person, BasePackages({"pandas": "2.0"}))
    assert [(each.tier, each.bundle, each.packages) for each in changes[:2]] == [
        ("jupyter", None, ("jupyterlab>=4",)),
        ("data-science", "", ("pandas",)),
    ]
    shown = "\n".join(person.shown)
    assert screens.screen("jupyter").intro in shown
    assert "In the base already: pandas 2.0" in shown


def test_what_a_phase_holds_is_preset() -> None:
    for held in (Picked(), Picked(bundle="jupyter"), Picked(packages=("jupyterlab",))):
        more = ("six",)  # a tier of its own, without a bundle either
        said = phases.fill(
            Answers(name="demo", base=PYTORCH, jupyter=held, data_science=Picked(), packages=more)
        )
        recipe = parse(compose(said), source="r")
        own = [None] if held.packages else []
        assert asked(recipe, Person([None, *own, None, ("ml",)]), BasePackages()) == []


def revised(chosen: tuple[str, ...], *cases: Picked) -> list[tuple[str, str | None]]:
    """Return how the use cases of an image change with those that are chosen."""
    said = phases.fill(Answers(name="demo", base=PYTORCH, use_cases=cases))
    changes = asked(parse(compose(said), source="r"), Person([None, None, chosen]), BasePackages())
    return [(each.tier, each.bundle) for each in changes]


def test_what_is_chosen_again_stays_and_the_rest_has_a_tier_that_nothing_else_has() -> None:
    assert revised(("cv",), Picked(bundle="cv")) == []
    assert revised(("cv", "nlp"), Picked(bundle="cv")) == [("nlp", "nlp")]
    assert revised(("cv", "nlp")) == [("cv", "cv"), ("nlp", "nlp")]
    assert revised(("cv",)) == [("use-case", "cv")]
    assert revised(("cv",), Picked(packages=("six",))) == [("cv", "cv")], "the tier is taken"
    assert revised((), Picked(bundle="cv"), Picked(bundle="nlp")) == [("cv", ""), ("nlp", "")]


def test_nobody_is_asked_where_defaults_are_taken() -> None:
    assert Defaults().text("q", str, "d") == "d"
    with pytest.raises(ValueError, match="there is no default"):
        Defaults().text("Name of the image", image_name)


def test_a_size_says_what_it_is_one_of() -> None:
    sums = Summary(
        packages=1, there=0, locked=1, download=9, base=2_097_152, added=1024, seconds=1.0
    )
    assert sizes(sums) == "2.0 MiB base + about 1.0 KiB, compressed"
    assert sizes(replace(sums, base=0)) == "about 1.0 KiB, compressed"
