"""Environments of conda become recipes as far as names are known; the rest is listed by line."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st
from test_importing import HOSTILE, copied, files, told

from ds01build.errors import Ds01Error
from ds01build.importing import Draft, merged, recipe_of, recipe_text
from ds01build.importing.bases import DEFAULT
from ds01build.importing.conda import read_environment
from ds01build.importing.documents import MAX_NODES, Scalar, Sequence, Table, read_document
from ds01build.recipe import ImageSettings, parse


def read(text: str, **others: str) -> Draft:
    named = {name.replace("_", "."): content for name, content in others.items()}
    return read_environment("environment.yml", files({"environment.yml": text, **named}))


def of(*dependencies: str) -> Draft:
    lines = "".join(f"  - {each}\n" for each in dependencies)
    return read(f"dependencies:\n{lines}")


ENVIRONMENT = """\
name: Thesis
channels:
  - conda-forge
dependencies:
  - python=3.10
  - numpy=1.26
  - conda-forge::pytorch>=2.0,<3
  - scipy=1.11.4=py310hd5efca6_0
  - git
  - cudatoolkit=11.8
  - pip
  - pip:
      - wandb>=0.16  # a comment
      - -r more.txt
      - -e .
variables:
  HF_HOME: /workspace/hf
prefix: /home/somebody/miniconda3
"""


def test_variables_that_are_secrets_or_paths_of_the_environment_are_listed_by_name() -> None:
    names = ("DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "PATH", "CONDA_PREFIX", "URL")
    values = ("hunter2", "hunter2", "/x", "/x", "https://u:hunter2@host/x")
    lines = "".join(f"  {name}: {value}\n" for name, value in zip(names, values, strict=True))
    draft = read(f"dependencies: []\nvariables:\n  A: b\n{lines}")
    assert draft.image.env == (("A", "b"),)
    assert [(note.outcome, note.text) for note in draft.notes] == [("dropped", n) for n in names]
    assert "hunter2" not in str(draft)


def test_an_environment_is_carried_over_as_far_as_it_can_be() -> None:
    draft = read(ENVIRONMENT, more_txt="rich\n")
    assert draft.name == "Thesis"
    assert {each.tier: each.packages for each in draft.slices} == {
        "system": ("git",),
        "environment": (
            "numpy==1.26.*",
            "torch<3,>=2.0",
            "scipy==1.11.4",
            "wandb>=0.16",
            "rich",
        ),
    }
    assert draft.image.env == (("HF_HOME", "/workspace/hf"),)
    assert [(note.outcome, note.line, note.text) for note in draft.notes] == [
        ("dropped", 3, "channel conda-forge"),
        ("dropped", 5, "python=3.10"),
        ("changed", 7, "conda-forge::pytorch>=2.0,<3"),
        ("changed", 8, "scipy=1.11.4=py310hd5efca6_0"),
        ("dropped", 10, "cudatoolkit=11.8"),
        ("done", 11, "pip"),
        ("dropped", 15, "-e ."),
        ("done", 18, "prefix"),
    ]
    assert draft.notes[1].reason == (
        "the base decides on its Python: --base python:3.10-slim has this one"
    )


@pytest.mark.parametrize(
    ("conda", "python"),
    [
        ("numpy", "numpy"),
        ("numpy=1.2", "numpy==1.2.*"),
        ("numpy =1.2", "numpy==1.2.*"),
        ("numpy==1.2", "numpy==1.2"),
        ("numpy 1.2", "numpy==1.2"),
        ("numpy 1.2.*", "numpy==1.2.*"),
        ("numpy=1.2*", "numpy==1.2.*"),
        ("numpy=1.2=py39_0", "numpy==1.2"),
        ("numpy >=1.2, <2", "numpy<2,>=1.2"),
        ("numpy!=1.3", "numpy!=1.3"),
        ("numpy=1.10", "numpy==1.10.*"),
        ("defaults::numpy=*", "numpy"),
        ("Jupyter_Client", "jupyter-client"),
    ],
)
def test_versions_of_conda_are_those_of_python(conda: str, python: str) -> None:
    assert copied(of(conda)) == (python,)


@pytest.mark.parametrize(
    "conda",
    [
        "numpy=1.2|1.3",
        "numpy[version='>=1']",
        "openssl=1.1.1w",
        "libgcc-ng",
        "_libgcc_mutex=0.1=main",
        "some-name-that-anybody-may-have-registered",
        "numpy=not_a_version",
    ],
)
def test_what_is_not_known_to_be_the_same_is_listed(conda: str) -> None:
    draft = of(f'"{conda}"')
    assert copied(draft) == ()
    assert [(note.outcome, note.line, note.text) for note in draft.notes] == [("dropped", 2, conda)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &x [1]\nb: *x\n", "line 1: anchors and aliases are not read"),
        ("a: !!python/object/apply:os.system [x]\n", "line 1: tags are not read"),
        ("a: 1\na: 2\n", "line 2: 'a' is there twice"),
        ("a: 1\n---\nb: 2\n", "line 2: a second document"),
        ("[" * 40, "line 1: nested too deeply"),
        ("a: [\n", "line 2: not YAML: expected the node content, but found '<stream end>'"),
        ("? [a]\n: b\n", "line 1: a key that is no string"),
        ("", "empty"),
        ("a: \x00\n", "not YAML: it has characters that YAML does not allow"),
        ("- x\n" * (MAX_NODES + 1), f"more than {MAX_NODES} values"),
    ],
)
def test_a_document_that_does_more_than_say_strings_is_refused(text: str, problem: str) -> None:
    with pytest.raises(Ds01Error) as caught:
        read(text)
    assert problem in str(caught.value)


def test_a_document_is_strings_with_their_lines() -> None:
    found = read_document("a: 1.10\nb:\n  - yes\n  - 'x: y'\n")
    assert found == Table(
        (
            (Scalar("a", 1), Scalar("1.10", 1)),
            (Scalar("b", 2), Sequence((Scalar("yes", 3), Scalar("x: y", 4)), 3)),
        ),
        1,
    )


@given(st.lists(HOSTILE, max_size=5), HOSTILE, HOSTILE)
def test_no_environment_makes_more_than_it_may_of_a_recipe(
    lines: list[str], name: str, value: str
) -> None:
    listed = "".join(f"  - {line}\n" for line in lines)
    text = (
        f"name: {name}\nvariables:\n  A: {value}\ndependencies:\n{listed}  - pip:\n    - {name}\n"
    )
    try:
        draft = read(text)
        made = parse(recipe_text(recipe_of(merged([draft]), "name", DEFAULT)), source="test")
    except Ds01Error:
        return
    assert {tier.name for tier in made.tiers} <= {"system", "environment"}
    assert made.base == DEFAULT
    assert {key for key, _ in made.image.env} <= {"A"}
    assert made.image.user == ImageSettings().user


def test_every_name_in_the_table_is_there_once() -> None:
    path = Path(read_environment.__globals__["__file__"]).with_name("conda.toml")
    table = tomli.loads(path.read_text(encoding="utf-8"))
    names = [name for part in table.values() for name in part]
    assert len(names) == len(set(names)) > 300


@pytest.mark.parametrize(
    ("conda", "tier", "package"),
    [
        ("redis-py=5.0", "environment", "redis==5.0.*"),
        ("redis-server", "system", "redis-server"),
        ("dask>=2024.1", "environment", "dask[complete]>=2024.1"),
        ("dask-core", "environment", "dask"),
        ("psycopg2", "environment", "psycopg2-binary"),
        ("python-igraph", "environment", "igraph"),
        ("typing_extensions", "environment", "typing-extensions"),
        ("lazy_loader", "environment", "lazy-loader"),
        ("gxx_linux-64", "system", "g++"),
    ],
)
def test_a_package_that_has_another_name_elsewhere_has_that_name_and_it_is_told(
    conda: str, tier: str, package: str
) -> None:
    draft = of(conda)
    assert {each.tier: each.packages for each in draft.slices} == {tier: (package,)}
    told = [note.outcome for note in draft.notes]
    assert told == ([] if conda == package else ["changed"])


def test_a_name_that_is_a_server_for_some_and_its_client_for_others_is_listed() -> None:
    assert [note.outcome for note in of("redis").notes] == ["dropped"]


def test_a_file_that_is_no_environment_is_refused() -> None:
    with pytest.raises(Ds01Error, match=r"^environment\.yml is not a conda environment"):
        read("- a\n")
    assert told(read("services: {}\n"))[0][:2] == ("dropped", "environment.yml:1")


def test_what_an_included_file_loses_is_told_with_its_text() -> None:
    text = "name: e\ndependencies:\n  - pip:\n    - -r more.txt\n"
    draft = read(text, more_txt=f"rich==13 --hash=sha256:{'a' * 64}\nbroken!!\n")
    assert [(note.place, note.outcome, note.text) for note in draft.notes] == [
        ("environment.yml:4", "changed", "hashes of 1 package"),
        ("more.txt:2", "dropped", "broken!!"),
    ]
