from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from ds01build import process
from ds01build.errors import Unavailable
from ds01build.process import Completed, run

PATH = {"PATH": "/usr/bin:/bin"}
HERE = Path("/")


def test_a_program_leaves_its_code_and_both_outputs() -> None:
    done = run(["sh", "-c", "echo out; echo err >&2; exit 3"], environment=PATH, cwd=HERE)
    assert done == Completed(3, "out\n", "err")


def test_words_reach_the_program_as_they_are() -> None:
    words = ["; echo x", "$HOME", "`id`", "*", "", "a\nb", "--", "'"]
    done = run(["printf", "%s|", *words], environment=PATH, cwd=HERE)
    assert done.stdout == "|".join(words) + "|"


def test_a_program_sees_the_given_environment_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET", "x")
    environment = {"A": "1", "B": ""}
    assert run(["/usr/bin/env"], environment=environment, cwd=HERE).stdout == "A=1\nB=\n"


def test_a_program_runs_where_it_is_told(tmp_path: Path) -> None:
    assert run(["pwd"], environment=PATH, cwd=tmp_path).stdout == f"{tmp_path}\n"


def test_a_program_has_no_input(tmp_path: Path) -> None:
    kept = os.dup(0)
    (tmp_path / "input").write_text("typed")
    try:
        os.dup2(os.open(tmp_path / "input", os.O_RDONLY), 0)
        assert run(["cat"], environment=PATH, cwd=HERE).stdout == ""
    finally:
        os.dup2(kept, 0)
        os.close(kept)


def test_a_program_reads_its_input_to_the_end() -> None:
    done = run(["cat"], environment=PATH, cwd=HERE, input=b"x" * 4096)
    assert done.stdout == "x" * 4096
    assert run(["true"], environment=PATH, cwd=HERE, input=b"unread").code == 0


def test_a_program_has_a_session_of_its_own() -> None:
    script = "import os; print(os.getsid(0) == os.getpid())"
    assert run([sys.executable, "-c", script], environment={}, cwd=HERE).stdout == "True\n"


def test_output_that_is_not_text_is_replaced() -> None:
    done = run(["printf", r"\377\n"], environment=PATH, cwd=HERE)
    assert done.stdout == "\ufffd\n"


def test_much_on_both_outputs_blocks_nobody() -> None:
    script = "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2"
    done = run(["sh", "-c", script], environment=PATH, cwd=HERE)
    assert (len(done.stdout), len(done.stderr)) == (300_000, 600_000)


def test_a_missing_program_is_named() -> None:
    with pytest.raises(Unavailable) as caught:
        run(["no-such-program", "--version"], environment=PATH, cwd=HERE)
    assert str(caught.value) == "no-such-program is not installed"
    assert caught.value.exit_code == 4


def test_a_file_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_bytes(b"\x7fELF")
    tool.chmod(0o755)
    with pytest.raises(Unavailable) as caught:
        run([tool], environment=PATH, cwd=HERE)
    assert str(caught.value) == f"{tool} cannot be started: Exec format error"


# A grandchild says its id, so that a test can see whether it is still there.
SLEEPER = "sleep 60 & echo $! > pid"


def is_running(pid: int) -> bool:
    """Say whether a process is there; one that has ended and that nobody waits for is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def sleeper_has_ended(directory: Path) -> bool:
    pid = int((directory / "pid").read_text())
    for _ in range(100):
        if not is_running(pid):
            return True
        time.sleep(0.01)
    os.kill(pid, 9)
    return False


@pytest.mark.parametrize(
    "rest",
    [
        "wait",  # the program waits too
        "exit 0",  # it has ended, and the grandchild holds its output
        "exec sleep 60 >&- 2>&-",  # it runs on without output
    ],
)
def test_a_deadline_ends_the_program_and_what_it_started(tmp_path: Path, rest: str) -> None:
    start = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        run(["sh", "-c", f"{SLEEPER}; {rest}"], environment=PATH, cwd=tmp_path, seconds=0.4)
    assert str(caught.value) == "sh did not finish within 0 seconds"
    assert time.monotonic() - start < 5
    assert sleeper_has_ended(tmp_path)


def test_too_much_output_ends_the_program_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "OUTPUT_LIMIT", 1000)
    with pytest.raises(Unavailable) as caught:
        run(["sh", "-c", f"{SLEEPER}; yes"], environment=PATH, cwd=tmp_path, seconds=30)
    assert str(caught.value) == "sh printed more than 1000 bytes"
    assert sleeper_has_ended(tmp_path)


def test_an_interruption_ends_the_program_and_what_it_started(tmp_path: Path) -> None:
    script = f"{SLEEPER}; sleep 0.2; kill -INT $PPID; wait"
    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", script], environment=PATH, cwd=tmp_path, seconds=30)
    assert sleeper_has_ended(tmp_path)
