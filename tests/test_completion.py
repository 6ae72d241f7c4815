"""The Tab key, in the shells themselves."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from commandlines import commands

from ds01build import catalogue
from ds01build.cli import completers, ds01, programs
from ds01build.cli.completing import answer, script
from ds01build.digest import Digest
from ds01build.store import open_store, roots

EVERY = dict(commands())
BIN = Path(sys.executable).parent
SHELLS = ("bash", "zsh", "fish")
RECIPE = """\
schema = 1
name = "thesis"

[base]
debian = "bookworm"

[tiers.system]
kind = "apt"
packages = ["git", "tree=2.1.0"]

[tiers.analysis]
kind = "python"
packages = ["polars>=1.0", "Uvicorn[standard]", "numpy ; python_version < '4'"]
"""
LOCK = """\
[[wheel]]
name = "numpy"
version = "2.1.0"

[[wheel]]
name = "polars"
version = "1.9.0"

[[deb]]
name = "tree"
version = "2.1.0"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with recipes, beside a store with two images."""
    store = open_store(tmp_path / "store", uid=os.getuid())
    work = tmp_path / "work"
    (work / "recipes" / "old").mkdir(parents=True)
    (work / "lockfiles").mkdir()
    (work / "recipes" / "thesis.toml").write_text(RECIPE)
    (work / "recipes" / "thesis.txt").write_text("")
    (work / "lockfiles" / "thesis.lock").write_text(LOCK)
    for name, builds in {"thesis": 2, "ml-course": 1}.items():
        for number in range(builds):
            new = roots.Generation(
                image=Digest.of(f"{name}{number}".encode()),
                lock=None,
                place=str(work / "recipes" / f"{name}.toml"),
                created=f"2026-11-0{number + 1}T00:00:00Z",
            )
            roots.append(store.root, name, new)
    monkeypatch.setenv("DS01_STORE", str(store.root))
    monkeypatch.chdir(work)
    return work


def completed(line: str) -> list[str]:
    """Return the plain completions of a line, and other kinds in angle brackets."""
    program = line.split(maxsplit=1)[0]
    rows = [row.split("\t") for row in answer(programs()[program], program, line)]
    return [value if kind == "plain" else f"<{kind}>" for kind, value, _ in rows]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("ds01 st", ["store"]),
        ("ds01 store p", ["path", "pin"]),
        ("ds01 lock --up", ["--upgrade", "--upgrade-package", "--update-missing"]),
        ("ds01 build --builder ", ["native", "docker"]),
        ("ds01 image load ", ["ml-course", "thesis"]),
        ("ds01 image load th", ["thesis"]),
        ("ds01 image export thesis@", ["thesis@2", "thesis@1"]),
        ("ds01 image history nothing", []),
        ("ds01 image rollback thesis ", ["2", "1"]),
        ("ds01 store pin thesis@1", ["thesis@1"]),
        ("ds01 build ", ["<toml>"]),
        ("ds01 build --quiet rec", ["<toml>"]),
        ("ds01 explain recipes/thesis.toml ", ["system", "analysis"]),
        ("ds01 add recipes/thesis.toml --tier a", ["analysis"]),
        (
            "ds01 remove recipes/thesis.toml ",
            ["git", "tree", "polars", "Uvicorn", "numpy"],
        ),
        ("ds01 remove recipes/thesis.toml git p", ["polars"]),
        ("ds01 upgrade recipes/thesis.toml ", ["numpy", "polars", "tree"]),
        ("ds01 why recipes/thesis.toml n", ["numpy"]),
        ("ds01 lock recipes/thesis.toml --upgrade-package t", ["tree"]),
        ("ds01 why recipes/nothing.toml n", []),
        ("ds01 base show pytorch-", ["pytorch-cpu"]),
        ("ds01 rebase recipes/thesis.toml --to ja", ["jax"]),
        ("ds01 diff thesis@1 th", ["thesis", "<file>"]),
        ("image-update th", ["thesis", "<toml>"]),
        ("image-update thesis --remove g", ["git"]),
        ("image-update recipes/thesis.toml --remove g", ["git"]),
        ("image-update thesis --tier ", ["system", "analysis"]),
        ("ds01 image update thesis --tier s", ["system"]),
        ("image-update ml-course --tier ", []),
    ],
)
def test_a_word_is_completed(place: Path, line: str, values: list[str]) -> None:
    assert completed(line) == values


def test_a_generation_says_when_it_was_built(place: Path) -> None:
    (row,) = answer(ds01, "ds01", "ds01 image load thesis@1")
    assert row == "plain\tthesis@1\tbuilt 2026-11-01T00:00:00Z"


@pytest.mark.parametrize("name", ["$(touch x)", "; rm x", "a b", "`x`", "a\nb", "ä", "a'b"])
def test_what_a_shell_would_obey_is_not_offered(place: Path, name: str) -> None:
    escaped = name.replace("\n", "\\n")
    text = f'{RECIPE}\n[tiers."{escaped}"]\nkind = "python"\npackages = ["{escaped}"]\n'
    (place / "recipes" / "thesis.toml").write_text(text)
    assert completed("ds01 explain recipes/thesis.toml ") == ["system", "analysis"]
    (place / "lockfiles" / "thesis.lock").write_text(
        f'[[wheel]]\nname = "{escaped}"\nversion = "1"\n'
    )
    assert completed("ds01 why recipes/thesis.toml ") == []


@pytest.mark.parametrize("content", ["tiers = 1", "not toml", "[tiers]\nx = 1", "wheel = 1"])
def test_a_file_that_is_no_recipe_completes_nothing_and_says_nothing(
    place: Path, content: str
) -> None:
    (place / "recipes" / "thesis.toml").write_text(content)
    (place / "lockfiles" / "thesis.lock").write_text(content)
    for command in ("explain", "remove", "why"):
        assert program(f"ds01 {command} recipes/thesis.toml ") == (0, "", "")


def program(line: str, **more: str) -> tuple[int, str, str]:
    """Ask a program as a shell's script does; return its code, stdout and stderr."""
    done = subprocess.run(
        [BIN / line.split(maxsplit=1)[0]],
        env={**os.environ, "_DS01_COMPLETE_LINE": line, **more},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def test_without_a_store_no_image_is_offered_and_no_store_is_made(place: Path) -> None:
    nowhere = place / "nowhere"
    assert program("ds01 image load ", DS01_STORE=str(nowhere)) == (0, "", "")
    assert not nowhere.exists()
    assert program("image-update th")[1].startswith("plain\tthesis\t")


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_an_option_that_prints_and_exits_prints_nothing_here(place: Path, option: str) -> None:
    for line in (f"ds01 {option} build rec", f"ds01 build {option} rec"):
        code, out, err = program(line)
        assert (code, set(out.splitlines()) - {"toml\t-\t"}, err) == (0, set(), "")


@pytest.mark.parametrize("key", EVERY)
def test_what_names_something_that_is_there_is_completed(key: str) -> None:
    known = {"RECIPE", "IMAGE", "NAME", "NAME...", "TIER", "[N]", "NAME[@N]"}
    for each in EVERY[key].params:
        named = each.metavar or (each.name or "").upper()
        if named in known and (isinstance(each, click.Argument) or named in {"RECIPE", "TIER"}):
            assert each._custom_shell_complete is not None, each.name


def test_bundles_are_completed_with_what_they_are_for() -> None:
    command = click.Command("x", params=[click.Option(["--b"], shell_complete=completers.bundles)])
    found = list(answer(command, "x", "x --b da"))
    assert found == [f"plain\tdata-science\t{catalogue.bundle('data-science').title}"]


def test_names_are_completed_without_anything_heavy(place: Path) -> None:
    code = (
        "import sys; from ds01build.cli import ds01; from ds01build.cli.completing import answer;"
        "print(*answer(ds01, 'ds01', 'ds01 image load th'));"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    found, modules = done.stdout.splitlines()
    assert "thesis" in found
    heavy = {"networkx", "rich", "diskcache", "urllib3", "tomli", "tomlkit", "packaging", "docker"}
    assert not heavy & set(modules.split())


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_sound_and_names_no_other_program(shell: str) -> None:
    for name in programs():
        text = script(shell, name)
        assert "@" not in re.sub(r"\(@[a-z:\\]*\)|each of @|\$\{\(@", "", text)
        if shutil.which(shell):
            subprocess.run([shell, "-n"], input=text, text=True, check=True, timeout=30)


def interactive(shell: str, place: Path, keys: str) -> str:
    """Return the words that a line comes to in a shell, with ``keys`` typed on a terminal."""
    start = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}[shell]
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    pid, end = pty.fork()
    if pid == 0:
        variables = {**os.environ, "PATH": path, "HOME": str(place), "TERM": "xterm"}
        os.chdir(place)
        os.execvpe(shell, [shell, *start], variables)
    try:
        # What is echoed is not yet what is printed: so the words that are waited for are split.
        os.write(end, f'eval "$(ds01 completion {shell})"; echo rea""dy\n'.encode())
        shown(end, "ready")
        for key in re.split(r"(?<=\t)", keys):
            os.write(end, key.encode())
            shown(end, "", 0.2)
        os.write(
            end, b"\x01printf '{%s}' \x05; echo go\"\"ne\n"
        )  # to the line's begin, and its end
        return str(re.findall(r"(?:\{[^{}\s']+\})+", shown(end, "gone").replace("{%s}", ""))[-1])
    finally:
        os.close(end)
        os.waitpid(pid, 0)


def shown(end: int, text: str, seconds: float = 30) -> str:
    """Return what a terminal shows until ``text`` is there; without one, until it is quiet."""
    found, last = "", time.monotonic() + 30
    while not text or text not in found:
        assert time.monotonic() < last, ascii(found)
        if select.select([end], [], [], seconds)[0]:
            found += os.read(end, 65536).decode(errors="replace")
        elif not text:
            return found
    return found


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("ds01 st\t", "ds01 store"),
        ("ds01 image load ml\t", "ds01 image load ml-course"),
        ("ds01 image export thesis@1\t", "ds01 image export thesis@1"),
        ("ds01 image load ml-course@\t", "ds01 image load ml-course@1"),
        ("ds01 build recipes/t\t", "ds01 build recipes/thesis.toml"),
        ("ds01 explain recipes/thesis.toml an\t", "ds01 explain recipes/thesis.toml analysis"),
        ("image-update th\t--ti\tan\t", "image-update thesis --tier analysis"),
    ],
)
def test_bash_and_zsh_complete(place: Path, shell: str, keys: str, line: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    assert interactive(shell, place, keys) == "".join(f"{{{word}}}" for word in line.split())


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("ds01 st", ["store\tLook at the store of layers and images."]),
        ("ds01 image load th", ["thesis\timage"]),
        (
            "ds01 image load thesis@",
            ["thesis@1\tbuilt 2026-11-01T00:00:00Z", "thesis@2\tbuilt 2026-11-02T00:00:00Z"],
        ),
        ("ds01 explain recipes/thesis.toml an", ["analysis\tpython"]),
        ("image-update thesis --remove g", ["git\ttier system"]),
    ],
)
def test_fish_completes(place: Path, line: str, values: list[str]) -> None:
    assert fish(place, line) == values


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_recipes_and_directories_alone(place: Path) -> None:
    assert [row.split("\t")[0] for row in fish(place, "ds01 build recipes/")] == [
        "recipes/old/",
        "recipes/thesis.toml",
    ]


def fish(place: Path, line: str) -> list[str]:
    """Return what fish offers for a line."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"ds01 completion fish | source; complete -C '{line}'"],
        env={**os.environ, "PATH": path, "HOME": str(place)},
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return sorted(done.stdout.splitlines())
