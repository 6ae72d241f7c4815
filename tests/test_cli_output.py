"""What goes to stdout and what to stderr, for programs and for people."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from servers import slow

from ds01build.cli.output import fitted, hung
from ds01build.cli.progress import progress
from ds01build.events import Expected, Received, Sent, Verified, Verifying, Written

if TYPE_CHECKING:
    from world import World

    from ds01build.events import Event

pytest_plugins = ("world_fixtures",)

DIGEST = r"sha256:[0-9a-f]{64}"
OTHER = "other-1.0-py3-none-any.whl"


def shape(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return the keys of an answer and the types of its values; of a list, those of its first."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return type(value).__name__


def test_stdout_is_the_reference_alone(world: World) -> None:
    world.ask_for("app", "other")
    outcome = world.build()
    assert re.fullmatch(rf"oci:{re.escape(str(world.store))}:demo@{DIGEST}\n", outcome.out)
    assert "resolving Python packages" in outcome.err
    again = world.build()
    assert again.out == outcome.out
    assert again.err.startswith("the image is not loaded: no engine answers at ")
    assert len(again.err.splitlines()) == 1


def test_the_answer_of_a_build(world: World) -> None:
    world.ask_for("app", "other")
    made = world.index.offer("other")
    answer = world.build("--json").answer
    assert shape(answer) == {
        "schema": "str",
        "name": "str",
        "image": {"digest": "str", "config_digest": "str", "reference": "str", "size": "int"},
        "layers": [
            {
                "tier": "str",
                "digest": "str",
                "diff_id": "str",
                "size": "int",
                "reason": "str",
                "action": "str",
            }
        ],
        "bytes": {"downloaded": "int", "written": "int", "sent": "int"},
        "seconds": dict.fromkeys(("lock", "fetch", "layers", "load", "total"), "float"),
    }
    assert answer["schema"] == "ds01.built/2"
    assert answer["image"]["digest"] == world.images()["demo"]
    assert [(each["tier"], each["action"]) for each in answer["layers"]] == [
        ("base", "reused"),
        ("python", "written"),
        ("(state)", "reused"),
    ]
    assert answer["bytes"]["downloaded"] == len(made)
    assert answer["bytes"]["written"] == answer["layers"][1]["size"]
    manifest = world.blob(answer["image"]["digest"])
    sizes = sum(each["size"] for each in answer["layers"])
    config = len(world.blob(answer["image"]["config_digest"]))
    assert answer["image"]["size"] == sizes + config + len(manifest)
    again = world.build("--json").answer
    assert [each["action"] for each in again["layers"]] == ["reused"] * 3
    assert shape(again) == {**shape(answer), "layers": shape(answer)["layers"]}
    assert again["bytes"] == {"downloaded": 0, "written": 0, "sent": 0}


def test_the_answer_of_a_plan_and_that_it_builds_nothing(world: World) -> None:
    world.ask_for("app", "other")
    before = world.images()
    answer = world.ds01("plan", "--json", "demo.toml").answer
    assert shape(answer) == {
        "schema": "str",
        "name": "str",
        "tiers": [
            {
                "tier": "str",
                "kind": "str",
                "key": "str",
                "action": "str",
                "reason": "str",
                "download": "int",
                "layers": [{"key": "str", "action": "str", "reason": "str"}],
            }
        ],
        "bytes": {"download": "int", "space": "int", "free": "int"},
        "scripts": {"not_reproduced": {}, "unread": []},
    }
    tiers = {each["tier"]: each["action"] for each in answer["tiers"]}
    assert tiers == {"base": "reuse", "python": "write", "(state)": "reuse"}
    assert world.index.fetched(OTHER) == 0
    assert world.images() == before
    text = world.ds01("plan", "demo.toml").out
    assert re.search(r"^python +write +1 +\d+ B ", text, re.MULTILINE)


def test_the_answers_about_lock_images_and_store(world: World) -> None:
    answer = world.ds01("lock", "--json", "demo.toml").answer
    assert {key: type(value).__name__ for key, value in answer.items()} == {
        "schema": "str",
        "name": "str",
        "path": "str",
        "digest": "str",
        "recipe": "str",
        "changed": "bool",
        "wheels": "int",
        "debs": "int",
        "files": "int",
        "layers": "int",
    }
    assert (answer["path"], answer["changed"], answer["wheels"]) == ("demo.lock", False, 2)
    answer = world.ds01("image", "list", "--json").answer
    assert answer["schema"] == "ds01.images/1"
    assert [(each["name"], each["digest"]) for each in answer["images"]] == [
        ("demo", world.built["demo"])
    ]
    assert set(answer["images"][0]) == {
        *("name", "digest", "layers", "size", "generation", "created", "current"),
        *("exclusive", "shared", "generations", "base", "recipe", "stale", "verdict"),
        *("tags", "containers"),
    }
    assert world.ds01("store", "path").out == f"{world.store}\n"
    verified = world.ds01("store", "verify", "--json")
    assert verified.answer == {
        "schema": "ds01.verified/2",
        "store": str(world.store),
        "findings": [],
        "repaired": [],
        "quarantined": [],
        "reasons": [],
        "lost": [],
    }
    used = world.ds01("store", "du", "--json").answer
    sizes = used["bytes"]
    assert used["schema"] == "ds01.usage/1"
    assert sizes["total"] == sum(size for what, size in sizes.items() if what != "total")
    assert sizes["layers"] > 0


def test_quiet_says_nothing_but_warnings_and_errors(world: World) -> None:
    world.ask_for("app", "other")
    for _ in range(2):  # what is made, and what there is already
        (line,) = world.build("--quiet").err.splitlines()
        assert line.startswith("the image is not loaded: no engine answers at ")
    assert world.build("--quiet", "--no-load").err == ""
    world.ask_for("nosuch")
    outcome = world.build("--quiet", "--no-load")
    assert outcome.code == 1
    assert len(outcome.err.splitlines()) == 1


def test_without_a_terminal_progress_is_plain_lines(world: World) -> None:
    world.ask_for("app", "other")
    outcome = world.build()
    assert re.fullmatch(
        r"resolving Python packages\n"
        r"the image is not loaded: no engine answers at .*/no-engine\.sock .*\n"
        r"fetching 1 file, \d+ B\n"
        r"fetched 1/1 files, \d+ B of \d+ B, [\d.]+ .?i?B/s\n"
        r"layer 1/1  python: 3 packages, app==1.0 to other==1.0 \([\d.]+ KiB\)\n",
        outcome.err,
    )


def in_terminal(world: World, *arguments: str) -> tuple[int, str, str]:
    """Run ds01 with a terminal as stderr; return its code, stdout, and what the terminal got."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        world.command(*arguments),
        env={**world.environment, "TERM": "xterm-256color", "COLUMNS": "100"},
        cwd=world.recipe.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            if not select.select([ours], [], [], 30)[0]:
                break
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    out, _ = process.communicate(timeout=30)
    return process.returncode, out.decode(), shown.decode()


def test_the_last_line_about_what_was_sent_has_all_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress(quiet=False) as report:
        report(Sent(size=1000))
        report(Sent(size=24))
    assert capsys.readouterr().err == "sent 1.0 KiB to the engine\n"
    with progress(quiet=False):
        pass
    assert capsys.readouterr().err == ""


def test_a_line_now_and_then_says_how_much_of_a_store_was_verified(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([0.0, 1.0, 2.1, 4.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    with progress(quiet=False) as report:
        report(Verifying(size=4096))
        for _ in range(3):
            report(Verified(size=1024))
    assert capsys.readouterr().err == "verified 2.0 KiB of 4.0 KiB\n"


@pytest.mark.parametrize("repair", [(), ("--repair",)])
def test_a_terminal_sees_how_much_of_a_store_was_verified(
    world: World, repair: tuple[str, ...]
) -> None:
    code, out, shown = in_terminal(world, "store", "verify", *repair)
    assert (code, out) == (0, ""), shown
    size = sum(path.stat().st_size for path in (world.store / "blobs/sha256").iterdir())
    total = f"{size / 1024:.1f}"
    assert re.search(rf"verify .*{total}/{total}.* KiB", shown), ascii(shown)
    assert shown.endswith("the store is whole\r\n")
    assert "verify " not in in_terminal(world, "store", "verify", *repair, "--quiet")[2]


def lines_of(
    *events: Event, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """Return the lines that are printed where each event may have one."""
    monkeypatch.setattr("ds01build.cli.progress._EVERY", -1.0)
    with progress(quiet=False) as report:
        for event in events:
            report(event)
    return [re.sub(r", [^,]*/s$", "", line) for line in capsys.readouterr().err.splitlines()]


def test_of_what_nobody_announced_no_line_gives_a_part(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing, some = Expected(files=0, size=0, layers=1), Received(name="a", size=1024)
    made = Written(tier="t", title="x", size=1)
    shown = lines_of(some, nothing, some, made, monkeypatch=monkeypatch, capsys=capsys)
    assert shown == ["layer 1/1  t: x (1 B)"]


def test_what_is_announced_meanwhile_is_added(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, base = Expected(files=2, size=2048, layers=2), Expected(files=1, size=1024, layers=0)
    some, last = Received(name="a", size=1024), Received(name="a", size=0, complete=True)
    made = Written(tier="t", title="x", size=1)
    events = (mine, some, last, base, some, last, made, some, last, base, last)
    shown = lines_of(*events, monkeypatch=monkeypatch, capsys=capsys)
    assert [line for line in shown if not line.startswith("fetching")] == [
        "fetched 0/2 files, 1.0 KiB of 2.0 KiB",
        "fetched 1/2 files, 1.0 KiB of 2.0 KiB",
        "fetched 1/3 files, 2.0 KiB of 3.0 KiB",
        "fetched 2/3 files, 2.0 KiB of 3.0 KiB",
        "layer 1/2  t: x (1 B)",
        "fetched 2/3 files, 3.0 KiB of 3.0 KiB",
        "fetched 3/3 files, 3.0 KiB of 3.0 KiB",
        "fetched 1/1 files, 0 B of 1.0 KiB",
    ]


def test_a_terminal_gets_bars_that_leave_no_trace(world: World) -> None:
    made = world.index.offer("other")
    world.ask_for("app", "other")
    assert world.ds01("lock", "demo.toml").code == 0
    world.index.route(f"files/{OTHER}", slow(made, piece=100, pause=0.05))
    code, out, shown = in_terminal(world, "build", "demo.toml")
    assert code == 0, shown
    assert out.startswith("oci:")
    assert "download" in shown
    assert "layers" in shown
    assert "\x1b[?25l" in shown  # the cursor goes
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # and comes back


def test_no_color_is_honoured(world: World) -> None:
    world.ask_for("nosuch")
    plain = replace(world, variables={"NO_COLOR": "1"})
    colour = re.compile(r"\x1b\[[0-9;]*m")
    code, _, shown = in_terminal(plain, "build", "demo.toml")
    assert code == 1
    assert "error: the package index has no nosuch" in shown
    assert not colour.search(shown), ascii(shown)
    assert colour.search(in_terminal(world, "build", "demo.toml")[2])


@pytest.mark.parametrize("command", [(), ("image",), ("image", "export")])
def test_help_is_on_stdout(world: World, command: tuple[str, ...]) -> None:
    outcome = world.ds01(*command, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("Usage: ds01")
    assert command != ("image",) or "List, load and export images, and go back" in outcome.out


def test_a_reader_that_goes_away_is_no_bug(world: World) -> None:
    process = world.start("store", "du")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=30)
    assert err == ""


ROWS = (("code", "alpha beta gamma delta epsilon zeta", "12 MB"), ("x" * 30, "one", "1 MB"))


def test_a_table_on_a_terminal_has_as_many_columns_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", Screen())
    monkeypatch.setenv("COLUMNS", "40")
    assert fitted(("NAME", "ASKS FOR", "SIZE"), ROWS, 1).splitlines() == [
        "NAME                 ASKS FOR      SIZE",
        "code                 alpha beta    12 MB",
        "                     gamma delta",
        "                     epsilon zeta",
        "xxxxxx…xxxxxxxxxxxx  one           1 MB",
    ]
    assert hung("  tags  ", "a-long-word another-long-word and-the-last") == [
        "  tags  a-long-word another-long-word",
        "        and-the-last",
    ]


def test_a_table_in_a_pipe_has_every_cell_as_it_is() -> None:
    assert fitted(("NAME", "ASKS FOR", "SIZE"), ROWS, 1).splitlines()[1:] == [
        f"code{' ' * 28}alpha beta gamma delta epsilon zeta  12 MB",
        f"{'x' * 30}  one{' ' * 34}1 MB",
    ]
    assert hung("a ", "b " * 100) == [f"a {'b ' * 100}"]


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True
