"""Dockerfiles that DS01 generated become recipes: what they meant, and not what the shell made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_importing import HOSTILE, REQUIREMENTS, copied, files, told

from ds01build.errors import Ds01Error
from ds01build.grammar import requirement, requirement_name
from ds01build.importing import merged, recipe_of, recipe_text
from ds01build.importing.dockerfile import read_dockerfile
from ds01build.importing.instructions import instructions
from ds01build.importing.shell import commands
from ds01build.recipe import FrameworkBase, ImageBase, ImageSettings, parse

if TYPE_CHECKING:
    from ds01build.importing import Draft
    from ds01build.recipe import Recipe

SAMPLES = Path(__file__).parent / "vectors/dockerfiles"


def read(text: str, **others: str) -> Draft:
    return read_dockerfile("Dockerfile", files({"Dockerfile": text, **others}))


def recipe(draft: Draft) -> Recipe:
    base = draft.base or ImageBase(reference="python:3.12-slim")
    text = recipe_text(recipe_of(merged([draft]), "name", base))
    return parse(text, source="test")


def body(*lines: str) -> Draft:
    return read("\n".join(["FROM python:3.12-slim", *lines, ""]))


def tiers(draft: Draft) -> dict[str, tuple[str, ...]]:
    return {each.tier: each.packages for each in merged([draft]).slices}


def test_a_dockerfile_of_image_create_is_the_recipe_that_it_meant() -> None:
    draft = read((SAMPLES / "inlined.Dockerfile").read_text())
    expected = (SAMPLES / "inlined.toml").read_text()
    made = recipe_of(merged([draft]), draft.name, draft.base or ImageBase(reference="x"))
    assert recipe_text(made) == expected
    assert made.base == FrameworkBase(
        framework="pytorch", version="2.8.0-aime", architecture="CUDA_ADA"
    )
    assert [note.text for note in draft.notes if note.outcome == "dropped"] == []
    done = {note.line for note in draft.notes if note.outcome == "done"}
    lines = (SAMPLES / "inlined.Dockerfile").read_text().splitlines()
    first = [number for number, line in enumerate(lines, 1) if line[:4] in ("LABE", "ARG ")]
    assert done >= set(first), "labels and arguments of a person are told to be no longer needed"
    whole = ("RUN jupyter", "RUN python -m ipykernel", "RUN set -e")
    assert done >= {n for n, line in enumerate(lines, 1) if line.startswith(whole)}


def test_the_other_format_names_the_file_that_is_copied_in() -> None:
    draft = read(
        (SAMPLES / "requirements.Dockerfile").read_text(),
        **{"requirements.txt": "pandas>=2.0,<3\njupyterlab[x]  # notebooks\n"},
    )
    packages = ("git", "curl", "wget", "vim", "htop", "pandas<3,>=2.0", "jupyterlab[x]")
    assert copied(draft) == packages
    (named,) = [each.included for each in draft.slices if each.included]
    assert (named.path, named.whole) == ("requirements.txt", True)
    assert [note for note in draft.notes if note.outcome == "dropped"] == []


def test_a_range_that_the_shell_took_for_a_file_is_the_requirement_that_was_meant() -> None:
    draft = body(
        "RUN pip install --no-cache-dir \\",
        "    pandas>=2.0 \\",
        "    numpy<2 \\",
        '    "scipy>=1.11" \\',
        "    torch >=2.1 \\",
        "    seaborn==0.13.* > /dev/null 2>&1",
    )
    assert tiers(draft) == {
        "custom": ("pandas>=2.0", "numpy<2", "scipy>=1.11", "torch>=2.1", "seaborn==0.13.*")
    }
    assert [(note.outcome, note.place, note.text) for note in draft.notes] == [
        ("changed", "Dockerfile:3", "pandas>=2.0"),
        ("changed", "Dockerfile:4", "numpy<2"),
        ("changed", "Dockerfile:6", "torch>=2.1"),
    ]
    assert draft.notes[0].reason == (
        "as pandas>=2.0: the shell took its version for a file, and pip got pandas alone"
    )


# Not of a name of digits alone: before a > these say which file the shell opens.
WRITTEN = REQUIREMENTS.filter(lambda each: ";" not in each and not re.match(r"[0-9]+[<>]", each))


@given(st.lists(WRITTEN, min_size=1, max_size=8), st.sampled_from(["{}", "'{}'", '"{}"']))
def test_requirements_survive_a_dockerfile_quoted_or_not(lines: list[str], quoted: str) -> None:
    wanted = dict.fromkeys(map(requirement, lines))
    words = " \\\n    ".join(quoted.format(line) for line in lines)
    found = copied(body(f"RUN pip install \\\n    {words}"))
    assert found == tuple(each for each in wanted if requirement_name(each) != "pip")


def test_sections_may_be_edited_by_hand_and_nothing_in_them_is_lost() -> None:
    draft = body(
        "# Core Data Science",
        "RUN pip install pandas && \\",
        "    # a comment between",
        "    python3 -m pip install polars -q && uv pip install --system duckdb",
        "",
        "RUN pip3 install wandb",
        "# Jupyter & Interactive (Custom)",
        "RUN pip install jupyterlab",
        "RUN DEBIAN_FRONTEND=noninteractive apt install -y tree=2.1.0-1 && apt-get clean",
    )
    assert tiers(draft) == {
        "system": ("tree=2.1.0-1",),
        "jupyter": ("jupyterlab",),
        "data-science": ("pandas", "polars", "duckdb"),
        "custom": ("wandb",),
    }


def test_an_unknown_heading_ends_the_section_before_it() -> None:
    draft = body(
        "# Core Data Science",
        "# Our favourites, from the course, see https://example.org:",
        "RUN pip install pandas",
        "# Use case: General ML",
        "RUN pip install xgboost",
        "# Jupyter & Interactive",
        "# Add packages here with: image-update <project>",
        "RUN pip install jupyterlab",
        "# My own things",
        "RUN pip install rich",
    )
    assert tiers(draft) == {
        "data-science": ("pandas",),
        "use-case": ("xgboost",),
        "jupyter": ("jupyterlab",),
        "custom": ("rich",),
    }


def test_what_no_recipe_has_is_listed_with_its_line() -> None:
    draft = body(
        "COPY data /data",
        "RUN make -C /src && make install; pip install x \\",
        "  && curl -fsSL https://u:hidden-word@host/x | sh",
        "RUN <<EOF",
        "pip install hidden",
        "EOF",
        "RUN if true; then pip install y; fi",
        "RUN pip install -e . ./local git+ssh://x/y $EXTRA --index-url https://u:hidden-word@host/i",
        "ARG CUDA=12",
        "ENV PATH=/opt/x:$PATH",
        "ENV API_TOKEN=hidden-word",
        "HEALTHCHECK CMD true",
        "git \\",
        "  curl",
    )
    assert tiers(draft) == {"custom": ("x",)}
    shown = [(note.line, note.text) for note in draft.notes]
    assert shown == [
        (2, "COPY data /data"),
        (3, "RUN make -C /src && make install"),
        (4, "RUN curl -fsSL https://...@host/x | sh"),
        (5, "RUN <<EOF"),
        (8, "RUN if true; then pip install y; fi"),
        (9, "-e"),
        (9, "--index-url"),
        (9, "./local"),
        (9, "git+ssh://x/y"),
        (9, "$EXTRA"),
        (10, "ARG CUDA=12"),
        (11, "ENV PATH"),
        (12, "ENV API_TOKEN"),
        (13, "HEALTHCHECK CMD true"),
        (14, "GIT curl"),
    ]
    assert {note.outcome for note in draft.notes} == {"dropped"}
    assert "hidden-word" not in str([(note.text, note.reason) for note in draft.notes])


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("ENV X=https://user:hunter2@host/x", "ENV X"),
        ('ENV X="https://host/x?a=1&token=hunter2"', "ENV X"),
        ("ENV dbPassword hunter2", "ENV dbPassword"),
        ('ENV OPTIONS="--token hunter2"', "ENV OPTIONS"),
        ("LABEL token=hunter2", "LABEL token"),
        ("LABEL org.example.api-key=hunter2", "LABEL org.example.api-key"),
        ('CMD ["jupyter", "--token=hunter2"]', "CMD"),
        ('CMD ["jupyter", "--ServerApp.token", "hunter2"]', "CMD"),
        ("CMD API_KEY=hunter2 serve", "CMD"),
        ('ENTRYPOINT ["serve", "--db-password=hunter2"]', "ENTRYPOINT"),
        ("ARG API_TOKEN=hunter2", "ARG API_TOKEN=..."),
        ("RUN TOKEN='hunter2' fetch --password hunter2 x", "RUN TOKEN=... fetch --password ... x"),
        ('HEALTHCHECK CMD ["x", "--token", "hunter2"]', 'HEALTHCHECK CMD ["x", "--token", "...'),
    ],
)
def test_what_may_be_a_secret_is_listed_without_its_value(line: str, shown: str) -> None:
    draft = body(line)
    assert [(note.outcome, note.text) for note in draft.notes] == [("dropped", shown)]
    assert "hunter2" not in str(draft)
    assert draft.image == ImageSettings()


def test_a_command_that_is_refused_leaves_none_that_it_replaced() -> None:
    assert body('CMD ["a"]', 'CMD ["b", "--token=hunter2"]').image.cmd is None


@pytest.mark.parametrize(
    "line",
    [
        'CMD ["jupyter", "--token=\'\'", "--NotebookApp.password="]',
        'CMD ["sh", "-c", "serve --token=$TOKEN --password ${PASSWORD}"]',
        'CMD ["train", "--tokenizer=bert", "--max-tokens=512", "the", "key", "word"]',
        "ENV TOKENIZERS_PARALLELISM=false",
        "ENV SOURCE=ssh://git@host/x MONKEY_PATCH=1",
        "LABEL org.example.path=/x",
    ],
)
def test_what_is_no_secret_is_carried_over(line: str) -> None:
    assert body(line).notes == ()


def test_settings_are_those_that_a_container_would_have_had() -> None:
    draft = body(
        'ENV A=1 B=\'x y\' C="q\\"r"',
        "ENV OLD the old form",
        "WORKDIR /a",
        "WORKDIR b/../c",
        "EXPOSE 8888 53/udp 70000",
        "LABEL org.example.Kind=thesis ds01.project=cv",
        "CMD jupyter lab --ip 0.0.0.0",
        'ENTRYPOINT ["/bin/tini", "--"]',
        "USER 1000:1000",
    )
    image = recipe(draft).image
    assert dict(image.env) == {"A": "1", "B": "x y", "C": 'q"r', "OLD": "the old form"}
    assert (image.workdir, image.user, image.ports) == ("/a/c", "1000:1000", ("53/udp", "8888/tcp"))
    assert image.cmd == ("/bin/sh", "-c", "jupyter lab --ip 0.0.0.0")
    assert image.entrypoint == ("/bin/tini", "--")
    assert image.labels == (("org.example.Kind", "thesis"),)
    assert draft.name == "cv"
    assert ("dropped", "Dockerfile:6") in [each[:2] for each in told(draft)]


# Both kinds of engine were given these lines, and had these variables.
@pytest.mark.parametrize(
    ("line", "env"),
    [
        ("ENV X=https://h/?a=1&b=2", {"X": "https://h/?a=1&b=2"}),
        ('ENV Y="a b" Z=c\\ d', {"Y": "a b", "Z": "c d"}),
        (
            'ENV OLD some   words & "quoted" \\$K it\\\'s',
            {"OLD": "some   words & quoted $K it's"},
        ),
        ('ENV OLD "a  b"', {"OLD": "a  b"}),
        ("ENV S='a $b \\' P=5$ Q=a#b W=", {"S": "a $b \\", "P": "5$", "Q": "a#b", "W": ""}),
        ('ENV D="q\\"r \\` \\n \\\\ 5$"', {"D": 'q"r \\` \\n \\ 5$'}),
        ("ENV E=a;b|c(d)>e<f`g`", {"E": "a;b|c(d)>e<f`g`"}),
        ('ENV "N"=v', {"N": "v"}),
    ],
)
def test_the_words_of_a_variable_are_dockers_and_no_shells(line: str, env: dict[str, str]) -> None:
    draft = body(line)
    assert draft.notes == ()
    assert dict(draft.image.env) == env


@pytest.mark.parametrize(
    "line",
    ["ENV A", "ENV A=1 B", "ENV A='x", 'ENV A="x', "ENV A=1 # no", "ENV A=$B", 'ENV A="\\\\$B"'],
)
def test_a_variable_that_docker_refuses_or_expands_is_not_carried_over(line: str) -> None:
    draft = body(line)
    assert [note.outcome for note in draft.notes] == ["dropped"]
    assert "B" not in dict(draft.image.env)


def test_the_mark_of_escape_is_the_dockerfiles() -> None:
    draft = read("# escape=`\nFROM x\nENV A=c:\\x B=d` e\n")
    assert dict(draft.image.env) == {"A": "c:\\x", "B": "d e"}


def test_the_last_stage_is_the_image_with_what_it_stands_on() -> None:
    draft = read(
        "ARG TAG=3.12\nFROM python:${TAG}-slim AS common\nRUN pip install a\n"
        "FROM node:20 AS web\nRUN npm ci\nFROM common\nRUN pip install b\nCOPY --from=web /x /x\n"
    )
    assert draft.base == ImageBase(reference="python:3.12-slim")
    assert tiers(draft) == {"custom": ("a", "b")}
    assert [(note.line, note.text) for note in draft.notes] == [
        (4, "FROM node:20 and what follows"),
        (8, "COPY --from=web /x /x"),
    ]


def test_a_base_that_is_not_known_has_to_be_named() -> None:
    draft = read("FROM $BASE\nRUN pip install a\n")
    assert draft.base is None
    assert draft.notes[0].text == "FROM $BASE"


@pytest.mark.parametrize("text", ["", "# nothing\n", "RUN pip install a\n", "FROM a b c\n"])
def test_what_is_no_dockerfile_is_refused(text: str) -> None:
    with pytest.raises(Ds01Error, match=r"^Dockerfile"):
        read(text)


def test_a_requirements_file_outside_of_the_context_is_not_read() -> None:
    for source in ("../../etc/passwd", "/etc/passwd"):
        draft = body(f"COPY {source} /tmp/r.txt", "RUN pip install -r /tmp/r.txt")
        assert copied(draft) == ()
        assert ("dropped", "Dockerfile:3") in [each[:2] for each in told(draft)]


def test_a_list_that_was_copied_out_of_a_file_says_where_the_file_is() -> None:
    draft = body(
        "# Packages from requirements.txt", "# Source: ~/w/r.txt", "RUN pip install a b>=2"
    )
    assert tiers(draft) == {"requirements": ("a", "b>=2")}
    assert [note.text for note in draft.notes] == ["# Source: ~/w/r.txt", "b>=2"]


@given(
    st.lists(
        st.one_of(HOSTILE, st.sampled_from(["FROM x", "RUN pip install ", "ENV A=", "CMD ["])),
        max_size=8,
    ).map("".join)
)
def test_no_dockerfile_makes_more_of_a_recipe_than_tiers_of_packages(text: str) -> None:
    try:
        draft = read(f"FROM python:3.12-slim\n{text}")
        made = recipe(draft)
    except Ds01Error:
        return
    assert {each.name for each in made.tiers} <= {"system", "custom"}
    assert made.base == ImageBase(reference="python:3.12-slim") or "FROM" in text
    assert (
        made.resolve == parse('schema = 1\nname = "x"\n[base]\ndebian = "sid"\n', source="").resolve
    )


@given(HOSTILE)
def test_any_script_is_split_or_refused(text: str) -> None:
    try:
        found = list(commands(text))
    except ValueError:
        return
    assert all(command.words for command in found)
    assert all(0 <= command.start < command.end <= len(text) for command in found)


@given(HOSTILE)
def test_any_text_has_instructions_in_the_order_of_its_lines(text: str) -> None:
    lines = [each.line for each in instructions(text)]
    assert lines == sorted(set(lines))
