from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01build.digest import Digest
from ds01build.errors import RecipeError
from ds01build.recipe import PythonTier
from ds01build.recipe.requirements import Requirements, expand

if TYPE_CHECKING:
    from collections.abc import Mapping

A = "a" * 64
B = "b" * 64


def expanded(files: Mapping[str, str], path: str = "requirements.txt") -> Requirements:
    return expand(PythonTier(name="t", requirements=path), files.__getitem__)


def problems(files: Mapping[str, str], path: str = "requirements.txt") -> list[str]:
    with pytest.raises(RecipeError) as caught:
        expanded(files, path)
    assert caught.value.source == "tiers.t.requirements"
    return [str(issue) for issue in caught.value.issues]


def test_a_tier_without_a_file_reads_nothing() -> None:
    def read(path: str) -> str:
        raise AssertionError(path)

    assert expand(PythonTier(name="t", packages=("x",)), read) == Requirements()


def test_lines_are_requirements_in_normal_form() -> None:
    text = "# c\n\nPandas >=2 # c\r\n  x[B,a]\t~= 1.0\nurllib3#no comment\n".replace("#no", " #no")
    assert expanded({"requirements.txt": text}).packages == ("pandas>=2", "x[a,b]~=1.0", "urllib3")


def test_a_backslash_joins_lines_and_a_comment_ends_them_as_in_pip() -> None:
    text = "pandas \\\n  >=2, \\\n  <3\nnumpy \\\n# c \\\nrich\n"
    assert expanded({"requirements.txt": text}).packages == ("pandas<3,>=2", "numpy", "rich")


def test_includes_are_relative_to_the_file_that_includes() -> None:
    files = {
        "a/requirements.txt": "-r more/x.txt\n--requirement=../b.txt\n",
        "a/more/x.txt": "x\n-ry.txt\n",
        "a/more/y.txt": "y\n",
        "b.txt": "b\n",
    }
    assert expanded(files, "a/requirements.txt").packages == ("x", "y", "b")


def test_constraints_limit_and_ask_for_nothing() -> None:
    files = {"requirements.txt": "x\n-c c.txt\n--constraint d.txt", "c.txt": "y<2\n", "d.txt": "z"}
    assert expanded(files) == Requirements(packages=("x",), constraints=("y<2", "z"))


def test_a_file_may_be_included_twice_but_not_by_itself() -> None:
    files = {"requirements.txt": "-r a.txt\n-r b.txt\n", "a.txt": "-r b.txt", "b.txt": "b\n"}
    assert expanded(files).packages == ("b",)
    files["b.txt"] = "b\n-r ./a.txt\n"
    assert problems(files) == ["b.txt:2: the file includes itself: a.txt -> b.txt -> a.txt"]


def test_doubling_includes_are_read_once_each() -> None:
    files = {f"{n}.txt": f"-r {n + 1}.txt\n" * 50 for n in range(60)} | {"60.txt": "x"}
    assert expanded(files, "0.txt").packages == ("x",)


def test_a_hundred_files_are_enough() -> None:
    files = {f"{n}.txt": f"-r {n + 1}.txt\n" for n in range(200)}
    assert problems(files, "0.txt") == ["99.txt:1: more than 100 files are included"]


def test_digests_of_a_package_are_kept_whichever_line_has_them() -> None:
    text = f"Foo==1 \\\n  --hash=sha256:{B} \\\n  --hash=sha256:{A}\nfoo==1 --hash sha256:{A}\n"
    assert expanded({"requirements.txt": text}) == Requirements(
        packages=("foo==1",), digests={"foo": (Digest(f"sha256:{A}"), Digest(f"sha256:{B}"))}
    )


_ENGINE = "needs a build in an engine, which ds01 does not do yet"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("-e .", "editable installs are not part of an image: name a package"),
        ("--editable=./x", "editable installs are not part of an image: name a package"),
        ("./x", f"a local project or file {_ENGINE}"),
        ("git+ssh://me:secret@a.example/x", "of version control only git+https:// is supported"),
        (
            "x @ https://me:secret@a.example/x",
            (
                "the URL holds credentials: take them out of the recipe and put them into the "
                "environment"
            ),
        ),
        (
            "-i https://me:secret@a.example",
            "the option '-i' does not belong here: set index-url or extra-index-urls in [resolve]",
        ),
        (
            "--extra-index-url=https://me:secret@a.example",
            (
                "the option '--extra-index-url' does not belong here: set index-url or "
                "extra-index-urls in [resolve]"
            ),
        ),
        (
            "--pre",
            "the option '--pre' does not belong here: set prerelease = \"allow\" in [resolve]",
        ),
        (
            "--trusted-host secret",
            "the option '--trusted-host' is not supported; requirements, -r and -c are",
        ),
        (
            "-r https://me:secret@a.example/x",
            "only files beneath the recipe's directory are included",
        ),
        ("-r ../x.txt", "'../x.txt' is not a path beneath the recipe's directory"),
        ("-c /etc/passwd", "'/etc/passwd' is not a path beneath the recipe's directory"),
        ("-r requirements.txt", "the file includes itself: requirements.txt -> requirements.txt"),
        ("x --hash=md5:00", "only sha256 is checked, not 'md5'"),
        ("x --hash=sha256:00", "not a sha256 address: 'sha256:00'"),
        ("x\x00", "contains the character U+0000"),
        ("x\u2028-i y", "contains the character U+2028"),
        ("$(id)", "'$(id)' is not a requirement, such as pandas>=2.2"),
    ],
)
def test_what_is_not_taken_is_named_by_file_and_line(line: str, problem: str) -> None:
    found = problems({"requirements.txt": f"x\n{line}\n"})
    assert found == [f"requirements.txt:2: {problem}"]
    assert "secret" not in found[0]


def test_all_lines_of_all_files_are_told_at_once() -> None:
    files = {"requirements.txt": "-e .\n-r more.txt\n--pre\n", "more.txt": "\n\na b\n"}
    assert [problem.split(" ")[0] for problem in problems(files)] == [
        "requirements.txt:1:",
        "more.txt:3:",
        "requirements.txt:3:",
    ]


def test_a_file_that_ends_in_a_backslash_or_is_too_long_is_refused() -> None:
    assert problems({"requirements.txt": "x \\"}) == [
        "requirements.txt: the last line is continued by a backslash, but nothing follows"
    ]
    assert problems({"requirements.txt": "#" * (1024 * 1024 + 1)}) == [
        "requirements.txt: longer than 1048576 characters"
    ]


def test_what_read_raises_passes_through() -> None:
    with pytest.raises(KeyError, match=r"more\.txt"):
        expanded({"requirements.txt": "-r more.txt"})


PROJECT = """
[project]
name = "My_Project"
dependencies = ["pandas>=2", "Rich"]

[project.optional-dependencies]
Dev = ["pytest", "my-project[gpu]"]
gpu = ["cupy", "my.project[dev]"]
docs = ["sphinx"]
"""


def test_a_project_gives_its_dependencies() -> None:
    assert expanded({"pyproject.toml": PROJECT}, "pyproject.toml").packages == ("pandas>=2", "rich")


def test_extras_of_a_project_may_name_each_other() -> None:
    path = "sub/pyproject.toml"
    found = expanded({path: PROJECT}, f"{path}[dev,docs]")
    assert found.packages == ("pandas>=2", "rich", "pytest", "cupy", "sphinx")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "pyproject.toml: has no [project] table"),
        ("project = 1", "pyproject.toml: has no [project] table"),
        ("=", "pyproject.toml: not TOML: Invalid statement (at line 1, column 1)"),
        (
            '[project]\nname = "x"\n[project.optional-dependencies]\ndve = []',
            (
                "pyproject.toml:project.optional-dependencies: "
                "the project has no extra 'dev'; did you mean 'dve'?"
            ),
        ),
        (
            '[project]\nname = "x"\ndependencies = ["./y"]\noptional-dependencies.dev = []',
            f"pyproject.toml:project.dependencies[0]: a local project or file {_ENGINE}",
        ),
        (
            (
                '[project]\nname = "x"\ndynamic = ["version", "dependencies"]\n'
                "optional-dependencies.dev = []"
            ),
            f"pyproject.toml:project.dynamic: what dependencies holds {_ENGINE}",
        ),
        (
            (
                '[project]\nname = "x"\n[project.optional-dependencies]\na = ["y"]\n'
                "dev = [\"x[a]; python_version < '3'\"]"
            ),
            (
                "pyproject.toml:project.optional-dependencies: "
                "'x[a]; python_version < \"3\"': the project's own extras cannot have a marker"
            ),
        ),
    ],
)
def test_a_project_that_cannot_be_read_is_refused(text: str, problem: str) -> None:
    assert problems({"pyproject.toml": text}, "pyproject.toml[dev]") == [problem]


@given(st.text(), st.sampled_from(["requirements.txt", "pyproject.toml", "pyproject.toml[dev]"]))
def test_any_text_is_requirements_or_an_error_of_recipes(text: str, path: str) -> None:
    def read(asked: str) -> str:
        assert not asked.startswith("/")
        assert ".." not in asked.split("/")
        return text

    try:
        expand(PythonTier(name="t", requirements=path), read)
    except RecipeError as error:
        assert error.issues  # noqa: PT017


@given(
    st.lists(st.sampled_from(["-r ", "-c ", "../", "a", "/", ".", "..", "\\\n", "\n", "#", " "]))
)
def test_no_include_leaves_the_recipes_directory(pieces: list[str]) -> None:
    def read(asked: str) -> str:
        assert not asked.startswith("/")
        assert not {"", ".", ".."}.intersection(asked.split("/"))
        return "".join(pieces)

    try:
        expand(PythonTier(name="t", requirements="d/requirements.txt"), read)
    except RecipeError as error:
        assert error.issues  # noqa: PT017
