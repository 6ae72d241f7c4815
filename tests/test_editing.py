"""Edits of a recipe's text: what is asked for changes, and every other byte stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01build.errors import Ds01Error, RecipeError, UsageError
from ds01build.recipe import FrameworkBase, ImageBase, PythonTier, arrays, located
from ds01build.recipe.choosing import absence, chosen, existing, homes, plain_name
from ds01build.recipe.editing import Kind, Spot, Text, add, careful, checked, read_from, remove
from ds01build.recipe.rebasing import base_of, rebased

HEAD = '# A thesis.\nschema = 1\nname = "demo"   # as the image is called\n\n'
RECIPE = (
    HEAD
    + """\
[base]
debian = "bookworm"  # oldstable

# What everybody needs.
[tiers.system]
kind = "apt"
bundle = "system"
packages = ["tree"]

[tiers.work]
kind = "python"
packages = [
    'numpy',        # arrays
    # frames
    "pandas>=2.0",  # and series
    "Seaborn"       # plots
]   # for work

# Caches.
[image]
workdir = "/workspace"
"""
)
PYTHON, APT = Spot("work", "python"), Spot("system", "apt")


def text(recipe: str) -> Text:
    return Text(recipe, "demo.toml")


def edited(old: str, new: str, recipe: str = RECIPE) -> str:
    assert recipe.count(old) == 1
    return recipe.replace(old, new)


@pytest.mark.parametrize(
    ("spot", "package", "old", "new"),
    [
        (PYTHON, "polars", '"Seaborn"       # plots', '"Seaborn",       # plots\n    "polars"'),
        (PYTHON, "numpy<3", "'numpy'", "'numpy<3'"),
        (PYTHON, "NumPy", "'numpy'", "'numpy'"),
        (PYTHON, "pandas[excel]", '"pandas>=2.0"', '"pandas[excel]"'),
        (PYTHON, "seaborn==0.13", '"Seaborn"', '"seaborn==0.13"'),
        (APT, "git=1:2.3*", '["tree"]', '["tree", "git=1:2.3*"]'),
        (APT, "tree=2.1-1", '["tree"]', '["tree=2.1-1"]'),
    ],
)
def test_a_package_is_added_or_replaced_where_it_stands(
    spot: Spot, package: str, old: str, new: str
) -> None:
    assert add(text(RECIPE), spot, [package]).text == edited(old, new)


@pytest.mark.parametrize(
    ("spot", "name", "old", "new"),
    [
        (PYTHON, "numpy", "    'numpy',        # arrays\n", ""),
        (PYTHON, "pandas", '    "pandas>=2.0",  # and series\n', ""),
        (
            PYTHON,
            "seaborn",
            '"pandas>=2.0",  # and series\n    "Seaborn"       # plots\n',
            '"pandas>=2.0"  # and series\n',
        ),
        (APT, "tree", '["tree"]', "[]"),
    ],
)
def test_a_package_is_removed_with_what_its_line_says(
    spot: Spot, name: str, old: str, new: str
) -> None:
    assert remove(text(RECIPE), spot, [name]).text == edited(old, new)


def test_a_marker_is_written_in_a_form_that_toml_can_read() -> None:
    wanted = "tomli; python_version < '3.11'"
    assert wanted in add(text(RECIPE), PYTHON, [wanted]).text
    other = 'tomli; python_version < "3.11"'
    assert f"'{other}'" in add(text(RECIPE), PYTHON, [other]).text


def test_of_several_entries_of_a_name_one_is_left() -> None:
    recipe = HEAD + (
        '[base]\ndebian = "bookworm"\n[tiers.work]\nkind = "python"\n'
        'packages = ["numpy<2; python_version<\'3.9\'", "six", "numpy; python_version>=\'3.9\'"]'
    )
    assert add(text(recipe), PYTHON, ["numpy==2.1"]).text.endswith('["numpy==2.1", "six"]')


FORMS = {
    "a header": '[tiers.work]\nkind = "python"\npackages = ["a"] # why\n[image]\nuser = "1"\n',
    "braces": '[tiers]\nwork = { kind = "python", packages = ["a"] } # why\n[image]\nuser = "1"\n',
    "dotted keys": '[tiers]\nwork.kind = "python"\nwork.packages = ["a"] # why\n',
    "quoted keys": '[ tiers . "work" ]\n\'kind\'="python"\n"packages" =["a"]# why\n',
    "tables out of order": (
        '[tiers.work]\nkind = "python"\npackages = ["a"]\n[image]\nuser = "1"\n'
        '[tiers.more]\nkind = "python"\npackages = ["a", "b"]\n'
    ),
    "other tables below a tier": (
        '[tiers.data]\nkind = "files"\n[[tiers.data.files]]\nfrom = "a"\nto = "/a"\n\n'
        '[tiers.work]\nkind = "python"\npackages = ["a"]\n'
    ),
    "no last line break": '[tiers.work]\nkind = "python"\npackages = ["a"]',
}


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_tiers_are_edited_in_every_form_that_toml_has(form: str, line_break: str) -> None:
    whole = f'{HEAD}[base]\ndebian = "bookworm"\n{form}'.replace("\n", line_break)
    added = add(text(whole), PYTHON, ["x"])
    assert added.text == whole.replace('["a"]', '["a", "x"]')
    assert remove(added, PYTHON, ["x"]).text == whole
    named = read_from(text(whole), PYTHON, "more.txt")
    (tier,) = (one for one in named.recipe.tiers if one.name == "work")
    assert tier == PythonTier(name="work", packages=("a",), requirements="more.txt")
    assert named.text.replace("\r\n", "").count("\n") in (0, named.text.count("\n"))


def test_a_tier_with_a_bundle_alone_gets_packages_behind_it() -> None:
    recipe = edited('packages = ["tree"]\n', "")
    assert add(text(recipe), APT, ["tree"]).text == RECIPE


def test_a_new_tier_stands_behind_the_others_and_goes_with_its_last_package() -> None:
    spot = Spot("custom", "python", is_new=True)
    added = add(text(RECIPE), spot, ["polars", "rich"])
    block = '[tiers.custom]\nkind = "python"\npackages = ["polars", "rich"]\n\n'
    assert added.text == edited("# Caches.\n", f"{block}# Caches.\n")
    assert remove(added, Spot("custom", "python"), ["polars", "rich"]).text == RECIPE


def test_the_first_tier_stands_behind_the_base() -> None:
    recipe = f'{HEAD}[base]\ndebian = "bookworm"\n'
    for kind, package in (("python", "rich"), ("apt", "tree")):
        spot = Spot("custom", "apt" if kind == "apt" else "python", is_new=True)
        added = add(text(recipe), spot, [package])
        assert added.text == (
            f'{recipe}\n[tiers.custom]\nkind = "{kind}"\npackages = ["{package}"]\n'
        )
        assert remove(added, replace(spot, is_new=False), [package]).text == recipe


@pytest.mark.parametrize(
    "spoken_of",
    ['packages = ["a"] # because\n', 'packages = ["a"]\n# why\n', 'packages = ["a"]\nafter = []\n'],
)
def test_an_empty_tier_stays_where_somebody_wrote_of_it(spoken_of: str) -> None:
    recipe = f'{HEAD}[base]\ndebian = "bookworm"\n[tiers.work]\nkind = "python"\n{spoken_of}'
    left = remove(text(recipe), PYTHON, ["a"])
    assert left.text == recipe.replace('["a"]', "[]")


@pytest.mark.parametrize(
    "emptied",
    [
        'kind = "python"\npackages = [\n    "a",\n    "b",\n]\n',
        'kind = "python"\npackages = [\n    "a",  # why\n    "b"\n]\n',
        'kind = "python"\npackages = [\n    "a",\n\n    "b",  # why\n]\n',
        'kind="python"\npackages=["a", "b"]\n',
        "packages = ['a', 'b']\nkind = 'python'\n",
    ],
)
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_an_empty_tier_goes_however_its_list_is_set(emptied: str, line_break: str) -> None:
    recipe = f'{HEAD}[base]\ndebian = "bookworm"\n'.replace("\n", line_break)
    tier = f"\n[tiers.work]\n{emptied}".replace("\n", line_break)
    for rest in ("", '\n[image]\nuser = "1"\n'.replace("\n", line_break)):
        assert remove(text(recipe + tier + rest), PYTHON, ["a", "b"]).text == recipe + rest


def test_an_empty_tier_stays_where_a_comment_is_left_in_its_list() -> None:
    recipe = f'{HEAD}[base]\ndebian = "bookworm"\n[tiers.work]\nkind = "python"\n'
    written = 'packages = [\n    # why\n    "a",\n]\n'
    left = remove(text(recipe + written), PYTHON, ["a"])
    assert left.text == recipe + "packages = [\n    # why\n]\n"


def test_an_empty_tier_stays_where_another_needs_it_by_name() -> None:
    recipe = (
        f'{HEAD}[base]\ndebian = "bookworm"\n[tiers.work]\nkind = "python"\npackages = ["a"]\n\n'
        '[tiers.models]\nkind = "run"\ncommands = ["true"]\n'
    )
    assert "tiers.work" not in remove(text(recipe), PYTHON, ["a"]).text
    needing = recipe + 'after = ["work"]\n'
    assert remove(text(needing), PYTHON, ["a"]).text == needing.replace('["a"]', "[]")


def test_what_a_recipe_may_not_say_is_told_as_for_every_recipe() -> None:
    recipe = edited('kind = "python"\n', 'kind = "python"\nbundle = "cv"\n')
    with pytest.raises(RecipeError, match="'opencv-python' is excluded by the bundle 'cv'"):
        add(text(recipe), PYTHON, ["opencv-python"])


@pytest.mark.parametrize(
    "tiers",
    [
        'tiers = { work = { kind = "python", packages = ["a"] } }\n[base]\ndebian = "bookworm"\n',
        'tiers.work.kind = "python"\ntiers.work.packages = ["a"]\nbase.debian = "bookworm"\n',
    ],
)
def test_a_text_that_cannot_take_a_table_is_refused(tiers: str) -> None:
    with pytest.raises(Ds01Error, match=r"demo\.toml cannot be edited: ") as caught:
        add(text(HEAD + tiers), Spot("custom", "python", is_new=True), ["x"])
    assert caught.value.hint == "edit it by hand, then: ds01 lock demo.toml"
    assert add(text(HEAD + tiers), PYTHON, ["x"]).text == (HEAD + tiers).replace(
        '["a"]', '["a", "x"]'
    )


def test_another_file_of_requirements_is_refused() -> None:
    once = read_from(text(RECIPE), PYTHON, "more.txt")
    assert once.text == edited("]   # for work\n", ']   # for work\nrequirements = "more.txt"\n')
    assert read_from(once, PYTHON, "more.txt") == once
    with pytest.raises(Ds01Error, match=r"has the requirements of more\.txt") as caught:
        read_from(once, PYTHON, "other.txt")
    assert caught.value.hint == "add a line to more.txt: -r other.txt"


# Which tier


def test_packages_go_to_the_only_tier_of_their_kind() -> None:
    assert chosen(text(RECIPE), None) == PYTHON
    assert chosen(text(RECIPE), "apt") == APT
    assert chosen(text(RECIPE), None, "system") == APT
    assert chosen(text(RECIPE), "apt", "more") == Spot("more", "apt", is_new=True)
    assert chosen(text(RECIPE), "python", fallback="custom") == PYTHON


SECOND = '[tiers.extra]\nkind = "python"\npackages = ["numpy", "x"]\n[tiers.go]\nkind = "run"\n'
SECOND += 'commands = ["true"]\n'


def test_among_several_one_is_named_or_made() -> None:
    recipe = text(RECIPE + SECOND)
    assert chosen(recipe, None, fallback="extra") == Spot("extra", "python")
    assert chosen(recipe, None, fallback="custom") == Spot("custom", "python", is_new=True)
    listed = "system (apt), work (python), extra (python), go (run)"
    refusals = {
        (None, ""): "demo.toml has several python tiers: work (python), extra (python)",
        (
            None,
            "wrok",
        ): f"demo.toml has no tier 'wrok'; did you mean 'work'?; its tiers are {listed}",
        (None, "go"): (
            "tier 'go' of demo.toml is of kind run, and such packages go to apt and python tiers: "
            + listed
        ),
        ("apt", "work"): (
            "tier 'work' of demo.toml is of kind python, and such packages go to apt tiers: "
            + listed
        ),
        ("apt", "No"): "'No' is not a tier name: a-z, 0-9 and '-', at most 63 characters",
    }
    for (kind, tier), message in refusals.items():
        with pytest.raises(UsageError) as caught:
            chosen(recipe, "apt" if kind else None, tier)
        assert str(caught.value) == message


def test_only_a_tier_that_can_be_made_is_hinted_at() -> None:
    recipe = text(RECIPE + SECOND)

    def told(kind: Kind | None, tier: str, fallback: str = "") -> tuple[str, str]:
        with pytest.raises(UsageError) as caught:
            chosen(recipe, kind, tier, fallback)
        return str(caught.value).partition(";")[0], caught.value.hint

    no = "demo.toml has no tier {!r}"
    makes = "--kind python, or --kind apt, makes it"
    assert told(None, "zz") == (no.format("zz"), makes)
    assert told(None, "No way") == (no.format("No way"), "")
    base = "'base' is what all tiers stand on, and no tier itself"
    makes = "--tier NAME --kind {} makes one"
    assert told(None, "base") == (base, makes.format("python"))
    assert told("apt", "base") == (base, makes.format("apt"))
    add_ = "to make it: ds01 add demo.toml --tier zz --kind apt PKG"
    assert told("apt", "zz", "system") == (no.format("zz"), add_)
    with pytest.raises(UsageError, match="has no tier 'zz'; its tiers are ") as caught:
        existing(recipe, "zz")
    assert caught.value.hint == ""
    assert existing(recipe, "work") == PYTHON


def test_a_package_is_at_home_where_it_is_named() -> None:
    recipe = text(RECIPE + SECOND)
    assert homes(recipe, None, "numpy==1") == [PYTHON, Spot("extra", "python")]
    assert homes(recipe, None, "NumPy", "extra") == [Spot("extra", "python")]
    assert homes(recipe, None, "tree") == [APT]
    assert homes(recipe, "python", "tree") == []
    with pytest.raises(UsageError, match="is not a requirement"):
        homes(recipe, "python", "no such=thing")


def test_a_name_is_given_without_a_version() -> None:
    assert [plain_name(each) for each in ("g++", "NumPy", "python3.11")] == [
        "g++",
        "numpy",
        "python3.11",
    ]
    for text_ in ("pandas==2", "git=1", "", "a b"):
        with pytest.raises(UsageError):
            plain_name(text_)


def test_why_a_package_cannot_be_taken_out_is_told_with_the_way_out() -> None:
    recipe = text(
        RECIPE + '[tiers.lab]\nkind = "python"\nbundle = "jupyter"\nrequirements = "more.txt"\n'
    )
    asked = {"lab": ("jupyterlab", "polars>=1"), "work": ("pandas>=2.0",), "system": ("curl",)}

    def told(name: str, *needed_by: str) -> tuple[str, str]:
        error = absence(recipe, name, asked, needed_by)
        return str(error), error.hint

    assert told("JupyterLab") == (
        "'jupyterlab' comes from the bundle 'jupyter' of tier 'lab'",
        'to leave it out: exclude = ["jupyterlab"] under [resolve]',
    )
    assert told("curl") == (
        "'curl' comes from the bundle 'system' of tier 'system'",
        'in place of the bundle: packages = ["git", "htop", "vim", "wget"]',
    )
    assert told("polars") == (
        "'polars' comes from more.txt of tier 'lab'",
        "take it out of that file, or of one that it includes, then: ds01 lock demo.toml",
    )
    assert told("six", "a", "b") == (
        "no tier asks for 'six': it is there because of a, b",
        "who asks for what needs it: ds01 why demo.toml six",
    )
    assert told("six", "pandas") == (
        "no tier asks for 'six': it is there because of pandas",
        "ds01 remove demo.toml pandas",
    )
    assert told("polar") == (
        "demo.toml does not ask for 'polar'; did you mean 'polars'?",
        "what it asks for: ds01 plan demo.toml",
    )


# Bases


@pytest.mark.parametrize(
    ("old", "to", "new"),
    [
        ('debian = "bookworm" # why\n', "trixie", 'debian = "trixie" # why\n'),
        ("image = 'python:3.11'\n", "python:3.12", "image = 'python:3.12'\n"),
        ('image="a/b:1"\n', "a/b:2", 'image="a/b:2"\n'),
        ('framework = "pytorch"\n', "pytorch", 'framework = "pytorch"\n'),
        (
            'framework = "pytorch" # torch\narch = "CUDA_AMPERE"\n',
            "pytorch:2.7.1",
            'framework = "pytorch" # torch\narch = "CUDA_AMPERE"\nversion = "2.7.1"\n',
        ),
        (
            "framework = 'pytorch'\nversion = '2.7.1' # old\n",
            "pytorch",
            "framework = 'pytorch'\nversion = 'latest' # old\n",
        ),
        (
            'framework = "pytorch" # torch\nversion = "2.7.1"\narch = "CUDA_ADA"\n# end\n',
            "python:3.12",
            'image = "python:3.12" # torch\n# end\n',
        ),
        (
            'debian = "bookworm"\npackages = [\n  "tree",\n]\n',
            "python:3.12",
            'image = "python:3.12"\n',
        ),
        ('image = "python:3.12"\n', "pytorch", 'framework = "pytorch"\n'),
    ],
)
def test_a_base_is_replaced_and_nothing_else(old: str, to: str, new: str) -> None:
    recipe = f"{HEAD}[base]\n{{}}\n# tiers\n{FORMS['a header']}"
    before = text(recipe.format(old).replace("\n\n# tiers", "\n# tiers"))
    after = rebased(before, base_of(to, before.recipe.base))
    assert after.text == recipe.format(new).replace("\n\n# tiers", "\n# tiers")


def test_what_to_stand_on_is_read_as_base_show_reads_it() -> None:
    image = ImageBase(reference="a")
    assert base_of("PyTorch:2.7.1", image) == FrameworkBase(framework="pytorch", version="2.7.1")
    assert base_of("trixie", image) == ImageBase(reference="trixie")
    with pytest.raises(UsageError, match="--to 'A B': "):
        base_of("A B", image)


def test_a_base_in_braces_keeps_what_it_cannot_lose() -> None:
    recipe = text(f'{HEAD}base = {{ framework = "pytorch", version = "2.7.1" }} # why\n')
    found = rebased(recipe, base_of("pytorch:2.8.0", recipe.recipe.base)).text
    assert found == recipe.text.replace("2.7.1", "2.8.0")
    with pytest.raises(Ds01Error, match=r"base\.version stands in braces"):
        rebased(recipe, ImageBase(reference="a"))


# Rules, for arrays and recipes that nobody would think of

NAMES = st.from_regex(r"[a-z]{1,6}[0-9]?", fullmatch=True)
SPACES = st.sampled_from(["", " ", "  ", "\t"])
BREAKS = st.sampled_from(["", "", "\n", "\n    ", "\n\n  # a, 'b' [c]\n  "])
TAILS = st.sampled_from(["", "", " ", "  # why, 'not'\n", " # ]\n  "])
LINE_BREAKS = st.sampled_from(["\n", "\r\n"])
QUOTES = st.sampled_from(["'{}'", '"{}"', '"""{}"""', "'''{}'''"])


@st.composite
def written_arrays(draw: st.DrawFn, least: int = 0, *, alone: bool = True) -> str:
    """Return the text of an array of different names, as somebody may have written it."""
    names = draw(st.lists(NAMES, min_size=least, max_size=5, unique=True))
    text = ""
    for position, name in enumerate(names):
        last = position == len(names) - 1
        comma = draw(st.sampled_from(["", ","])) if last else ","
        text += draw(BREAKS) + draw(QUOTES).format(name) + draw(SPACES) + comma + draw(TAILS)
    return f"[{text}{draw(BREAKS)}]".replace("\n", draw(LINE_BREAKS) if alone else "\n")


@given(written_arrays(), NAMES)
def test_what_is_appended_comes_last(array: str, name: str) -> None:
    longer = arrays.appended(array, [name])
    assert arrays.values(longer) == [*arrays.values(array), name]
    assert longer.count("#") == array.count("#")


@given(written_arrays(least=1), NAMES)
def test_removing_what_was_appended_restores_every_byte(array: str, name: str) -> None:
    longer = arrays.appended(array, [name])
    assert arrays.removed(longer, len(arrays.values(array))) == array


@given(written_arrays(least=1), st.data())
def test_one_entry_is_removed_and_the_others_stay(array: str, data: st.DataObject) -> None:
    values = arrays.values(array)
    position = data.draw(st.integers(0, len(values) - 1))
    shorter = arrays.removed(array, position)
    assert arrays.values(shorter) == [*values[:position], *values[position + 1 :]]
    assert array.count("#") - shorter.count("#") in (0, 1), "the comment of its own line"


@given(written_arrays(least=1), NAMES, st.data())
def test_one_entry_is_replaced_and_every_other_byte_stays(
    array: str, name: str, data: st.DataObject
) -> None:
    values = arrays.values(array)
    position = data.draw(st.integers(0, len(values) - 1))
    other = arrays.replaced(array, position, name)
    assert arrays.values(other) == [*values[:position], name, *values[position + 1 :]]
    assert len(other) <= len(array) + len(name)
    plain = arrays.replaced(array, position, "x")
    assert arrays.replaced(other, position, "x") == plain


COMMENTS = st.sampled_from(["", "", "\n", "# [tiers.no]\n", '\n# packages = ["no"]\n\n', "  #\n"])
ENDS = st.sampled_from(["\n", " # why\n", "   \n"])
TIERS = st.sampled_from(
    [
        '[tiers.files]\nkind = "files"\nfiles = [ { from = "a", to = "/a" } ]\n',
        '[tiers.go]\nkind = "run"\ncommands = ["""\necho "a" """]\n',
        '[tiers."tools"]\nkind="apt"\nbundle = "system" # all\n',
        '[image]\nenv = { A = "b" }\n',
        "[resolve]\nexclude-newer = 2026-11-01 # then\n",
    ]
)


@st.composite
def recipes(draw: st.DrawFn) -> tuple[str, str, str]:
    """Return a recipe in three parts; the middle one is the array of a tier's packages."""
    others = draw(st.lists(TIERS, unique=True, max_size=3))
    place = draw(st.integers(0, len(others)))
    parts = [draw(COMMENTS) + each for each in others]
    head = f'{draw(COMMENTS)}schema = 1\nname = "demo"{draw(ENDS)}[base]\ndebian="bookworm"\n'
    before = f"{head}{''.join(parts[:place])}{draw(COMMENTS)}[tiers.work]{draw(ENDS)}"
    before += f'kind = "python"{draw(ENDS)}packages={draw(SPACES)}'
    after = f"{draw(ENDS)}{draw(COMMENTS)}{''.join(parts[place:])}"
    line_break = draw(LINE_BREAKS)
    array = draw(written_arrays(least=1, alone=False))
    first, second, third = (part.replace("\n", line_break) for part in (before, array, after))
    return first, second, third


@given(recipes(), NAMES)
def test_an_edit_leaves_every_byte_elsewhere(parts: tuple[str, str, str], name: str) -> None:
    before, array, after = parts
    recipe = text("".join(parts))
    added = add(recipe, PYTHON, [f"{name}>=2"])
    assert added.text.startswith(before)
    assert added.text.endswith(after)
    again = add(added, PYTHON, [f"{name}<3"])
    assert again.text == added.text.replace(f"{name}>=2", f"{name}<3")
    assert add(again, PYTHON, [f"{name} < 3"]) == again
    removed = remove(added, PYTHON, [name])
    if name not in arrays.values(array):
        assert removed == recipe


@given(recipes(), NAMES)
def test_a_new_tier_leaves_every_byte_elsewhere(parts: tuple[str, str, str], name: str) -> None:
    recipe = text("".join(parts))
    added = add(recipe, Spot("custom", "python", is_new=True), [name])
    block = f'\n[tiers.custom]\nkind = "python"\npackages = ["{name}"]\n'
    block = block.replace("\n", "\r\n" if "\r\n" in recipe.text else "\n")
    assert added.text.count(block) == 1
    assert added.text.replace(block, "") == recipe.text
    assert [tier.name for tier in added.recipe.tiers][-1] == "custom"


@given(recipes(), st.sampled_from(["trixie", "python:3.12", "pytorch"]))
def test_another_base_leaves_every_byte_elsewhere(parts: tuple[str, str, str], to: str) -> None:
    recipe = text("".join(parts))
    other = rebased(recipe, base_of(to, recipe.recipe.base))
    kind = {"trixie": "debian", "python:3.12": "image", "pytorch": "framework"}[to]
    assert other.text == recipe.text.replace('debian="bookworm"', f'{kind}="{to}"')


def test_an_edit_that_says_more_than_was_asked_is_refused() -> None:
    recipe = text(RECIPE)
    edited_too_much = RECIPE.replace("/workspace", "/elsewhere")
    with (
        pytest.raises(Ds01Error, match="more would change than what is asked for"),
        careful(recipe),
    ):
        checked(recipe, edited_too_much, recipe.recipe)


def test_a_place_that_is_not_certain_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = located._parsed
    monkeypatch.setattr(located, "_parsed", lambda text: parsed(text + "# more\n"))
    with pytest.raises(ValueError, match=r"tiers\.work\.packages is written in an unusual way"):
        located.locate(RECIPE, ("tiers", "work", "packages"))
