"""Requirements, projects and locks of others become recipes; what they cannot be is listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01build.catalogue import bundles
from ds01build.errors import Ds01Error, UsageError
from ds01build.grammar import requirement
from ds01build.importing import Draft, Slice, merged, recipe_of, recipe_text
from ds01build.importing.bases import DEFAULT, base_named, base_of_image
from ds01build.importing.draft import name_from, noted
from ds01build.importing.pylock import read_pylock
from ds01build.importing.requirements import read_project, read_requirements
from ds01build.recipe import FrameworkBase, ImageBase, ImageSettings, PythonTier, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ds01build.recipe import Recipe

NAMES = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
VERSIONS = st.from_regex(r"(?:[0-9]{1,3}\.){0,3}[0-9]{1,4}(?:rc[0-9])?", fullmatch=True)
RANGES = st.lists(
    st.builds("{}{}".format, st.sampled_from(["==", ">=", "<=", "<", ">", "!="]), VERSIONS),
    max_size=3,
).map(",".join)
EXTRAS = st.lists(NAMES, max_size=2).map(lambda each: f"[{','.join(each)}]" if each else "")
MARKERS = st.sampled_from(
    ["", ' ; python_version < "3.12"', " ; sys_platform == 'linux' and extra == 'a'"]
)
REQUIREMENTS = st.builds("{}{}{}{}".format, NAMES, EXTRAS, RANGES, MARKERS)
# Text with all that means something in TOML, in shells, in YAML and in Dockerfiles.
HOSTILE = st.text(
    st.sampled_from([*"\"'\\[]{}=#,\n\r\t $`&|;<>-:*!%@ab.", "\x00", "\x1b", "\u202e", "é"]),
    max_size=60,
)


def files(texts: Mapping[str, str]) -> Callable[[str], str]:
    """Return a reader of files that are there, and of no others."""

    def read(path: str) -> str:
        if path not in texts:
            raise Ds01Error(f"{path!r} cannot be read: No such file or directory")
        return texts[path]

    return read


def copied(draft: Draft) -> tuple[str, ...]:
    return tuple(
        package
        for each in draft.slices
        for package in (*each.packages, *(each.included.packages if each.included else ()))
    )


def told(draft: Draft) -> list[tuple[str, str, str]]:
    return [(note.outcome, note.place, note.reason) for note in draft.notes]


def written(*slices: Slice, image: ImageSettings | None = None) -> Recipe:
    draft = Draft(slices=slices, image=image or ImageSettings())
    return parse(recipe_text(recipe_of(draft, "name", DEFAULT)), source="test")


@given(st.lists(REQUIREMENTS, max_size=20))
def test_requirements_survive_the_way_through_a_file_into_a_recipe(lines: list[str]) -> None:
    draft = read_requirements("r.txt", files({"r.txt": "\n".join(lines)}))
    assert draft.notes == ()
    wanted = tuple(dict.fromkeys(map(requirement, lines)))
    assert copied(draft) == wanted
    recipe = written(Slice(tier="custom", kind="python", packages=wanted))
    packages = [tier.packages for tier in recipe.tiers if isinstance(tier, PythonTier)]
    assert packages == ([wanted] if wanted else [])


@given(HOSTILE)
def test_a_requirements_file_is_read_or_refused_and_never_a_key_of_a_recipe(text: str) -> None:
    try:
        draft = read_requirements("r.txt", files({"r.txt": text}))
    except Ds01Error:
        return
    recipe = written(Slice(tier="custom", kind="python", packages=copied(draft)))
    assert recipe.image == ImageSettings()
    assert {tier.name for tier in recipe.tiers} <= {"custom"}


@given(st.dictionaries(st.from_regex(r"[A-Z_]{1,9}", fullmatch=True), HOSTILE, max_size=4), HOSTILE)
def test_what_an_image_says_is_written_as_strings_or_refused(
    env: dict[str, str], word: str
) -> None:
    image = ImageSettings(env=tuple(sorted(env.items())), cmd=(word,))
    try:
        recipe = written(image=image)
    except Ds01Error:
        return
    assert recipe.image == image
    assert recipe.tiers == ()


def test_lines_that_no_recipe_has_are_listed_and_the_others_kept() -> None:
    text = "pandas>=2.0  # a comment\n-e .\n--index-url https://u:secret@host/x\nnumpy[a] \\\n <3\n"
    draft = read_requirements("requirements.txt", files({"requirements.txt": text}))
    assert copied(draft) == ("pandas>=2.0", "numpy[a]<3")
    editable = "editable installs are not part of an image: name a package"
    index = "the option '--index-url' does not belong here: set index-url or extra-index-urls in"
    assert told(draft) == [
        ("dropped", "requirements.txt:2", editable),
        ("dropped", "requirements.txt:3", f"{index} [resolve]"),
    ]
    assert "secret" not in str(draft)


def test_includes_are_read_from_beneath_and_bounds_are_kept_where_they_bind() -> None:
    texts = {
        "requirements.txt": "-r more/extra.txt\n-c bounds.txt\n-r ../outside.txt\n",
        "more/extra.txt": "numpy\n-r ../requirements.txt\n",
        "bounds.txt": "numpy<2\nunasked==1\n",
    }
    draft = read_requirements("requirements.txt", files(texts))
    assert copied(draft) == ("numpy", "numpy<2")
    assert [place for _, place, _ in told(draft)] == [
        "more/extra.txt:2",
        "requirements.txt:3",
        "requirements.txt",
    ]


def test_a_file_of_something_else_is_no_list_of_a_hundred_problems() -> None:
    text = "\n".join(f"no requirement {n}" for n in range(101))
    with pytest.raises(Ds01Error, match=r"^r\.txt: 100 lines and more cannot be carried over"):
        read_requirements("r.txt", files({"r.txt": text}))


PROJECT = """\
[build-system]
requires = ["hatchling"]
[project]
name = "Thesis_CV"
requires-python = ">=3.11"
dependencies = ["numpy>=2", "thesis-cv[plot]"]
[project.optional-dependencies]
plot = ["matplotlib"]
web = ["flask"]
[dependency-groups]
dev = ["pytest", {include-group = "lint"}]
lint = ["ruff"]
loop = [{include-group = "loop"}]
[tool.uv.sources]
numpy = {path = "../numpy"}
"""


def test_a_project_gives_its_dependencies_and_the_extras_and_groups_that_are_asked_for() -> None:
    draft = read_project("pyproject.toml", files({"pyproject.toml": PROJECT}), ["plot"], ["dev"])
    assert draft.name == "Thesis_CV"
    assert copied(draft) == ("numpy>=2", "matplotlib", "pytest", "ruff")
    assert [each.included.path for each in draft.slices if each.included] == [
        "pyproject.toml[plot]"
    ]
    assert [(note.outcome, note.text) for note in draft.notes] == [
        ("dropped", "extra web"),
        ("dropped", "group lint"),
        ("dropped", "group loop"),
        ("dropped", "the project itself"),
        ("dropped", "requires-python >=3.11"),
        ("dropped", "tool.uv.sources"),
    ]


def test_extras_may_be_asked_for_in_any_order_and_twice() -> None:
    read = files({"pyproject.toml": PROJECT})
    draft = read_project("pyproject.toml", read, ["web", "plot", "web"], [])
    made = recipe_of(merged([draft]), "name", ImageBase(reference="python:3.12-slim"))
    assert 'requirements = "pyproject.toml[plot,web]"' in recipe_text(made)


def test_extras_of_a_project_without_a_name_are_asked_for_all_the_same() -> None:
    text = PROJECT.replace("Thesis_CV", "Über")
    draft = read_project("pyproject.toml", files({"pyproject.toml": text}), ["plot", "web"], [])
    assert copied(draft) == ("numpy>=2", "thesis-cv[plot]", "matplotlib", "flask")
    problem = "'Über' is not the name of a Python package"
    assert ("dropped", "pyproject.toml", problem) in told(draft)


def test_an_extra_that_a_project_lacks_is_a_slip_and_a_group_in_itself_ends() -> None:
    read = files({"pyproject.toml": PROJECT})
    with pytest.raises(UsageError, match=r"has no extra 'plto'; did you mean 'plot'\?"):
        read_project("pyproject.toml", read, ["plto"], [])
    draft = read_project("pyproject.toml", read, [], ["loop"])
    assert ("dropped", "pyproject.toml", "the group includes itself") in told(draft)


def test_a_lock_of_others_keeps_versions_and_markers_and_says_that_hashes_go() -> None:
    text = """\
lock-version = "1.0"
requires-python = ">=3.11"
[[packages]]
name = "numpy"
version = "2.1.3"
marker = "python_version >= '3.11'"
wheels = [{ name = "numpy-2.1.3.whl", hashes = { sha256 = "aa" } }]
[[packages]]
name = "own"
directory = { path = "." }
[[packages]]
name = "dev"
version = "1"
marker = "'dev' in dependency_groups"
[[packages]]
name = "code"
vcs = { type = "git", url = "https://example.org/code.git", commit-id = "0123456789abcdef" }
"""
    draft = read_pylock("pylock.toml", text)
    assert copied(draft) == (
        'numpy==2.1.3; python_version >= "3.11"',
        "code @ git+https://example.org/code.git@0123456789abcdef",
    )
    assert [(note.outcome, note.text) for note in draft.notes] == [
        ("dropped", "own"),
        ("dropped", "dev 1"),
        ("changed", "hashes of 2 packages"),
        ("dropped", "requires-python >=3.11"),
    ]


def test_a_lock_of_another_version_is_refused() -> None:
    with pytest.raises(Ds01Error, match="not a lock of version 1"):
        read_pylock("pylock.toml", 'lock-version = "2.0"\n')


def test_images_of_the_catalogue_are_its_entries_again() -> None:
    assert base_of_image("aimehub/pytorch-2.8.0-aime-cuda12.6.3") == FrameworkBase(
        framework="pytorch", version="2.8.0-aime", architecture="CUDA_ADA"
    )
    both = base_of_image("aimehub/tensorflow-2.14.0-cuda11.8:latest")
    assert isinstance(both, FrameworkBase)
    assert both.architecture in ("CUDA_ADA", "CUDA_AMPERE")
    assert base_of_image("python:3.12-slim") == ImageBase(reference="python:3.12-slim")
    with pytest.raises(ValueError, match="not an image reference"):
        base_of_image("python:3.12-slim\n[x]")


def test_a_base_is_named_as_for_rebase() -> None:
    assert base_named("PyTorch:2.8.0-aime") == FrameworkBase(
        framework="pytorch", version="2.8.0-aime"
    )
    assert base_named("python:3.12-slim") == ImageBase(reference="python:3.12-slim")
    with pytest.raises(UsageError, match="not an image reference"):
        base_named("-x")


def test_a_list_that_a_bundle_has_is_the_bundle_and_the_rest_stays() -> None:
    plain = (each for each in bundles()["data-science"].packages if each != "pandas")
    asked = (*plain, "pandas>=2.0", "polars")
    (tier,) = written(Slice(tier="data-science", kind="python", packages=asked)).tiers
    assert isinstance(tier, PythonTier)
    assert (tier.bundle, tier.packages) == ("data-science", ("pandas>=2.0", "polars"))
    (other,) = written(Slice(tier="custom", kind="python", packages=asked)).tiers
    assert isinstance(other, PythonTier)
    assert other.bundle == ""


def test_a_bundle_does_not_exclude_what_another_tier_asks_for() -> None:
    cv = Slice(tier="use-case", kind="python", packages=bundles()["cv"].packages)
    other = Slice(tier="custom", kind="python", packages=("opencv-python",))
    tiers = written(cv, other).tiers
    assert [tier.bundle for tier in tiers if isinstance(tier, PythonTier)] == ["", ""]


def test_tiers_of_several_sources_are_united_and_stand_in_the_order_of_recipes() -> None:
    first = Draft(slices=(Slice(tier="custom", kind="python", packages=("a", "b")),))
    second = Draft(
        name="My Project",
        slices=(
            Slice(tier="data-science", kind="python", packages=("c",)),
            Slice(tier="custom", kind="python", packages=("b", "d")),
            Slice(tier="system", kind="apt", packages=("git",)),
        ),
    )
    found = merged([first, second])
    assert [(each.tier, each.packages) for each in found.slices] == [
        ("system", ("git",)),
        ("data-science", ("c",)),
        ("custom", ("a", "b", "d")),
    ]
    assert found.name == "My Project"


@given(st.text(max_size=300))
def test_any_text_gives_the_name_of_an_image_or_none(text: str) -> None:
    name = name_from(text)
    if name:
        text = f'schema = 1\nname = "{name}"\n[base]\ndebian = "bookworm"\n'
        assert parse(text, source="test").name == name


def test_a_name_is_kept_as_far_as_it_can_be() -> None:
    assert name_from("My Thesis (CV) ") == "my-thesis-cv"
    assert name_from("thesis") == "thesis"
    assert name_from("论文") == ""


def test_a_note_shows_one_line_without_credentials() -> None:
    note = noted("dropped", "f", 1, "a\nb https://u:secret@host/x \x1b[31m" + "y" * 400, "why")
    assert "secret" not in note.text
    assert note.text.startswith("a b https://...@host/x ?[31my")
    assert len(note.text) == 200


def test_what_ds01_says_of_a_project_is_listed() -> None:
    text = '[project]\nname = "p"\n[tool.ds01]\ntype = "nlp"\nimage = "x/y"\nauthor = "me"\n'
    notes = read_project("pyproject.toml", lambda _: text, (), ()).notes
    assert [note.text for note in notes] == ["tool.ds01.type nlp", "tool.ds01.image x/y"]


@pytest.mark.parametrize("line", ["-r /abs.txt", "-c ../up.txt", "-r https://h.example/x.txt"])
def test_a_file_that_cannot_be_included_is_named(line: str) -> None:
    (note,) = read_requirements("r.txt", lambda _: f"{line}\n").notes
    assert note.text == line
