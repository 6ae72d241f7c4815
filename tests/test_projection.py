from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01build.catalogue import Bundle, bundles
from ds01build.digest import Digest, canonical
from ds01build.recipe import parse
from ds01build.recipe.projection import projection

FILES = {"x.py": f"sha256:{'a' * 64}", "run.sh": f"sha256:{'b' * 64}"}
INCLUDED = {"requirements.txt": "rich\n-c limits.txt\n", "limits.txt": "rich<99\n"}

TEXT = """
schema = 1
name = "r"

[base]
debian = "bookworm"
packages = ["less", "gcc"]

[tiers.system]
kind = "apt"
bundle = "system"
packages = ["tmux", "git", "ed"]

[tiers.work]
kind = "python"
bundle = "ml"
packages = ["polars>=1", "httpx"]
requirements = "requirements.txt"

[tiers.config]
kind = "files"
files = [{ from = "x.py", to = "/x.py" }, { from = "run.sh", to = "/run.sh", mode = "0755" }]

[tiers.last]
kind = "run"
commands = ["true", "false"]
network = true

[image]
env = { A = "1", B = "2" }
workdir = "/w"
user = "1000"
entrypoint = ["a"]
cmd = ["b", "c"]
labels = { x = "y" }
ports = [8888, 80]

[resolve]
exclude-newer = "2026-11-01"
index-url = "https://a.example"
prerelease = "allow"
overrides = ["x>1", "y>1"]
exclude = ["z", "w"]
allow-base-change = ["torch"]
apt-mirror = "https://d.example"

[resolve.extra-index-urls]
one = "https://one.example"
two = "https://two.example"
"""


def digest(
    text: str,
    included: dict[str, str] = INCLUDED,
    files: dict[str, str] = FILES,
) -> Digest:
    recipe = parse(text, source="r.toml")
    return Digest.of(canonical(projection(recipe, included, files, bundles())))


def test_the_projection_of_a_recipe_is_this_and_no_other() -> None:
    # The digest of a projection stands in every lock: another one here makes all locks stale.
    catalogue = {
        "system": Bundle(name="system", kind="apt", rank=0, title="", packages=("git",)),
        "ml": Bundle(
            name="ml", kind="python", rank=1, title="", packages=("xgboost",), exclude=("v",)
        ),
    }
    assert projection(parse(TEXT, source="r.toml"), INCLUDED, FILES, catalogue) == {
        "schema": "ds01.recipe/1",
        "name": "r",
        "base": {"debian": "bookworm", "packages": ["gcc", "less"]},
        "tiers": [
            {"name": "system", "kind": "apt", "packages": ["ed", "git", "tmux"]},
            {
                "name": "work",
                "kind": "python",
                "packages": ["httpx", "polars>=1", "rich", "xgboost"],
                "constraints": ["rich<99"],
            },
            {
                "name": "config",
                "kind": "files",
                "files": [
                    {"to": "/run.sh", "digest": FILES["run.sh"], "mode": 0o755},
                    {"to": "/x.py", "digest": FILES["x.py"]},
                ],
            },
            {
                "name": "last",
                "kind": "run",
                "after": ["config", "system", "work"],
                "commands": ["true", "false"],
                "network": True,
            },
        ],
        "image": {
            "env": {"A": "1", "B": "2"},
            "workdir": "/w",
            "user": "1000",
            "entrypoint": ["a"],
            "cmd": ["b", "c"],
            "labels": {"x": "y"},
            "ports": ["80/tcp", "8888/tcp"],
        },
        "resolve": {
            "exclude-newer": "2026-11-02T00:00:00Z",
            "index-url": "https://a.example",
            "extra-index-urls": [["one", "https://one.example"], ["two", "https://two.example"]],
            "prerelease": "allow",
            "overrides": ["x>1", "y>1"],
            "exclude": ["v", "w", "z"],
            "allow-base-change": ["torch"],
            "apt-mirror": "https://d.example",
        },
    }


def test_defaults_are_left_out() -> None:
    recipe = parse('schema = 1\nname = "r"\nbase.image = "x"', source="r.toml")
    assert projection(recipe, {}, {}, {}) == {
        "schema": "ds01.recipe/1",
        "name": "r",
        "base": {"image": "x"},
    }


def test_an_empty_command_is_not_the_bases_command() -> None:
    head = 'schema = 1\nname = "r"\nbase.image = "x"\n'
    assert digest(head) != digest(f"{head}[image]\ncmd = []")
    assert digest(f"{head}[image]\ncmd = []") != digest(f"{head}[image]\nentrypoint = []")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('packages = ["less", "gcc"]', '# why\npackages = [\n  "gcc",\n  "less",\n  "gcc",\n]'),
        ('["polars>=1", "httpx"]', '["HTTPX", "Polars >= 1", "optuna"]'),
        ('["tmux", "git", "ed"]', '["ed", "git", "tmux", "curl"]'),
        ("ports = [8888, 80]", 'ports = ["80/tcp", 8888]'),
        ('env = { A = "1", B = "2" }', 'env = { B = "2", A = "1" }'),
        ('overrides = ["x>1", "y>1"]', 'overrides = ["y>1", "x>1"]'),
        ('exclude = ["z", "w"]', 'exclude = ["w", "z"]'),
        ('exclude-newer = "2026-11-01"', "exclude-newer = 2026-11-01"),
        ('exclude-newer = "2026-11-01"', 'exclude-newer = "2026-11-02T01:00:00+01:00"'),
        ('{ from = "x.py", to = "/x.py" }', '{ to = "/x.py", from = "./x.py", mode = "0644" }'),
        ("network = true", 'network = true\nafter = ["config", "work", "system"]'),
    ],
)
def test_another_way_to_write_a_recipe_keeps_its_projection(old: str, new: str) -> None:
    assert old in TEXT
    assert digest(TEXT.replace(old, new)) == digest(TEXT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "r"', 'name = "s"'),
        ("bookworm", "trixie"),
        ('packages = ["less", "gcc"]', 'packages = ["less"]'),
        ('packages = ["tmux", "git", "ed"]', 'packages = ["screen"]'),
        ('bundle = "ml"', 'bundle = "rl"'),
        ("[tiers.work]", "[tiers.job]"),
        ("polars>=1", "polars>=2"),
        ('to = "/x.py"', 'to = "/y.py"'),
        ('mode = "0755"', 'mode = "0700"'),
        ('"true", "false"', '"false", "true"'),
        ("network = true", "network = false"),
        ("network = true", 'network = true\nafter = ["work"]'),
        ('kind = "python"', 'kind = "python"\nafter = ["system"]'),
        ('A = "1"', 'A = "3"'),
        ('"/w"', '"/v"'),
        ('user = "1000"', 'user = "1001"'),
        ('entrypoint = ["a"]', "entrypoint = []"),
        ('cmd = ["b", "c"]', 'cmd = ["c", "b"]'),
        ('x = "y"', 'x = "z"'),
        ("8888, 80", "8888"),
        ("2026-11-01", "2026-11-03"),
        ("a.example", "b.example"),
        ('"allow"', '"disallow"'),
        ('["x>1", "y>1"]', '["x>1"]'),
        ('["z", "w"]', '["z"]'),
        ('["torch"]', '["jax"]'),
        ("d.example", "e.example"),
        ("one.example", "1.example"),
        ('two = "https://two.example"', ""),
    ],
)
def test_what_decides_a_lock_is_in_the_projection(old: str, new: str) -> None:
    assert old in TEXT
    assert digest(TEXT.replace(old, new)) != digest(TEXT)


def test_the_order_of_indexes_and_of_tiers_counts() -> None:
    one, two = 'one = "https://one.example"\n', 'two = "https://two.example"\n'
    assert digest(TEXT.replace(one + two, two + one)) != digest(TEXT)
    head = 'schema = 1\nname = "r"\nbase.image = "x"\n'
    tiers = [f'[tiers.{name}]\nkind = "python"\npackages = ["x"]\n' for name in "ab"]
    assert digest(head + tiers[0] + tiers[1]) != digest(head + tiers[1] + tiers[0])


def test_the_content_of_files_counts_and_not_their_source() -> None:
    assert digest(TEXT, files={**FILES, "x.py": f"sha256:{'c' * 64}"}) != digest(TEXT)
    moved = TEXT.replace('from = "x.py"', 'from = "y.py"')
    assert digest(moved, files={"y.py": FILES["x.py"], "run.sh": FILES["run.sh"]}) == digest(TEXT)


def test_an_included_file_counts_by_what_it_asks_for() -> None:
    same = {"requirements.txt": "# why\n-c limits.txt\nRich\n", "limits.txt": "\nrich <99\n"}
    assert digest(TEXT, included=same) == digest(TEXT)
    for name, text in (("requirements.txt", "rich\n"), ("limits.txt", "rich<98\n")):
        assert digest(TEXT, included={**INCLUDED, name: text}) != digest(TEXT)
    hashed = f"rich --hash=sha256:{'d' * 64}\n-c limits.txt\n"
    assert digest(TEXT, included={**INCLUDED, "requirements.txt": hashed}) != digest(TEXT)


@pytest.mark.parametrize("change", [{"packages": ("git",)}, {"exclude": ("numpy",)}])
def test_a_changed_bundle_makes_locks_stale_where_it_is_used(change: dict[str, tuple[str]]) -> None:
    recipe = parse(TEXT, source="r.toml")
    before = projection(recipe, INCLUDED, FILES, bundles())
    for name in ("ml", "rl"):
        changed = {**bundles(), name: replace(bundles()[name], **change)}  # type: ignore[arg-type]
        after = projection(recipe, INCLUDED, FILES, changed)
        assert (after == before) is (name == "rl")


@given(st.integers(), st.data())
def test_order_repetition_and_formatting_of_packages_never_count(
    seed: int, data: st.DataObject
) -> None:
    names = data.draw(st.lists(st.sampled_from(["a>=1", "b[x,y]", "c", "d<2,>1", "e"]), min_size=1))
    shuffled = [*names, random.Random(seed).choice(names)]
    random.Random(seed).shuffle(shuffled)
    spaced = [name.replace(">", " >").replace("x,y", "y, X").upper() for name in shuffled]
    head = 'schema = 1\nname = "r"\nbase.image = "x"\n[tiers.t]\nkind = "python"\npackages = '
    assert digest(head + str(names)) == digest(f"{head}[ # why\n{str(spaced)[1:-1]},\n]\n\n# end")


def test_a_site_s_lock_makes_no_lock_stale() -> None:
    assert digest(TEXT.replace("[resolve]", '[resolve]\nprefer = "site.lock"')) == digest(TEXT)
