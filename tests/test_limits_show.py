"""``ds01 limits show``: values with their places, from the files of a site, and nobody else's."""

from __future__ import annotations

import json
import os
import pwd
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ds01build.cli import run
from ds01build.cli.limits import _screen
from ds01build.engine.containers import Row
from ds01build.errors import Ds01Error
from ds01build.events import Event, Warned
from ds01build.workflow import hosts
from ds01build.workflow.limiting import SITE_LIMITS, Standing, limits_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = """
defaults: {max_cpus: 8, memory: 16g, memory_swap: 16g, shm_size: 8g, max_containers_per_user: 2}
default_group: student
enforcement: {aggregate_limits: true}
groups:
  student:
  lab: {max_cpus: 12, max_runtime_h: null, allow_full_gpu: true, max_gpu_equivalents: 1.5}
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the first file of a site that has an engine nowhere."""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "groups").mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    path = tmp_path / "resource-limits.yaml"
    path.write_text(TEXT)
    monkeypatch.setenv("DS01_LIMITS", str(path))
    return path


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def shown(*arguments: str) -> tuple[int, str, str]:
        code = run(["limits", "show", *arguments])
        return code, *capsys.readouterr()

    return shown


def way(path: Path) -> str:
    return (
        f"who administers this machine puts {path} right;"
        " DS01_LIMITS=FILE ds01 limits show tries another one out"
    )


def row(name: str) -> Row:
    return Row(
        container_id="0" * 64,
        name=name,
        image="i",
        image_id="",
        state="exited",
        status="Exited (0) 3 hours ago",
        created=0,
        labels={},
    )


def test_each_value_is_shown_with_its_place(
    site: Path, show: Callable[..., tuple[int, str, str]]
) -> None:
    (site.parent / "groups/lab.members").write_text("# people\nanna  # since May\n")
    code, out, err = show("anna")
    lines = {line.split("  ")[0]: line for line in out.splitlines() if line}
    assert code == 0
    assert out.startswith(f"anna (group lab), by {site}\n")
    assert lines["cpus"].split() == ["cpus", "12", "groups.lab.max_cpus"]
    assert lines["memory"].split() == ["memory", "16.0", "GiB", "defaults.memory"]
    assert lines["pids"].split(maxsplit=2)[1:] == ["4096", "ds01, since no file says it"]
    assert lines["max_runtime_h"].split() == ["max_runtime_h", "-", "groups.lab.max_runtime_h"]
    assert lines["idle_timeout_h"].split(maxsplit=2)[1:] == ["-", "nobody limits it"]
    assert lines["allow_full_gpu"].split()[:2] == ["allow_full_gpu", "yes"]
    assert "containers: not known\n" in out
    assert out.endswith("slice: ds01-lab-anna.slice, where systemd has the engine's cgroups\n")
    assert "there is no user 'anna' on this machine" in err
    assert "which containers there are is not known: " in err


def test_programs_get_the_same_as_json(
    site: Path, show: Callable[..., tuple[int, str, str]]
) -> None:
    (site.parent / "user-overrides.yaml").write_text("anna: {max_mig_instances: 3, odd: 1}\n")
    code, out, _ = show("anna", "--json")
    answer = json.loads(out)
    assert code == 0
    assert {key: answer[key] for key in ("schema", "user", "group", "file", "containers")} == {
        "schema": "ds01.limits/1",
        "user": "anna",
        "group": "override",
        "file": str(site),
        "containers": None,
    }
    beside = site.with_name("user-overrides.yaml")
    assert answer["limits"]["max_gpu_equivalents"] == {
        "value": 3.0,
        "from": f"{beside}: anna.max_mig_instances",
    }
    assert answer["limits"]["memory"] == {"value": 16 * 1024**3, "from": "defaults.memory"}
    assert answer["limits"]["max_tasks"]["value"] is None
    assert answer["slice"] == "ds01-override-anna.slice"
    assert answer["notes"] == [
        f"{beside}: anna.odd: unknown key: it limits nothing",
        "anna has a section, so that the values of student do not count",
    ]


def test_ones_own_are_shown_where_nobody_is_named(
    site: Path, show: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = show()
    assert code == 0
    assert out.startswith(f"{pwd.getpwuid(os.geteuid()).pw_name} (group student), by ")
    assert "no user" not in err


def test_no_file_is_no_error(
    site: Path, show: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.unlink()
    monkeypatch.delenv("DS01_LIMITS")
    monkeypatch.setattr(hosts, "SITE_LIMITS", site)
    code, out, _ = show("anna")
    assert code == 0
    assert out.startswith("anna (group student), by ds01 itself\n")
    assert f"note: there is no {site}: these are the limits of ds01 itself\n" in out


def test_a_file_that_is_named_and_not_there_takes_no_limit_away(
    site: Path, show: Callable[..., tuple[int, str, str]]
) -> None:
    site.unlink()
    assert show() == (
        1,
        "",
        f"error: DS01_LIMITS: there is no {site}\nhint:  unset DS01_LIMITS\n",
    )


def test_an_empty_name_is_nobody(site: Path, show: Callable[..., tuple[int, str, str]]) -> None:
    assert site.exists()
    code, out, err = show("")
    assert (code, out) == (2, "")
    assert "an empty name is none: leave it out, or give one" in err


def test_a_terminal_has_room_for_every_line(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tuple(row(f"container-number-{each}._.1722830498") for each in range(20))
    notes = ("a note that is longer than any terminal of eighty columns ever was, and not cut",)
    limits = replace(limits_at(site, "anna", lambda _: None), source="/x", notes=notes)
    found = Standing(limits=limits, containers=rows)
    monkeypatch.setenv("COLUMNS", "80")
    piped = list(_screen(found))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    lines = list(_screen(found))
    assert max(map(len, lines)) <= 80
    assert " ".join(" ".join(lines).split()) == " ".join(" ".join(piped).split())
    (line,) = (line for line in piped if line.startswith("containers: "))
    assert line.endswith("container-number-19._.1722830498")
    assert not capsys.readouterr().out


def test_a_wrong_file_is_an_error_with_its_place(
    site: Path, show: Callable[..., tuple[int, str, str]]
) -> None:
    site.write_text("defaults: {memory: 32x}")
    code, out, err = show()
    assert (code, out) == (1, "")
    assert err == (
        f"error: {site}: defaults.memory: expected a size, as 32g, or null for no limit,"
        f" found '32x'\nhint:  {way(site)}\n"
    )
    site.write_text(TEXT)
    beside = site.with_name("user-overrides.yaml")
    beside.write_text("anna: 7")
    code, _, err = show()
    assert (code, err) == (1, f"error: {beside}: anna: expected a table\nhint:  {way(beside)}\n")


def test_what_is_no_file_is_an_error(site: Path, show: Callable[..., tuple[int, str, str]]) -> None:
    site.unlink()
    os.mkfifo(site)
    code, _, err = show()
    assert (code, err) == (1, f"error: {site}: not a file\nhint:  ls -ld -- {site}\n")
    site.unlink()
    site.write_text("#" * (1 << 20) + "##")
    assert show()[2] == f"error: {site}: longer than 1048576 characters\nhint:  {way(site)}\n"


def test_a_file_in_ones_own_directory_loosens_nothing_and_that_is_said(
    site: Path, show: Callable[..., tuple[int, str, str]]
) -> None:
    own = site.parent / "home/.config/ds01/resource-limits.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("defaults: {max_cpus: null}")
    code, out, err = show()
    assert code == 0
    assert "\ncpus " in out
    assert "defaults.max_cpus" in out
    assert f"{own} is not read: limits are the machine's, in {SITE_LIMITS}\n" in err


def test_what_a_user_may_not_read_counts_as_empty_and_is_told(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("user-overrides.yaml", "groups/lab.members"):
        (site.parent / name).write_text("anna:\n")
    told: list[Event] = []
    denied = {"user-overrides.yaml", "lab.members"}
    opened = type(site).open

    def guarded(path: Path, *arguments: object, **settings: object) -> object:
        if path.name in denied:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **settings)  # type: ignore[call-overload]

    monkeypatch.setattr(type(site), "open", guarded)
    found = limits_at(site, "anna", told.append)
    assert found.group == "student"
    assert told == [
        Warned(f"{site.parent / name} is not for you to read, and counts as empty")
        for name in ("user-overrides.yaml", "groups/lab.members")
    ]
    denied.add(site.name)
    with pytest.raises(Ds01Error, match="Permission denied") as caught:
        limits_at(site, "anna", told.append)
    assert caught.value.hint == f"ls -l -- {site}"


def test_a_host_has_the_limits_of_its_user_and_reads_them_once(site: Path) -> None:
    told: list[Event] = []
    host = hosts.host(os.environ, site.parent / "home", told.append)
    assert host.limits().cpus == 8.0
    site.write_text("defaults: {max_cpus: 1}")
    assert host.limits().cpus == 8.0
