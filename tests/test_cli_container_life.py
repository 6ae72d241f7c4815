"""The commands of a container's life, as a person at a terminal and a script use them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import termios
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from terminals import DOWN, END, ENTER, INTERRUPT

from ds01build.cli.containers import _table
from ds01build.engine.containers import Row
from ds01build.engine.names import moving_tag
from ds01build.workflow import containers
from ds01build.workflow.standing import Standing

if TYPE_CHECKING:
    from pathlib import Path

    from sailors import Sailor
    from terminals import Terminal

pytest_plugins = ("engine_fixtures", "container_fixtures", "sailors")

MENU, PROMPT = "What becomes of", "$"


def flags(shown: Terminal) -> int:
    """Return the local flags of the terminal: ECHO, ICANON, ISIG and others."""
    return int(termios.tcgetattr(shown.descriptor)[3])


def paste(shown: Terminal, content: bytes) -> None:
    """Type much at a time; what is echoed meanwhile is read, as a screen does it."""
    os.set_blocking(shown.descriptor, False)
    while content:
        with suppress(BlockingIOError):
            content = content[os.write(shown.descriptor, content[:1000]) :]
        shown._read(0.001)
    os.set_blocking(shown.descriptor, True)


def test_a_person_works_in_a_shell_and_lets_the_container_run_on(sailor: Sailor) -> None:
    sailor.create()
    with sailor.sits("container-run", sailor.short()) as shown:
        usual = flags(shown)
        shown.await_text("is started")
        shown.await_text(PROMPT)
        assert not flags(shown) & termios.ICANON
        shown.press("echo $TERM uid=$(id -u) $PWD", ENTER)
        shown.await_text(f"xterm-256color uid={sailor.uid} /workspace")
        shown.press("exit 3", ENTER)
        shown.await_text("the shell ended with exit code 3")
        shown.answer(MENU, ENTER)
        assert shown.end() == 3
        assert "keeps running" in shown.text
        assert flags(shown) == usual
    assert sailor.state() == "running"


def test_who_retires_a_container_after_a_shell_has_one_less(sailor: Sailor) -> None:
    sailor.create(runs=True)
    with sailor.sits("ds01", "container", "attach", sailor.short()) as shown:
        shown.answer(PROMPT, END)
        shown.answer(MENU, DOWN, ENTER)
        assert shown.end() == 0
        assert f"container {sailor.short()}" in shown.text
    assert sailor.quay.names == []


@pytest.mark.parametrize("key", [END, INTERRUPT])
def test_who_leaves_the_menu_lets_the_container_run_on(sailor: Sailor, key: str) -> None:
    sailor.create(runs=True)
    with sailor.sits("container-run", sailor.short()) as shown:
        shown.answer(PROMPT, "exit", ENTER)
        shown.await_text(MENU)
        shown.await_text("arrow keys")
        time.sleep(0.5)
        shown.press(key)
        assert shown.end() == 0
    assert sailor.state() == "running"


def test_nothing_is_asked_with_yes(sailor: Sailor) -> None:
    sailor.create(runs=True)
    with sailor.sits("container-run", "--yes", sailor.short()) as shown:
        shown.answer(PROMPT, "exit", ENTER)
        assert shown.end() == 0
        assert MENU not in shown.text


def test_an_interrupt_goes_to_the_shell(sailor: Sailor) -> None:
    sailor.create(runs=True)
    with sailor.sits("container-run", "--yes", sailor.short()) as shown:
        shown.answer(PROMPT, "sleep 60; echo slept", ENTER)
        time.sleep(1)
        shown.press(INTERRUPT)
        shown.press("echo st''ill", ENTER)
        shown.await_text("still")
        shown.press("exit 0", ENTER)
        assert shown.end() == 0


def test_the_size_of_the_terminal_is_followed(sailor: Sailor) -> None:
    sailor.create(runs=True)
    with sailor.sits("container-run", sailor.short(), "--", "bash", "-i") as shown:
        shown.await_text(PROMPT)
        shown.press("true; echo $COLUMNS x $LINES", ENTER)
        shown.await_text("80 x 400")
        termios.tcsetwinsize(shown.descriptor, (400, 132))
        os.kill(shown.process, signal.SIGWINCH)
        time.sleep(1)
        shown.press("true; echo $COLUMNS x $LINES", ENTER)
        shown.await_text("132 x 400")
        shown.press("exit", ENTER)
        assert shown.end() == 0
        assert MENU not in shown.text


def test_what_is_pasted_arrives_whole(sailor: Sailor) -> None:
    sailor.create(runs=True)
    program = "echo re''ady; head -c 300000 >/workspace/pasted; echo do''ne"
    with sailor.sits("container-run", sailor.short(), "--", "bash", "-c", program) as shown:
        shown.await_text("ready")
        paste(shown, (b"x" * 99 + b"\n") * 3000)
        shown.await_text("done")
        assert shown.end() == 0
    pasted = next((sailor.quay.root / str(sailor.uid) / "workspace").glob("*/pasted"))
    assert pasted.read_bytes() == (b"x" * 99 + b"\n") * 3000


def test_a_container_that_stopped_meanwhile_is_told(sailor: Sailor) -> None:
    sailor.create(runs=True)
    with sailor.sits("container-run", sailor.short()) as shown:
        shown.await_text(PROMPT)
        sailor.quay.engine.client.kill(sailor.full())
        assert shown.end() == 137
        assert "does not run any more (Exited" in shown.text
        assert MENU not in shown.text


def test_an_engine_that_is_lost_leaves_the_terminal_as_it_was(sailor: Sailor) -> None:
    sailor.create()
    with sailor.sits("container-run", sailor.short()) as shown:
        usual = flags(shown)
        shown.await_text("is started")
        shown.await_text(PROMPT)
        assert flags(shown) != usual
        sailor.relay.cut()
        assert shown.end() == 4
        assert flags(shown) == usual
        assert "stopped answering" in shown.text
        assert MENU not in shown.text


def test_who_is_terminated_leaves_the_terminal_as_it_was(sailor: Sailor) -> None:
    sailor.create()
    with sailor.sits("container-run", sailor.short()) as shown:
        usual = flags(shown)
        shown.await_text("is started")
        shown.await_text(PROMPT)
        os.kill(shown.process, signal.SIGTERM)
        assert shown.end() == 130
        assert flags(shown) == usual


def test_a_command_without_a_terminal_gets_its_input_and_its_code_comes_back(
    sailor: Sailor,
) -> None:
    sailor.create()
    script = "cat; echo err >&2; exit 7"
    content = bytes(range(128)) * 4000
    found = sailor.does("container-run", sailor.short(), "--", "sh", "-c", script, typed=content)
    assert found.code == 7
    assert found.out.encode() == content
    assert found.err == f"{sailor.short()} is started\nerr\n"
    quiet = sailor.does("container-run", sailor.short(), "--", "true")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


@pytest.mark.parametrize(
    ("program", "code", "says"),
    [
        ("no-such-program", 127, "there is no program 'no-such-program' in the container"),
        ("/no/such", 127, "there is no program '/no/such' in the container"),
        ("/etc", 126, "'/etc' in the container cannot be executed: "),
    ],
)
def test_a_command_that_cannot_be_executed_ends_as_in_a_shell(
    sailor: Sailor, program: str, code: int, says: str
) -> None:
    sailor.create(runs=True)
    found = sailor.does("container-run", sailor.short(), "--", program, "--flag")
    assert (found.code, found.out) == (code, "")
    assert found.err.startswith(f"error: {says}")
    assert "unknown" not in found.err
    with sailor.sits("container-run", sailor.short(), "--", program) as shown:
        assert shown.end() == code
    assert f"error: {says}" in " ".join(shown.text.split())
    assert "OCI runtime" not in found.err + shown.text


@pytest.mark.parametrize("code", [126, 127])
def test_a_command_that_ran_has_its_own_code_and_words(sailor: Sailor, code: int) -> None:
    sailor.create(runs=True)
    said = 'OCI runtime exec failed: exec: "x": permission denied\r\n'
    script = f"printf '%s' '{said}'; exit {code}"
    found = sailor.does("container-run", sailor.short(), "--", "sh", "-c", script)
    assert (found.code, found.out.encode(), found.err) == (code, said.encode(), "")
    found = sailor.does("container-run", sailor.short(), "--", "sh", "-c", f"{script[:-8]}echo on")
    assert (found.code, found.out.encode()) == (0, f"{said}on\n".encode())


def test_a_command_without_a_name_runs_in_the_container_that_is_chosen(sailor: Sailor) -> None:
    full = sailor.create(runs=True)
    without = sailor.does("container-run", "--yes", "--", "ls")
    assert (without.code, without.out) == (2, "")
    assert "name a container: there is no terminal to choose one on" in without.err
    for program in ("container-run", "container-attach"):
        with sailor.sits(program, "--", "sh", "-c", "echo here: $1", "sh", "--") as shown:
            assert shown.end() == 0
        assert f"{sailor.short()} is your only" in shown.text
        assert "here: --" in shown.text
    empty = sailor.does("container-run", "", "--", "ls")
    assert empty.code != 0
    assert full in sailor.quay.names


def test_where_all_are_none_that_is_told(sailor: Sailor) -> None:
    kinds = {"stop": "running", "pause": "running", "unpause": "paused", "remove": "stopped"}
    for verb, kind in kinds.items():
        words = (f"container-{verb}", "--all", *(["--yes"] if verb in ("stop", "remove") else []))
        found = sailor.does(*words)
        assert (found.code, found.out, found.err) == (0, "", f"you have no {kind} container\n")
        assert sailor.does(*words, "--json").answer["containers"] == []
    found = sailor.does("container-upgrade", "--all", "--yes")
    assert (found.code, found.out) == (0, "")
    assert found.err == "you have no container that ds01 made\n"


def test_a_command_may_end_before_its_input(sailor: Sailor) -> None:
    sailor.create(runs=True)
    typed = b"x" * 5_000_000
    found = sailor.does("container-run", sailor.short(), "--", "head", "-c", "3", typed=typed)
    assert (found.code, found.out) == (0, "xxx")


def test_who_reads_no_more_is_no_lost_engine(sailor: Sailor) -> None:
    sailor.create(runs=True)
    line = ["bash", "-c", 'set -o pipefail; "$@" | head -c 5', "bash"]
    words = sailor.command("container-run", sailor.short(), "--", "sh", "-c", "cat /bin/* /bin/*")
    done = subprocess.run(
        [*line, *words], env=sailor.environment, capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, len(done.stdout), done.stderr) == (1, 5, b"")


def test_a_lost_engine_ends_a_command(sailor: Sailor) -> None:
    sailor.create(runs=True)
    line = sailor.command("container-run", sailor.short(), "--", "sh", "-c", "echo on; sleep 60")
    with subprocess.Popen(
        line,
        env=sailor.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"on\n"
        sailor.relay.cut()
        _, err = process.communicate(timeout=30)
    assert process.returncode == 4
    assert b"stopped answering" in err


@pytest.mark.parametrize("name", ["container-run", "container-attach"])
def test_a_shell_needs_a_terminal(sailor: Sailor, name: str) -> None:
    sailor.create(runs=True)
    found = sailor.does(name, sailor.short())
    assert found.code == 2
    assert "a shell needs a terminal: give a command, NAME -- CMD..." in found.err


@pytest.mark.parametrize("name", ["start", "stop", "pause", "unpause", "remove"])
def test_without_a_terminal_a_container_is_named(sailor: Sailor, name: str) -> None:
    sailor.create()
    found = sailor.does("ds01", "container", name)
    assert (found.code, found.out) == (2, "")
    assert "name a container: there is no terminal to choose one on" in found.err


@pytest.mark.parametrize("name", ["stop", "remove"])
def test_without_a_terminal_what_ends_something_needs_a_yes(sailor: Sailor, name: str) -> None:
    sailor.create(runs=True)
    found = sailor.does(f"container-{name}", sailor.short())
    assert (found.code, found.out) == (2, "")
    assert "there is no terminal to ask on: --yes goes on without" in found.err
    assert sailor.state() == "running"


def test_attach_needs_a_container_that_runs(sailor: Sailor) -> None:
    sailor.create()
    found = sailor.does("container-attach", sailor.short(), "--", "true")
    assert found.code == 1
    assert found.complaint == [
        f"error: {sailor.short()} does not run",
        f"hint:  container-run {sailor.short()} starts it",
    ]
    assert sailor.state() == "created"


def test_start_is_done_where_the_container_runs_already(sailor: Sailor) -> None:
    name = sailor.create()
    first = sailor.does("container-start", sailor.short())
    assert (first.code, first.out) == (0, f"{name}\n")
    again = sailor.does("container-start", sailor.short(), "--json")
    assert again.code == 0
    assert again.answer == {
        "schema": "ds01.started/1",
        "containers": [{"name": name, "outcome": "skipped", "reason": "it runs already"}],
    }


def test_one_chooses_among_containers_and_the_only_one_is_taken(sailor: Sailor) -> None:
    for each in ("one", "two"):
        sailor.create(each)
    with sailor.sits("container-start") as shown:
        shown.answer("Which container?", DOWN, ENTER)
        assert shown.end() == 0
    assert (sailor.state("one"), sailor.state("two")) == ("created", "running")
    with sailor.sits("container-stop") as shown:
        shown.await_text(f"{sailor.short('two')} is your only running container")
        shown.answer(f"Stop {sailor.short('two')}?", "y", ENTER)
        assert shown.end() == 0
    assert sailor.state("two") == "exited"
    with sailor.sits("container-stop") as shown:
        assert shown.end() == 1
        assert "you have no running container" in shown.text


def test_no_is_what_enter_says_to_a_stop(sailor: Sailor) -> None:
    sailor.create(runs=True)
    with sailor.sits("container-stop", sailor.short()) as shown:
        shown.answer("Stop", ENTER)
        assert shown.end() == 0
        assert "nothing is stopped" in shown.text
    assert sailor.state() == "running"


def test_all_are_ones_own(sailor: Sailor) -> None:
    names = {sailor.create(each, runs=True) for each in ("one", "two")}
    other = sailor.quay.host(sailor.uid - 1, "other")
    theirs = containers.bring_up(sailor.quay.wish(other, "theirs"), other).name
    for verb, state in (("pause", "paused"), ("unpause", "running")):
        found = sailor.does(f"container-{verb}", "--all")
        assert set(found.out.split()) == names, found.err
        assert sailor.state("one") == sailor.state("two") == state
    sailor.does("container-stop", "--all", "--yes", "--verbose", "--keep-container")
    assert sailor.state("one") == sailor.state("two") == "exited"
    sailor.does("container-remove", "--all", "--yes")
    assert sailor.quay.names == [theirs]
    assert sailor.quay.described(theirs)["State"]["Running"]
    refused = sailor.does("container-stop", theirs, "--yes")
    assert refused.code == 1
    assert "you have no container" in refused.err


def test_one_name_that_nobody_has_keeps_all_as_they_are(sailor: Sailor) -> None:
    sailor.create(runs=True)
    for verb in ("container-stop", "container-pause", "container-remove"):
        more = () if verb == "container-pause" else ("--force",)
        refused = sailor.does(verb, sailor.short(), "nosuch", *more)
        assert (refused.code, refused.out) == (1, "")
        assert "you have no container 'nosuch'" in refused.err
    assert sailor.state() == "running"


def test_a_stop_that_forces_asks_nothing_and_tells_when_it_is_asked_to(sailor: Sailor) -> None:
    name = sailor.create(runs=True)
    found = sailor.does("container-stop", sailor.short(), "-f", "-v", "-t", "3")
    assert (found.code, found.out) == (0, f"{name}\n")
    assert re.fullmatch(rf"stopped: {re.escape(name)}: killed, after [0-9.]+ s\n", found.err)


def test_the_list_shows_what_runs_and_with_all_what_does_not(sailor: Sailor) -> None:
    empty = sailor.does("container-list")
    assert (empty.code, empty.out) == (0, "")
    assert "you have no containers yet" in empty.err
    sailor.create("one", runs=True)
    sailor.create("two")
    plain = sailor.does("container-list")
    assert [line.split()[:2] for line in plain.out.splitlines()] == [
        ["NAME", "STATE"],
        [sailor.short("one"), "running"],
    ]
    assert plain.err == "1 container of yours runs; 1 stopped: container-list --all\n"
    every = sailor.does("container-list", "--all", "--format", "simple")
    assert every.out.split() == [sailor.short("one"), sailor.short("two")]
    answer = sailor.does("container-list", "-a", "--json").answer
    again = sailor.does("container-list", "-a", "--format", "json").answer
    for one in (*answer["containers"], *again["containers"]):
        del one["status"]  # since when
    assert answer == again
    assert answer["schema"] == "ds01.containers/1"
    assert [each["build"] for each in answer["containers"]] == ["current", "current"]
    detailed = sailor.does("container-list", "--detailed").out
    assert f"  full name    {sailor.full('one')}\n" in detailed


def test_a_terminal_has_room_for_every_container(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Row(
        container_id="0" * 64,
        name="a-thesis-with-a-name._.1722830498",
        image="i",
        image_id="",
        state="exited",
        status="Exited (137) 3 hours ago",
        created=0,
        labels={},
    )
    one = Standing(
        row=row,
        name="a-thesis-with-a-name",
        image="ds01-1722830498/a-thesis-with-a-name:latest",
        build="old",
        gpus="MIG-0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f,GPU-1",
        workspace="",
        kind="ds01",
    )
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, _table([one]))) > 80
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert max(map(len, _table([one]))) <= 80
    assert not capsys.readouterr().out


def test_stats_show_what_runs(sailor: Sailor) -> None:
    none = sailor.does("container-stats")
    assert (none.code, none.out) == (0, "")
    name = sailor.create(runs=True)
    found = sailor.does("container-stats", "--gpu", "--no-trunc")
    heading, row = found.out.splitlines()
    assert heading.split()[0] == "NAME"
    assert row.split()[0] == sailor.short()
    assert re.search(r"[0-9.]+%", row)
    (one,) = sailor.does("container-stats", sailor.short(), "--json").answer["containers"]
    assert one["full_name"] == name
    assert one["memory"] > 0
    assert one["processes"] >= 1
    refused = sailor.does("container-stats", "--watch", "--json")
    assert refused.code == 2
    with sailor.sits("container-stats", "--watch") as shown:
        shown.await_text("PIDS")
        shown.press(INTERRUPT)
        assert shown.end() == 0


def test_a_person_is_asked_before_a_container_goes(sailor: Sailor) -> None:
    sailor.create()
    with sailor.sits("container-remove", sailor.short()) as shown:
        shown.answer("Remove anonymous volumes, too?", ENTER)
        shown.answer("Remove", ENTER)
        shown.answer(f"Remove {sailor.short()}?", ENTER)
        assert shown.end() == 0
        assert "nothing is removed" in shown.text
    assert sailor.state() == "created"


def test_what_would_go_is_what_goes(sailor: Sailor) -> None:
    name = sailor.create()
    planned = sailor.does("container-remove", sailor.short(), "--dry-run")
    assert (planned.code, planned.out) == (0, f"container {name}\n")
    assert sailor.state() == "created"
    said = sailor.does("container-remove", sailor.short(), "--dry-run", "--json").answer
    done = sailor.does("container-remove", sailor.short(), "--skip-removal-confirm", "--json")
    assert done.code == 0
    assert {**done.answer, "dry_run": True} == said
    assert sailor.quay.names == []


def test_one_that_runs_stays_and_makes_the_exit_code_one(sailor: Sailor) -> None:
    running = sailor.create("one", runs=True)
    stopped = sailor.create("two")
    found = sailor.does("container-remove", sailor.short("one"), sailor.short("two"), "--yes")
    assert found.code == 1
    assert found.out == f"container {stopped}\n"
    says = (
        f"failed: {running}: it is running (container-stop {running}, or container-remove --force"
    )
    assert says in found.err
    assert found.complaint == ["error: 1 of 2 stay"]
    forced = sailor.does("container-remove", sailor.short("one"), "--force")
    assert (forced.code, forced.out) == (0, f"container {running}\n")
    assert sailor.quay.names == []


def test_an_image_goes_with_its_last_container_alone(sailor: Sailor) -> None:
    image = sailor.quay.engine.inspect(sailor.quay.tag)
    assert image is not None
    tag = moving_tag(sailor.uid, f"own-{sailor.quay.token}")
    sailor.quay.engine.tag(image.engine_id, tag)
    quay = sailor.quay
    own = f"ds01-{sailor.uid}/own-{quay.token}"
    object.__setattr__(quay, "tag", tag)
    for each in ("one", "two"):
        sailor.create(each)
    try:
        planned = sailor.does("container-remove", sailor.short("one"), "-i", "--dry-run")
        first = sailor.does("container-remove", sailor.short("one"), "--images", "--yes")
        assert planned.code == first.code == 1
        assert "containers were made from it" in first.err
        assert quay.engine.inspect(tag) is not None
        last = sailor.does("container-remove", sailor.short("two"), "--images", "--yes")
        assert last.code == 0, last.err
        assert last.out.endswith(f"image own-{quay.token}\n")
        assert quay.engine.inspect(tag) is None
    finally:
        quay.engine.remove(tag)
        object.__setattr__(quay, "tag", f"ds01-test/{quay.token}:latest")
    assert own


def test_an_image_that_is_not_ones_own_stays(sailor: Sailor) -> None:
    sailor.create()
    found = sailor.does("container-remove", sailor.short(), "--images", "--yes")
    assert found.code == 0
    assert found.out == f"container {sailor.full()}\n"
    assert sailor.quay.engine.inspect(sailor.quay.tag) is not None


def test_leaving_is_explained(sailor: Sailor) -> None:
    found = sailor.does("container-exit")
    assert found.code == 0
    assert "Type exit, or press Ctrl-D" in found.out


def test_without_an_engine_each_says_so(sailor: Sailor) -> None:
    sailor.relay.cut()
    for line in (["list"], ["stats"], ["start", "x"], ["stop", "x", "-f"], ["run", "x", "--", "y"]):
        found = sailor.does("ds01", "container", *line)
        assert (found.code, found.out) == (4, ""), line


def test_a_name_is_completed(sailor: Sailor) -> None:
    sailor.create("one")
    line = {"_DS01_COMPLETE_LINE": "container-start one"}
    words = sailor.command("container-start")
    done = subprocess.run(
        words, env={**sailor.environment, **line}, capture_output=True, check=True, timeout=60
    )
    assert done.stdout.decode().split("\t")[:2] == ["plain", sailor.short("one")]


def test_who_stops_a_container_learns_what_the_site_takes_back(
    sailor: Sailor, tmp_path: Path
) -> None:
    limits = tmp_path / "limits.yaml"
    limits.write_text("defaults: {gpu_hold_after_stop_h: 0.25, container_hold_after_stop_h: 0.5}\n")
    sailor.create(runs=True)
    sailor.variables["DS01_LIMITS"] = str(limits)
    says = "This machine takes back its GPUs after 0.25 h, the container itself after 0.5 h"
    assert says in sailor.does("container-stop", sailor.short(), "--yes").err


@pytest.mark.parametrize("asked", [b"GET /v1.4", b"HEAD /", b"PUT /", b"POST /v1.4"])
def test_an_engine_that_is_gone_in_the_middle_leaves_nothing_of_a_name(
    sailor: Sailor, asked: bytes
) -> None:
    """What it has of a container that was being made goes with the next one."""
    wish = sailor.quay.wish(sailor.quay.host(sailor.uid))
    words = (wish.name, sailor.quay.tag, "--workspace", wish.workspace)
    sailor.relay.cut_at = asked
    outcome = sailor.does("container-create", *words)
    assert outcome.code == 4, outcome.err
    assert "\nhint:  " in outcome.err
    assert sailor.full() not in sailor.quay.names
    sailor.relay.cut_at, sailor.relay.is_cut = b"", False
    outcome = sailor.does("container-create", *words)
    assert (outcome.code, outcome.out) == (0, f"{sailor.full()}\n"), outcome.err
    assert sailor.quay.names == [sailor.full()]
