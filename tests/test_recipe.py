from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from ds01build.catalogue import bundles
from ds01build.errors import CycleError, RecipeError
from ds01build.recipe import (
    AptTier,
    DebianBase,
    FileEntry,
    FilesTier,
    FrameworkBase,
    ImageBase,
    ImageSettings,
    PythonTier,
    Recipe,
    ResolveSettings,
    RunTier,
    excludes_of,
    packages_of,
    parse,
)

ROOT = Path(__file__).resolve().parent.parent
HEAD = 'schema = 1\nname = "r"\nbase.debian = "bookworm"\n'
PROJECTS = {"plain": "pyproject.toml", "extras": "pyproject.toml[a,b]"}

FULL = """
schema = 1
name = "thesis-cv"

[base]
framework = "PyTorch"
arch = "CUDA_ADA"

[tiers.system]
kind = "apt"
packages = ["git", "curl", "git"]

[tiers.jupyter]
kind = "python"
bundle = "jupyter"

[tiers.use-case]
kind = "python"
packages = ["Polars >=1.0", "tomli; python_version<'3.11'"]
requirements = "pyproject.toml[Dev]"
after = ["system"]

[tiers.more]
kind = "apt"
bundle = "system"

[tiers.models]
kind = "run"
commands = ["python -m nltk.downloader punkt"]
network = true

[tiers.config]
kind = "files"
files = [{ from = "./x.py", to = "/etc/x.py" }, { from = "run.sh", to = "/run.sh", mode = "0755" }]

[image]
env = { B = "2", A = "" }
workdir = "/workspace"
user = "1000:1000"
entrypoint = []
cmd = ["jupyter", "lab"]
labels = { course = "ml" }
ports = [8888, "53/udp", 8888]

[resolve]
exclude-newer = 2026-11-01
index-url = "https://a.example/simple"
prerelease = "allow"
overrides = ["NumPy>=2"]
exclude = ["Opencv_Python"]
allow-base-change = ["torch"]
apt-mirror = "https://d.example/debian"

[resolve.extra-index-urls]
z = "https://z.example"
b = "http://localhost:3141/b"
"""


def problems(text: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        parse(text, source="r.toml")
    return [str(issue) for issue in caught.value.issues]


def recipe(text: str) -> Recipe:
    return parse(HEAD + text, source="r.toml")


def test_a_recipe_is_the_value_of_its_text() -> None:
    assert parse(FULL, source="r.toml") == Recipe(
        schema=1,
        name="thesis-cv",
        base=FrameworkBase(framework="pytorch", version="latest", architecture="CUDA_ADA"),
        tiers=(
            AptTier(name="system", packages=("git", "curl")),
            PythonTier(name="jupyter", bundle="jupyter"),
            PythonTier(
                name="use-case",
                packages=("polars>=1.0", 'tomli; python_version < "3.11"'),
                requirements="pyproject.toml[dev]",
                after=("system",),
            ),
            AptTier(name="more", bundle="system", after=("system",)),
            RunTier(
                name="models",
                commands=("python -m nltk.downloader punkt",),
                network=True,
                after=("system", "jupyter", "use-case", "more"),
            ),
            FilesTier(
                name="config",
                files=(
                    FileEntry(source="x.py", to="/etc/x.py", mode=0o644),
                    FileEntry(source="run.sh", to="/run.sh", mode=0o755),
                ),
            ),
        ),
        image=ImageSettings(
            env=(("A", ""), ("B", "2")),
            workdir="/workspace",
            user="1000:1000",
            entrypoint=(),
            cmd=("jupyter", "lab"),
            labels=(("course", "ml"),),
            ports=("53/udp", "8888/tcp"),
        ),
        resolve=ResolveSettings(
            exclude_newer="2026-11-02T00:00:00Z",
            index_url="https://a.example/simple",
            extra_index_urls=(("z", "https://z.example"), ("b", "http://localhost:3141/b")),
            prerelease="allow",
            overrides=("numpy>=2",),
            exclude=("opencv-python",),
            allow_base_change=("torch",),
            apt_mirror="https://d.example/debian",
        ),
    )


def test_the_least_recipe_leaves_everything_to_the_base() -> None:
    assert recipe("") == Recipe(name="r", base=DebianBase(suite="bookworm"))
    assert recipe("").image.entrypoint is None


def test_all_problems_are_told_at_once_with_their_source_and_path() -> None:
    text = """
        schema = 2
        nme = "x"
        [base]
        debian = "Bookworm"
        [tiers.base]
        kind = "apt"
        [tiers.a]
        kind = "pyton"
        [tiers.b]
        kind = "python"
        packges = ["x"]
        [tiers."C d"]
        kind = "run"
        command = ["x"]
        [image]
        ports = [0]
        [resolve]
        prerelease = "alow"
    """
    with pytest.raises(RecipeError) as caught:
        parse(text, source="r.toml")
    assert str(caught.value).splitlines() == [
        "r.toml: schema: this ds01 reads schema = 1",
        "r.toml: name: required",
        (
            "r.toml: base.debian: 'Bookworm' is not the codename of a Debian release, "
            "such as bookworm"
        ),
        "r.toml: tiers.base: a tier cannot be called 'base': that is what all tiers stand on",
        "r.toml: tiers.base: needs packages or a bundle",
        (
            "r.toml: tiers.a.kind: no kind of tier is called 'pyton'; "
            "use apt, python, files, run; did you mean 'python'?"
        ),
        "r.toml: tiers.b: needs packages, a bundle or requirements",
        "r.toml: tiers.b.packges: unknown key; did you mean 'packages'?",
        ("r.toml: tiers.'C d': 'C d' is not a tier name: a-z, 0-9 and '-', at most 63 characters"),
        "r.toml: tiers.'C d'.commands: needs at least one command",
        "r.toml: tiers.'C d'.command: unknown key; did you mean 'commands'?",
        "r.toml: image.ports[0]: expected a port, such as 8888 or '53/udp'",
        (
            "r.toml: resolve.prerelease: 'alow' is not one of disallow, allow, if-necessary, "
            "explicit, if-necessary-or-explicit; did you mean 'allow'?"
        ),
        "r.toml: nme: unknown key; did you mean 'name'?",
    ]


@pytest.mark.parametrize("schema", ["0", "2", "true", '"1"', "1.0"])
def test_a_schema_that_is_not_one_is_refused(schema: str) -> None:
    text = HEAD.replace("schema = 1", f"schema = {schema}")
    assert problems(text) == ["schema: this ds01 reads schema = 1"]


def test_an_empty_file_says_what_is_required() -> None:
    assert problems("") == [
        "schema: required",
        "name: required",
        "base: needs exactly one of debian, image, framework",
    ]


def test_what_is_not_toml_is_one_problem_with_its_line() -> None:
    assert problems("a = \n")[0].startswith("not TOML: ")
    assert "line 1" in problems("a = \n")[0]


def test_a_long_dotted_key_is_one_clear_problem_and_soon() -> None:
    start = time.process_time()
    assert problems(".".join(["a"] * 20_000) + " = 1") == ["line 1 is longer than 4096 characters"]
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (
            'debian = "trixie"\npackages = ["r-base-core", "gcc", "gcc"]',
            DebianBase(suite="trixie", packages=("gcc", "r-base-core")),
        ),
        ('image = "python:3.12-slim"', ImageBase(reference="python:3.12-slim")),
        (
            'framework = "tensorflow"\nversion = "2.14.0"\narch = "CUDA_AMPERE"',
            FrameworkBase(framework="tensorflow", version="2.14.0", architecture="CUDA_AMPERE"),
        ),
    ],
)
def test_a_base_is_one_of_three(base: str, expected: object) -> None:
    assert parse(f'schema = 1\nname = "r"\n[base]\n{base}', source="r").base == expected


@pytest.mark.parametrize(
    ("base", "problem"),
    [
        ("", "base: needs exactly one of debian, image, framework"),
        (
            'debian = "bookworm"\nimage = "x"',
            "base: needs exactly one of debian, image, framework",
        ),
        ('image = "x"\npackages = ["git"]', "base.packages: unknown key"),
        ('image = "X Y"', "base.image: not an image reference, such as python:3.12-slim"),
        (
            'framework = "pytorh"',
            (
                "base: the catalogue has no framework 'pytorh'; "
                "there are pytorch, tensorflow, rocm, mxnet, jax, pytorch-cpu; "
                "did you mean 'pytorch'? (name an image instead of a framework: "
                'image = "python:3.12-slim" in [base]; ds01 catalogue list)'
            ),
        ),
    ],
)
def test_another_base_is_refused(base: str, problem: str) -> None:
    assert problems(f'schema = 1\nname = "r"\n[base]\n{base}') == [problem]


def test_apt_tiers_form_a_chain_whatever_else_they_need() -> None:
    tiers = recipe("""
        [tiers]
        a = { kind = "apt", bundle = "system" }
        p = { kind = "python", bundle = "ml" }
        b = { kind = "apt", packages = ["git"], after = ["p"] }
        c = { kind = "apt", packages = ["vim"] }
    """).tiers
    assert [tier.after for tier in tiers] == [(), (), ("p", "a"), ("b",)]


def test_a_run_tier_needs_all_before_it_unless_told_otherwise() -> None:
    tiers = recipe("""
        [tiers]
        p = { kind = "python", bundle = "ml" }
        q = { kind = "python", bundle = "cv" }
        x = { kind = "run", commands = ["true"] }
        y = { kind = "run", commands = ["true"], after = ["q"] }
        z = { kind = "run", commands = ["true"], after = [] }
    """).tiers
    assert [tier.after for tier in tiers] == [(), (), ("p", "q"), ("q",), ()]


def test_a_tier_may_need_a_later_one() -> None:
    tiers = recipe("""
        [tiers]
        x = { kind = "run", commands = ["true"], after = ["p"] }
        p = { kind = "python", bundle = "ml" }
    """).tiers
    assert [tier.after for tier in tiers] == [("p",), ()]


def test_a_need_that_is_no_tier_gets_a_suggestion() -> None:
    text = HEAD + '[tiers.jupyter]\nkind = "python"\nbundle = "ml"\nafter = ["jupiter", "base"]\n'
    assert problems(text) == [
        "tiers.jupyter.after: no tier is called 'jupiter'; did you mean 'jupyter'?",
        "tiers.jupyter.after: no tier is called 'base'",
    ]


def cycle(text: str) -> CycleError:
    with pytest.raises(CycleError) as caught:
        recipe(text)
    return caught.value


def test_a_cycle_is_named_from_its_first_tier() -> None:
    error = cycle("""
        [tiers]
        x = { kind = "python", bundle = "ml" }
        a = { kind = "python", bundle = "ml", after = ["c"] }
        b = { kind = "python", bundle = "ml", after = ["a", "x"] }
        c = { kind = "python", bundle = "ml", after = ["b"] }
    """)
    assert error.cycle == ("a", "c", "b", "a")
    assert str(error) == "tiers need each other: a -> c -> b -> a"


def test_a_tier_that_needs_itself_is_a_cycle() -> None:
    assert cycle('[tiers]\na = { kind = "apt", bundle = "system", after = ["a"] }').cycle == (
        "a",
        "a",
    )


def test_a_tier_against_the_chain_of_apt_is_a_cycle() -> None:
    error = cycle("""
        [tiers]
        a = { kind = "apt", bundle = "system", after = ["b"] }
        b = { kind = "apt", bundle = "system" }
    """)
    assert error.cycle == ("a", "b", "a")


def test_a_bundle_is_for_its_kind_of_tier() -> None:
    text = (
        '[tiers]\na = { kind = "python", bundle = "system" }\nb = { kind = "apt", bundle = "ml" }'
    )
    assert problems(HEAD + text) == [
        "tiers.a.bundle: the bundle 'system' is for apt tiers",
        "tiers.b.bundle: the bundle 'ml' is for python tiers",
    ]


def test_a_tier_holds_its_bundle_and_its_own_packages_once() -> None:
    tiers = recipe("""
        [tiers]
        a = { kind = "apt", bundle = "system", packages = ["git", "tmux"] }
        p = { kind = "python", bundle = "ml", packages = ["xgboost<3", "optuna"] }
        x = { kind = "run", commands = ["true"] }
    """).tiers
    assert [packages_of(tier, bundles()) for tier in tiers] == [
        ("curl", "git", "htop", "vim", "wget", "tmux"),
        ("catboost", "lightgbm", "optuna", "xgboost", "xgboost<3"),
        (),
    ]


def test_the_bundles_say_what_the_image_excludes() -> None:
    text = '[tiers.cv]\nkind = "python"\nbundle = "cv"\n[resolve]\nexclude = ["shap"]\n'
    assert excludes_of(recipe(text), bundles()) == ("opencv-python", "shap", "ultralytics")
    assert excludes_of(recipe(""), bundles()) == ()


def test_a_package_cannot_be_asked_for_and_excluded() -> None:
    text = """
        [tiers]
        cv = { kind = "python", bundle = "cv", packages = ["timm"] }
        a = { kind = "python", packages = ["OpenCV_python>4", "shap"] }
        [resolve]
        exclude = ["shap", "timm"]
    """
    assert problems(HEAD + text) == [
        "tiers.cv.packages: 'timm' is excluded by [resolve] exclude",
        "tiers.a.packages: 'opencv-python>4' is excluded by the bundle 'cv'",
        "tiers.a.packages: 'shap' is excluded by [resolve] exclude",
    ]


def test_exclude_may_drop_a_package_of_a_bundle() -> None:
    text = '[tiers.ts]\nkind = "python"\nbundle = "ts"\n[resolve]\nexclude = ["prophet"]'
    assert recipe(text).resolve.exclude == ("prophet",)


def test_two_files_cannot_have_one_place() -> None:
    text = """
        [tiers]
        a = { kind = "files", files = [{ from = "x", to = "/x" }] }
        b = { kind = "files", files = [{ from = "y", to = "/x" }] }
    """
    assert problems(HEAD + text) == ["tiers.b.files: '/x' is written by 'a' already"]


def test_two_wrong_places_of_files_are_not_one_place() -> None:
    rows = '[{ from = "a", to = "x" }, { from = "b", to = "y" }]'
    assert problems(f'{HEAD}[tiers.a]\nkind = "files"\nfiles = {rows}\n') == [
        "tiers.a.files[0].to: 'x' is not an absolute path without '.', '..' and '//'",
        "tiers.a.files[1].to: 'y' is not an absolute path without '.', '..' and '//'",
    ]


@pytest.mark.parametrize(
    ("tier", "problem"),
    [
        ('kind = "apt"', "tiers.t: needs packages or a bundle"),
        ('kind = "files"', "tiers.t.files: needs at least one file"),
        ('kind = "run"\ncommands = []', "tiers.t.commands: needs at least one command"),
        ('kind = "run"\ncommands = [" "]', "tiers.t.commands[0]: ' ' is not a command"),
        ('packages = ["x"]', "tiers.t.kind: required"),
        ("", "tiers.t.kind: required"),
        ('kind = "files"\nfiles = [{ from = "x" }]', "tiers.t.files[0].to: required"),
        (
            'kind = "files"\nfiles = [{ from = "x", to = "/" }]',
            "tiers.t.files[0].to: '/' is a directory",
        ),
        *(
            (
                f'kind = "files"\nfiles = [{{ from = "x", to = "{path}" }}]',
                f"tiers.t.files[0].to: {path!r} is a directory",
            )
            for path in ("/usr", "/lib64", "/usr/local/bin", "/var/run", "/tmp")
        ),
        (
            'kind = "files"\nfiles = [{ from = "../x", to = "/x" }]',
            "tiers.t.files[0].from: '../x' is not a path beneath the recipe's directory",
        ),
        (
            'kind = "python"\nrequirements = "/etc/passwd"',
            "tiers.t.requirements: '/etc/passwd' is not a path beneath the recipe's directory",
        ),
        (
            'kind = "python"\nrequirements = "../pyproject.toml[x]"',
            (
                "tiers.t.requirements: '../pyproject.toml' is not a path beneath the "
                "recipe's directory"
            ),
        ),
        (
            'kind = "python"\nrequirements = "pyproject.toml[a b]"',
            "tiers.t.requirements: 'a b' is not the name of a Python package",
        ),
    ],
)
def test_an_incomplete_or_wrong_tier_is_refused(tier: str, problem: str) -> None:
    assert problems(f"{HEAD}[tiers.t]\n{tier}")[0] == problem


@pytest.mark.parametrize(
    "key",
    [
        "",
        "base",
        "tiers.f",
        "tiers.f.files[0]",
        "tiers.a",
        "tiers.p",
        "tiers.r",
        "image",
        "resolve",
    ],
)
def test_a_key_that_is_not_known_is_refused_everywhere(key: str) -> None:
    document: dict[str, Any] = {
        "schema": 1,
        "name": "r",
        "base": {"debian": "bookworm"},
        "tiers": {
            "f": {"kind": "files", "files": [{"from": "x", "to": "/x"}]},
            "a": {"kind": "apt", "bundle": "system"},
            "p": {"kind": "python", "bundle": "ml"},
            "r": {"kind": "run", "commands": ["true"]},
        },
        "image": {},
        "resolve": {},
    }
    table = document
    for part in key.replace("[0]", "").split(".") if key else ():
        table = table[part][0] if part == "files" else table[part]
    table["onbuild"] = "x"
    assert problems(tomli_w.dumps(document)) == [f"{key}.onbuild: unknown key".lstrip(".")]


@pytest.mark.parametrize(
    "field",
    [
        'name = "a\\u202eb"',
        '[tiers.t]\nkind = "apt"\npackages = ["curl\\nRUN id"]',
        '[tiers.t]\nkind = "python"\npackages = ["numpy\\n"]',
        '[tiers.t]\nkind = "run"\ncommands = ["true\\nfalse"]',
        '[tiers.t]\nkind = "files"\nfiles = [{ from = "a\\u0000", to = "/b" }]',
        '[tiers."t\\n"]\nkind = "run"\ncommands = ["true"]',
        '[image]\nenv = { A = "\\u001b[31m" }',
        '[image]\nenv = { "A\\n" = "x" }',
        '[image]\nlabels = { "a\\u2028" = "x" }',
        '[image]\nlabels = { a = "\\u200b" }',
        '[image]\ncmd = ["a\\tb"]',
        '[image]\nworkdir = "/a\\r"',
        '[resolve]\nindex-url = "https://a.example/\\u0085"',
        '[resolve.extra-index-urls]\n"a\\n" = "https://a.example"',
        '"x\\u202e" = 1',
    ],
)
def test_no_string_holds_a_character_that_cannot_be_seen(field: str) -> None:
    head = HEAD.replace('name = "r"\n', "") if field.startswith("name") else HEAD
    found = problems(head + field)
    assert len(found) == 1
    assert found[0].isprintable()


@pytest.mark.parametrize(
    "text",
    [
        '[resolve]\nindex-url = "https://me:secret@a.example/simple"',
        '[resolve]\napt-mirror = "http://me:secret@a.example/debian"',
        '[resolve.extra-index-urls]\nlab = "https://secret@a.example"',
        '[tiers.t]\nkind = "python"\npackages = ["x @ git+https://me:secret@a.example/x"]',
        '[tiers.t]\nkind = "python"\npackages = ["--index-url=https://me:secret@a.example"]',
        '[tiers.t]\nkind = "python"\npackages = ["https://me:secret@a.example/x.whl"]',
    ],
)
def test_credentials_are_refused_and_never_shown(text: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe(text)
    assert "secret" not in f"{caught.value}{caught.value!r}"


def test_a_recipe_of_a_thousand_tiers_is_read_in_a_second() -> None:
    tiers = "\n".join(f't{n} = {{ kind = "python", packages = ["p{n}"] }}' for n in range(1000))
    start = time.process_time()
    assert len(recipe(f"[tiers]\n{tiers}").tiers) == 1000
    assert time.process_time() - start < 1


@pytest.mark.parametrize("path", sorted(ROOT.glob("recipes/*.toml")), ids=lambda path: path.stem)
def test_a_recipe_that_ships_is_valid_and_called_as_its_file(path: Path) -> None:
    assert parse(path.read_text(encoding="utf-8"), source=path.name).name == path.stem


EXAMPLES = re.findall(
    r"^```toml\n(.*?)^```$",
    (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8"),
    flags=re.MULTILINE | re.DOTALL,
)


def test_the_reference_has_an_example_for_every_kind_of_tier_and_base() -> None:
    values = [parse(text, source="docs") for text in EXAMPLES]
    tiers = {type(tier) for value in values for tier in value.tiers}
    assert tiers == {AptTier, PythonTier, FilesTier, RunTier}
    assert {type(value.base) for value in values} == {DebianBase, ImageBase, FrameworkBase}


def test_the_reference_lists_the_bundles_as_they_are() -> None:
    text = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
    for each in bundles().values():
        assert f"| `{each.name}` | {each.kind} | {', '.join(each.packages)} |" in text


@given(st.text())
def test_any_text_is_a_recipe_or_an_error_of_recipes(text: str) -> None:
    try:
        parse(text, source="r.toml")
    except RecipeError as error:
        assert all(str(issue).isprintable() for issue in error.issues)  # noqa: PT017


KEYS = st.sampled_from(
    [
        "kind",
        "packages",
        "bundle",
        "after",
        "files",
        "from",
        "to",
        "mode",
        "commands",
        "network",
        "requirements",
        "debian",
        "image",
        "framework",
        "version",
        "arch",
        "env",
        "workdir",
        "user",
        "entrypoint",
        "cmd",
        "labels",
        "ports",
        "exclude-newer",
        "index-url",
        "extra-index-urls",
        "prerelease",
        "overrides",
        "exclude",
        "allow-base-change",
        "apt-mirror",
        "a",
        "b",
        "x y",
    ]
)
SCALARS = st.one_of(
    st.sampled_from(["apt", "python", "files", "run", "a", "b", "ml", "cv", "bookworm", "x>=1"]),
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.dates(),
    st.datetimes(),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=80)
@given(
    st.fixed_dictionaries(
        {
            "schema": st.just(1),
            "name": st.just("r"),
            "base": st.just({"debian": "bookworm"}) | st.dictionaries(KEYS, VALUES, max_size=4),
        },
        optional={
            "tiers": st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=5), max_size=4),
            "image": st.dictionaries(KEYS, VALUES, max_size=5),
            "resolve": st.dictionaries(KEYS, VALUES, max_size=5),
        },
    )
)
def test_any_table_is_a_recipe_or_an_error_of_recipes(document: dict[str, Any]) -> None:
    try:
        parse(tomli_w.dumps(document), source="r.toml")
    except CycleError as error:
        assert error.cycle[0] == error.cycle[-1]  # noqa: PT017
    except RecipeError as error:
        assert error.issues  # noqa: PT017
        assert all(str(issue).isprintable() for issue in error.issues)  # noqa: PT017


def test_a_project_is_named_with_extras_or_without() -> None:
    tables = [f'[tiers.{n}]\nkind = "python"\nrequirements = "{r}"' for n, r in PROJECTS.items()]
    tiers = parse(HEAD + "\n".join(tables), source="test").tiers
    assert {t.name: t.requirements for t in tiers if isinstance(t, PythonTier)} == PROJECTS
