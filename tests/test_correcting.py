"""Answers that turn out not to go: what is asked for again, and what gives them in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from test_wizard import Person, answers

from ds01build.cli import answering
from ds01build.cli.create import create
from ds01build.recipe import DebianBase
from ds01build.wizard import Answers, Picked, checklist, compose, phases, screens
from ds01build.wizard.correcting import advice, blamed, command, corrected

PROJECT = Path("/home/u/workspace/demo")
SAID = Answers(
    name="demo",
    base=DebianBase(suite="bookworm"),
    jupyter=Picked(packages=("jupiter",)),
    data_science=Picked(packages=("panda",)),
    use_cases=(Picked(packages=("my-case>=1",)),),
    packages=("six", "weights"),
    system=Picked(bundle="system", packages=("g++", "tree=1.0")),
)


def flagged(line: list[str]) -> Answers:
    context = create.make_context(line[0], line[1:])
    name = context.params.pop("name")
    return phases.fill(answering.given(name, context.params))


@settings(max_examples=30)
@given(answers)
def test_the_command_of_answers_gives_their_recipe(said: Answers) -> None:
    packages = (said.system or Picked()).packages
    picked = Picked(bundle="jupyter") if said.jupyter else Picked()
    cases = tuple(
        each for name in screens.use_cases() for each in said.use_cases or () if each.bundle == name
    )
    usual = phases.usual_tools(said.base)
    system = Picked(bundle=usual, packages=packages) if said.system else Picked()
    said = replace(said, jupyter=picked, use_cases=cases, system=system)
    assert compose(flagged(command(said, PROJECT))) == compose(phases.fill(said))


def test_the_command_of_bundles_gives_their_recipe() -> None:
    base = replace(SAID, jupyter=None, data_science=None, use_cases=None)
    for names in ((), ("essential",), ("cv", "nlp")):
        said = checklist.selected(base, names)
        assert compose(flagged(command(said, PROJECT))) == compose(said)


def test_files_and_packages_of_a_use_case_are_in_the_command() -> None:
    line = command(replace(SAID, requirements="requirements.txt"), PROJECT)
    assert line[line.index("-r") + 1] == "/home/u/workspace/demo/requirements.txt"
    assert line[line.index("-p") + 1] == "my-case>=1 six weights"


@pytest.mark.parametrize(
    ("complaint", "asked"),
    [
        ("no package 'g++'", ["System packages"]),
        ("Debian has no package 'tree', did you mean 'tre'?", ["System packages"]),
        ("Because my-case was not found", ["Use case packages"]),
        ("jupiter was not found, nor panda.", ["Jupyter packages", "Data science packages"]),
        ("Because weights>=2 is not there", ["Additional Python packages?"]),
        (
            "something else",
            [
                *("Jupyter packages", "Data science packages", "Use case packages"),
                *("Additional Python packages?", "System packages"),
            ],
        ),
    ],
)
def test_the_lists_that_a_complaint_names_are_asked_for_again(
    complaint: str, asked: list[str]
) -> None:
    person = Person([None] * len(asked))
    assert corrected(SAID, person, complaint) == SAID, "Enter takes what was typed"
    assert [question.partition(" (")[0] for question in person.asked] == asked


def test_a_file_that_asks_for_packages_is_not_mistyped() -> None:
    said = replace(SAID, requirements="requirements.txt")
    assert blamed(said, "nosuch was not found") == ()
    assert blamed(said, "six was not found") == ("packages",)
    assert blamed(replace(said, requirements=""), "nosuch was not found") != ()


@pytest.mark.parametrize(
    ("packages", "complaint", "advised"),
    [
        (
            ("tqdm==4.0", "six"),
            "the base holds tqdm 4.67.1; tier additional asks for tqdm==4.0: Because ...",
            "leave tqdm==4.0 out of --packages, or ask for tqdm",
        ),
        (("six[x]>1",), "no six", "leave six[x]>1 out of --packages, or ask for six[x]"),
        (("six",), "no six", "leave six out of --packages, or give its right name"),
        (
            ("six", "more"),
            "something else",
            "leave six more out of --packages, or give their right names",
        ),
    ],
)
def test_advice_names_the_flag_and_what_of_it_is_wrong(
    packages: tuple[str, ...], complaint: str, advised: str
) -> None:
    base = DebianBase(suite="bookworm")
    said = phases.fill(Answers(name="demo", base=base, packages=packages))
    assert advice(said, complaint) == advised


def test_advice_on_a_file_is_to_change_it() -> None:
    base = DebianBase(suite="bookworm")
    said = phases.fill(Answers(name="demo", base=base, requirements="requirements.txt"))
    assert advice(said, "no six") == "change what --requirements names"
    assert advice(replace(said, requirements=""), "no six") == ""
