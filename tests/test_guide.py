"""What commands say about themselves is complete, true of the commands, and changes nothing."""

from __future__ import annotations

import ast
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from commandlines import FLAG, commands, flags, mentioned, problem
from terminals import END, INTERRUPT, terminal
from world import SCRIPT

import ds01build
from ds01build import guide
from ds01build.cli import ds01, programs, run
from ds01build.cli.completing import answer
from ds01build.cli.reference import contexts
from ds01build.cli.reference import key as reference_key
from ds01build.errors import Ds01Error, RecipeError
from ds01build.guide import reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world import World

pytest_plugins = ("world_fixtures",)

EVERY = dict(commands())
TOPIC = re.compile(r"(?:image|container|project|user)-[a-z]+\.[a-z-]*")
TEXTS = ("guided", "concepts", "info")
# Texts that are there before what they are about. Whatever comes has to go from here.
AHEAD: set[str] = set()


def told() -> Iterator[tuple[str, str]]:
    """Yield every text with the command that it is of, and the concepts without one."""
    for key, entry in guide.entries().items():
        says = [each.says for each in entry.examples]
        texts = (entry.about, *entry.advice, *entry.writes, *entry.exits.values(), *says)
        yield from ((key, text) for text in (*texts, *entry.topics.values()))
    yield from (("", concept.text) for concept in guide.concepts().values())


def used_topics() -> tuple[set[str], tuple[str, ...]]:
    """Return the topics that code names, and the beginnings of those that it puts together."""
    whole: set[str] = set()
    begun: set[str] = set()
    for path in Path(ds01build.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and TOPIC.fullmatch(value):
                (begun if value.endswith(".") else whole).add(value)
    return {each for each in whole if not each.endswith((".toml", ".yaml"))}, tuple(begun)


def test_every_command_has_its_texts_and_every_text_its_command() -> None:
    assert set(guide.entries()) - AHEAD == set(EVERY)
    assert not AHEAD & set(EVERY)


def test_every_topic_that_is_named_exists_and_every_topic_is_used() -> None:
    whole, begun = used_topics()
    assert whole <= set(guide.topics())
    unused = {
        topic
        for topic in set(guide.topics()) - whole
        if topic.split(".")[0] not in AHEAD and not topic.startswith(begun or ("?",))
    }
    assert not unused


def test_what_texts_refer_to_exists() -> None:
    for key, entry in guide.entries().items():
        assert set(entry.concepts) <= set(guide.concepts()), key
        assert set(entry.see) - AHEAD <= set(EVERY), key
        assert key not in entry.see
    assert list(guide.entry("ds01").concepts) == list(dict.fromkeys(guide.entry("ds01").concepts))
    assert set(guide.entry("ds01").concepts) == set(guide.concepts())


def test_no_text_mentions_a_command_or_flag_that_does_not_exist() -> None:
    lines = [each.command for entry in guide.entries().values() for each in entry.examples]
    lines += [code for _, text in told() for code in re.findall(r"`([^`]+)`", text)]
    lines += [line.strip() for _, text in told() for line in re.findall(r"(?m)^  .+", text)]
    found = [problem(each, AHEAD) for line in lines for each in mentioned(line)]
    assert len(found) > 80
    assert not [each for each in found if each]


def test_a_flag_in_a_text_is_one_of_its_command() -> None:
    anywhere = {flag for command in EVERY.values() for flag in flags(command)}
    for key, text in told():
        if key not in AHEAD:
            plain = re.sub(r"`(?:ds01|image-|container-|project-|user-)[^`]*`", "", text)
            of_many = isinstance(EVERY.get(key), click.Group) or not key
            known = anywhere if of_many else flags(EVERY[key])
            assert set(FLAG.findall(plain)) <= known, (key, text)


def test_examples_begin_with_what_they_are_examples_of() -> None:
    for key, entry in guide.entries().items():
        words = key.replace("-", " ")
        ours = (f"ds01 {words}", key, words)
        if key not in (*AHEAD, "ds01") and not isinstance(EVERY[key], click.Group):
            assert any(each in line.command for line in entry.examples for each in ours), key


def test_code_in_a_text_does_not_go_over_the_end_of_a_line() -> None:
    broken = [line for _, text in told() for line in text.split("\n") if line.count("`") % 2]
    assert not broken


@pytest.mark.parametrize("key", EVERY)
def test_a_command_has_the_three_options_once(key: str) -> None:
    names = [name for each in EVERY[key].params for name in each.opts]
    assert [names.count(f"--{each}") for each in TEXTS] == [1, 1, 1]


def words(key: str) -> list[str]:
    """Return how a command is called without a program."""
    context = next(each for each in contexts(ds01) if reference_key(each) == key)
    return context.command_path.split()[1:]


@pytest.mark.parametrize("key", EVERY)
def test_reference_and_concepts_fit_a_terminal_and_need_no_arguments(
    key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ("--info", "--concepts"):
        assert run([*words(key), option]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        long = [line for line in out.split("\n") if len(line) > 80 and "  " not in line[:2]]
        assert not long
        assert out.endswith("\n")
    assert run([*words(key), "--concepts", "--info"]) == 0
    assert capsys.readouterr().out


def test_the_reference_has_all_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["store", "gc", "--info"]) == 0
    out = capsys.readouterr().out
    for part in (
        "ds01 store gc [OPTIONS]",
        "--min-free SIZE",
        "ds01 store gc --older-than 90d",
        "  130                       interrupted",
        "something is damaged, so that what is needed is not\n",
        "What is written where",
        "ds01 store pin, ds01 store du, ds01 image history",
    ):
        assert part in out


def test_a_command_that_stands_alone_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["image", "update", "--info"]) == 0
    below = capsys.readouterr().out
    assert below.startswith("image-update (also: ds01 image update)\n")
    assert run(["--info"], programs()["image-update"], "image-update") == 0
    assert capsys.readouterr().out == below


@pytest.mark.parametrize(
    "line",
    ["store path", "store du --json", "store verify", "image list --json", "image history nosuch"],
)
def test_guided_changes_neither_stdout_nor_exit_code(world: World, line: str) -> None:
    plain, guided = world.ds01(*line.split()), world.ds01(*line.split(), "--guided")
    assert (guided.code, guided.out) == (plain.code, plain.out)
    assert guided.err.endswith(plain.err)
    key = "-".join(line.split()[:2])
    assert guide.entry(key).about in guided.err
    assert "Press Enter" not in guided.err


@pytest.mark.parametrize("key", [END, INTERRUPT])
def test_who_leaves_before_a_guided_command_does_anything_is_let_go(world: World, key: str) -> None:
    words = (SCRIPT, "--guided", "image", "delete", "demo", "--yes")
    with terminal(words, world.environment, world.root) as shown:
        shown.answer("Press Enter to go on", key)
        assert shown.end(20) == 130
    assert "demo" in world.images()


def test_a_guided_build_comes_to_the_same_image(world: World) -> None:
    world.ask_for("app", "other")
    guided = world.ds01("--guided", "build", "demo.toml")
    assert guide.entry("build").about in guided.err
    assert guided.err.startswith("--- ds01 build ---\n")
    plain = world.build()
    assert (guided.code, guided.out) == (plain.code, plain.out)


def test_a_guided_update_says_what_it_is_about_to_do(world: World) -> None:
    world.build()
    line = ("image", "update", "demo", "--add", "other", "--yes", "--dry-run")
    plain, guided = world.ds01(*line), world.ds01(*line, "--guided")
    assert (guided.code, guided.out) == (plain.code, plain.out)
    places = [guided.err.find(guide.text(f"image-update.{each}")) for each in ("add", "build")]
    assert places[0] > 0
    assert places[1] == -1  # nothing is built


def in_terminal(typed: bytes, *arguments: str) -> tuple[int, str, str]:
    """Run ds01 on a terminal where ``typed`` comes; return its code, stdout and what is shown."""
    reads, writes = os.pipe()
    pid, ours = pty.fork()
    if pid == 0:
        os.dup2(writes, 1)
        program = "from ds01build import entry; entry.main()"
        os.execv(sys.executable, [sys.executable, "-c", program, *arguments])
    os.close(writes)
    shown = b""
    while b"to leave: " not in shown:
        shown += os.read(ours, 4096)
    os.write(ours, typed)
    with os.fdopen(reads) as pipe:
        out = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(ours)
    return code, out, shown.decode()


def test_on_a_terminal_a_guided_command_waits_for_enter() -> None:
    code, out, shown = in_terminal(b"\n", "store", "path", "--guided")
    assert (code, out.count("\n")) == (0, 1)
    assert "Prints where your store is" in shown


@pytest.mark.parametrize("typed", [b"\x03", b"\x04"])
def test_who_leaves_there_has_done_nothing(typed: bytes) -> None:
    assert in_terminal(typed, "store", "path", "--guided")[:2] == (130, "")


def test_a_closed_stdin_is_nobody_to_wait_for() -> None:
    program = "import sys; sys.stdin = None; from ds01build import entry; entry.main()"
    arguments = [sys.executable, "-c", program, "store", "path", "--guided"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)


@pytest.mark.parametrize("option", ["--info", "--concepts", "--guided"])
def test_while_a_line_is_completed_nothing_is_printed(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(answer(ds01, "ds01", f"ds01 build {option} rec")) == ["toml\t-\t"]
    assert capsys.readouterr() == ("", "")


def test_nobody_is_told_anything_who_did_not_ask(world: World) -> None:
    assert world.ds01("store", "path").err == ""


def test_the_guide_is_read_only_when_it_is_asked_for() -> None:
    code = (
        "import sys; from ds01build.cli import run;"
        "run(['store', 'path']); run(['--help']);"
        "print(*[name for name in sys.modules if 'guide' in name or name == 'tomli'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == ""


@pytest.mark.parametrize(
    ("table", "problems"),
    [
        ("abuot = 'x'", ("c.about: required", "c.abuot: unknown key; did you mean 'about'?")),
        (
            f"about = '{'x' * 81}'",
            ("c.about: line 1 is wider than 80 columns",),
        ),
        ("about = 'a\\u200bb'", ()),
        ('about = "a\\u200bb"', ("c.about: contains the character U+200B",)),
        ("about = 1", ("c.about: expected a string",)),
        (
            "about = 'x'\nexamples = ['ds01']",
            ("c.examples[0]: expected a command and what it is for",),
        ),
        ("about = 'x'\n[c.exits]\nx = 'y'", ("c.exits.x: expected an exit code",)),
        ("about = 'x'\n[c.topics]\nt = ''", ("c.topics.t: is empty",)),
    ],
)
def test_texts_are_read_strictly(table: str, problems: tuple[str, ...]) -> None:
    content = f"[c]\n{table}\n"
    if not problems:
        assert reading.read_entries(content, "c.toml")
        return
    with pytest.raises(RecipeError) as raised:
        reading.read_entries(content, "c.toml")
    assert tuple(map(str, raised.value.issues)) == problems


def test_a_text_that_is_not_there_is_named() -> None:
    message = "no topic of the guide is 'image-update.sumary'; did you mean 'image-update.summary'?"
    with pytest.raises(Ds01Error, match=re.escape(message)):
        guide.text("image-update.sumary")


def test_programs_of_their_own_are_those_that_are_installed() -> None:
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    scripts = text.partition("[project.scripts]\n")[2].partition("\n\n")[0]
    assert set(programs()) == {line.split(" = ")[0] for line in scripts.splitlines()}


NEEDY = (
    *("image-create", "image-update", "image-delete", "image-load", "import", "bundle-show"),
    *("add", "remove", "upgrade", "rebase", "lock", "build", "plan", "export", "base-show"),
    *("container-create", "container-deploy", "container-upgrade", "container-retire"),
    *("container-jupyter", "container-run", "container-list"),
)


@pytest.mark.parametrize("name", NEEDY)
def test_who_needs_an_engine_or_a_network_says_what_comes_without(name: str) -> None:
    assert 4 in {int(code) for code in guide.entry(name).exits}
