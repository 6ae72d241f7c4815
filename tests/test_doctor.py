"""``ds01 doctor`` looks at everything that ds01 works with, and says what to do."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from images import SCRIPT
from servers import serving, status
from terminals import terminal

from ds01build.cli.doctor import rows
from ds01build.errors import NoEngine, Unavailable
from ds01build.workflow import doctor
from ds01build.workflow.checked import Checked
from ds01build.workflow.doctor import Machine
from ds01build.workflow.drivers import drivers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world import World

    from ds01build.engine.api import Engine

pytest_plugins = ("world_fixtures", "engine_fixtures")

SETUP = SCRIPT.with_name("user-setup")
HEADS = ("ok ", "warning ", "PROBLEM ", "unknown ", "Begin ", "error: ")


def examined(world: World, code: int, *words: str) -> dict[str, list[dict[str, Any]]]:
    outcome = world.ds01("doctor", "--json", *words)
    assert outcome.code == code, outcome.err + outcome.out
    answer = json.loads(outcome.out)
    assert answer["ok"] is (code == 0)
    found: dict[str, list[dict[str, Any]]] = {}
    for each in answer["checks"]:
        found.setdefault(each["topic"], []).append(each)
    return found


def problems(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    return [topic for topic, rows in found.items() if any(r["state"] == "problem" for r in rows)]


def test_a_machine_that_has_all_is_well(world: World) -> None:
    world.variables["DOCKER_HOST"] = ""
    found = examined(world, 0)
    topics = ["configuration", "limits", "store", "disk", "engine", "drivers", "uv", "apt", "git"]
    assert list(found) == [*topics, "index", "mirror"]
    assert found["index"][0]["says"] == f"answers: {world.index.url}"
    assert found["mirror"][0]["says"] == f"answers: {world.archive.url}"
    assert "1 image" in found["store"][0]["says"]


def test_each_problem_says_what_to_do(world: World) -> None:
    found = examined(world, 3, "--offline")
    assert problems(found) == ["engine"]
    assert found["engine"][0]["remedy"]
    text = world.ds01("doctor", "--offline")
    assert "PROBLEM  engine" in text.out
    assert "do: " in text.out
    assert text.complaint == ["error: 1 problem on this machine"]


def test_offline_asks_no_index_and_no_mirror(world: World) -> None:
    world.variables["DOCKER_HOST"] = ""
    before = len(world.index.server.requests)
    assert not {"index", "mirror"} & set(examined(world, 0, "--offline"))
    assert len(world.index.server.requests) == before


def test_an_index_and_a_mirror_that_are_out_of_reach_are_told_in_bounded_time(world: World) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        nowhere = f"http://user:secret@127.0.0.1:{taken.getsockname()[1]}"
        world.variables.update(
            {
                "DOCKER_HOST": "",
                "DS01_INDEX_URL": f"{nowhere}/simple",
                "DS01_APT_MIRROR": f"{nowhere}/debian",
            }
        )
        start = time.monotonic()
        outcome = world.ds01("doctor", "--json")
    assert time.monotonic() - start < 50
    assert outcome.code == 3
    assert "secret" not in outcome.out + outcome.err
    rows = {each["topic"]: (each["state"], each["remedy"]) for each in outcome.answer["checks"]}
    assert rows["index"] == ("problem", "DS01_INDEX_URL=URL names another index")
    assert rows["mirror"] == ("problem", "DS01_APT_MIRROR=URL names another mirror")


def test_an_index_that_lacks_what_is_asked_has_answered_and_one_that_fails_has_not(
    world: World,
) -> None:
    world.variables["DOCKER_HOST"] = ""
    assert examined(world, 0)["index"][0]["state"] == "ok"  # it has no pip
    with serving() as server:
        server.routes["/simple/pip/"] = status(503, {})
        world.variables["DS01_INDEX_URL"] = f"{server.url}/simple"
        found = examined(world, 3)
        assert problems(found) == ["index"]
        assert found["index"][0]["remedy"] == "DS01_INDEX_URL=URL names another index"
        server.routes["/simple/pip/"] = status(403, {})
        assert "netrc" in examined(world, 3)["index"][0]["remedy"]


def written(world: World, text: str, name: str = "config.toml") -> Path:
    """Write a file of the user's own configuration, and return its path."""
    path = Path(world.environment["HOME"]) / ".config/ds01" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def fault(world: World, topic: str, *words: str) -> dict[str, Any]:
    """Return the one problem that there is, which is of that topic, and says what to do."""
    world.variables["DOCKER_HOST"] = ""
    found = examined(world, 3, *words)
    assert problems(found) == [topic]
    (row,) = found[topic]
    assert row["remedy"]
    return row


def test_a_configuration_that_is_not_valid_is_one_problem(world: World) -> None:
    path = written(world, "[nosuch]\n")
    row = fault(world, "configuration")
    assert row["says"].startswith(f"{path}: 'nosuch': unknown table")
    assert row["remedy"] == f"edit {path}"
    rows = examined(world, 3)
    for topic in ("read-only", "uv", "index", "mirror"):
        (row,) = rows[topic]
        assert (row["state"], row["remedy"]) == ("unknown", None)
        assert row["says"] == "not looked at, since configuration has a problem"
    assert "unknown  uv " in world.ds01("doctor").out


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DS01_INDEX_URL", "http://[x"),
        ("DS01_STORE_RO", "relative"),
        ("DS01_ENGINE_NETWORK", "none"),
        ("DS01_PLAIN_REGISTRIES", "a/b"),
    ],
)
def test_a_variable_that_is_not_valid_is_one_problem_and_is_named(
    world: World, variable: str, value: str
) -> None:
    world.variables[variable] = value
    assert fault(world, "configuration")["remedy"] == f"unset {variable}"


def test_without_uv_the_index_is_no_second_problem(tmp_path: Path) -> None:
    def lack(_: Machine) -> Iterator[Checked]:
        raise Unavailable("no uv")

    found = list(doctor.looking(looked_at(tmp_path, None), {"uv": lack, "index": lack}))
    assert [(each.topic, each.state) for each in found] == [("uv", "problem"), ("index", "unknown")]
    assert found[0].remedy == "pip install --force-reinstall uv"
    assert found[1].says == "not looked at, since uv has a problem"


def test_what_is_wrong_with_containers_keeps_nothing_else_from_being_looked_at(
    world: World,
) -> None:
    path = written(world, "[containers]\nsudo = true\n")
    assert fault(world, "configuration")["remedy"] == f"edit {path}"
    assert examined(world, 3)["index"][0]["state"] == "ok"


def test_a_file_of_limits_that_keeps_containers_from_being_made_is_a_problem(world: World) -> None:
    path = world.root / "resource-limits.yaml"
    world.variables["DS01_LIMITS"] = str(path)
    for text in ("defaults: [", "defaults:\n  max_containers_per_user: many\n", "- a\n"):
        path.write_text(text)
        row = fault(world, "limits", "--offline")
        assert row["says"].startswith(f"{path}: ")
        assert f"puts {path} right" in row["remedy"]
        setup = world.ds01("user", "setup", "--json")
        assert row in setup.answer["checks"]
    path.write_text("defaults:\n  max_cpus: 2\n")
    beside = path.with_name("user-overrides.yaml")
    beside.write_text("- a\n")
    assert f"puts {beside} right" in fault(world, "limits", "--offline")["remedy"]
    path.unlink()
    assert fault(world, "limits", "--offline")["remedy"] == "unset DS01_LIMITS"
    path.mkdir()
    assert fault(world, "limits", "--offline")["remedy"] == f"ls -ld -- {path}"


def test_the_file_of_limits_that_counts_is_named(world: World) -> None:
    world.variables["DOCKER_HOST"] = ""
    path = world.root / "resource-limits.yaml"
    world.variables["DS01_LIMITS"] = str(path)
    path.write_text("defaults:\n  max_cpus: 2\n")
    own = written(world, "defaults: {}\n", "resource-limits.yaml")
    row, other = examined(world, 0, "--offline")["limits"]
    assert (row["state"], row["says"]) == ("ok", f"{path}: you are in the group student")
    assert (other["state"], other["remedy"]) == ("warning", "ds01 limits show")
    assert other["says"].startswith(f"{own} is not read")


def test_stores_that_are_only_read_are_looked_at(world: World) -> None:
    world.variables["DOCKER_HOST"] = ""
    good, gone = world.root / "theirs", world.root / "gone"
    shutil.copytree(world.store, good)
    world.variables.update({"DS01_STORE_RO": f"{good}:{gone}", "DS01_STORE_OWNERS": "nosuchuser"})
    owner, first, second = examined(world, 0, "--offline")["read-only"]
    assert (first["state"], first["says"]) == ("ok", f"{good}, of uid {os.geteuid()}")
    assert second["state"] == "warning"
    assert second["says"].startswith(f"{gone} is passed over: ")
    assert second["remedy"] == f"ls -ld -- {gone}, or take it out of DS01_STORE_RO"
    says = "'nosuchuser', whose stores are to be believed, is no user"
    assert (owner["says"], owner["remedy"]) == (says, "correct DS01_STORE_OWNERS")
    del world.variables["DS01_STORE_RO"], world.variables["DS01_STORE_OWNERS"]
    written(world, f'[store]\nread-only = ["{gone}"]\n')
    (row,) = examined(world, 0, "--offline")["read-only"]
    assert row["remedy"].endswith(", or take it out of store.read-only of the configuration")


def test_several_faults_of_one_file_have_a_line_each(world: World) -> None:
    path = world.root / "resource-limits.yaml"
    world.variables["DS01_LIMITS"] = str(path)
    path.write_text("defaults:\n  max_cpus: many\n  memory: many\n")
    lines = world.ds01("doctor", "--offline").out.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("PROBLEM  limits"))
    assert [str(path) in line for line in lines[first : first + 3]] == [True, True, True]
    assert lines[first + 2].strip().startswith("do: ")


def test_a_store_is_looked_at_and_not_made(world: World) -> None:
    world.variables.update({"DOCKER_HOST": "", "DS01_STORE": str(world.root / "new/store")})
    found = examined(world, 0, "--offline")
    assert "the first build makes it" in found["store"][0]["says"]
    assert not (world.root / "new").exists()


def test_a_store_that_others_may_write_to_is_a_problem_with_the_command_for_it(
    world: World,
) -> None:
    world.variables["DOCKER_HOST"] = ""
    world.store.chmod(0o777)
    row = examined(world, 3, "--offline")["store"][0]
    assert row["remedy"] == f"chmod go-w {world.store}"


def test_an_image_whose_manifest_is_gone_is_a_problem(world: World) -> None:
    world.variables["DOCKER_HOST"] = ""
    digest = world.images()["demo"].partition(":")[2]
    (world.store / "blobs/sha256" / digest).unlink()
    rows = examined(world, 3, "--offline")["store"]
    assert "is damaged: demo" in rows[-1]["says"]
    assert rows[-1]["remedy"] == "ds01 store verify --repair"


def test_tools_that_lack_are_warnings(world: World) -> None:
    world.variables.update({"DOCKER_HOST": "", "PATH": str(world.root / "nothing")})
    found = examined(world, 0, "--offline")
    assert [found[each][0]["state"] for each in ("apt", "git")] == ["warning", "warning"]


def looked_at(tmp_path: Path, error: Exception | None, engine: Engine | None = None) -> Machine:
    def ask() -> Engine:
        if error is not None or engine is None:
            raise error or AssertionError
        return engine

    return Machine(environment={}, home=tmp_path, engine=ask)


def test_no_engine_is_a_warning_and_a_silent_one_an_error(tmp_path: Path) -> None:
    (row,) = doctor.engine(looked_at(tmp_path, NoEngine("no engine answers", "start it")))
    assert (row.state, row.remedy) == ("warning", "start it")
    with pytest.raises(Unavailable):
        list(doctor.engine(looked_at(tmp_path, Unavailable("silent"))))


def test_an_engine_says_what_it_is(tmp_path: Path, engine: Engine) -> None:
    (row,) = doctor.engine(looked_at(tmp_path, None, engine))
    assert row.says == (
        f"Docker{' (containerd store)' if engine.kind == 'containerd' else ''}"
        f" {engine.version} at {engine.place}"
    )


def _write(root: Path, path: str, text: str = "") -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def said(root: Path, *runtimes: str, path: str = "") -> Iterator[tuple[str, str]]:
    for row in drivers(root, path or str(root), runtimes):
        yield row.state, row.says


def test_no_gpu_is_nothing_that_lacks(tmp_path: Path) -> None:
    assert list(said(tmp_path)) == [("ok", "no GPU: containers work on processors alone")]


def test_an_nvidia_driver_needs_its_device_library_and_toolkit(tmp_path: Path) -> None:
    _write(tmp_path, "sys/module/nvidia/version", "560.35.05\n")
    found = list(said(tmp_path))
    assert found[0] == ("ok", "NVIDIA 560.35.05")
    assert [state for state, _ in found[1:]] == ["problem"] * 3
    _write(tmp_path, "dev/nvidiactl")
    _write(tmp_path, "usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1")
    assert [state for state, _ in said(tmp_path)] == ["ok", "problem"]
    assert list(said(tmp_path, "runc", "nvidia")) == [("ok", "NVIDIA 560.35.05")]
    _write(tmp_path, "etc/cdi/nvidia.yaml")
    assert list(said(tmp_path, "runc")) == [("ok", "NVIDIA 560.35.05")]


def test_a_gpu_without_its_driver_is_a_problem(tmp_path: Path) -> None:
    _write(tmp_path, "sys/bus/pci/devices/0000:01:00.0/class", "0x030200\n")
    _write(tmp_path, "sys/bus/pci/devices/0000:01:00.0/vendor", "0x10de\n")
    assert [state for state, _ in said(tmp_path)] == ["problem"]


def test_an_amd_driver_is_told(tmp_path: Path) -> None:
    _write(tmp_path, "sys/module/amdgpu/version", "6.10.5\n")
    _write(tmp_path, "dev/kfd")
    assert list(said(tmp_path)) == [("ok", "AMD 6.10.5")]


def test_what_a_driver_says_is_shown_safely(tmp_path: Path) -> None:
    _write(tmp_path, "sys/module/nvidia/version", "\x1b[31mevil")
    assert list(said(tmp_path)) == [("ok", "no GPU: containers work on processors alone")]


def test_little_room_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = doctor.machine(world.environment, Path(world.environment["HOME"]))
    for free, state in ((20e9, "ok"), (5e9, "warning"), (1e8, "problem")):
        monkeypatch.setattr(doctor, "free_bytes", lambda _, free=free: int(free))
        rows = [each for each in doctor.examine(machine, offline=True) if each.topic == "disk"]
        assert [each.state for each in rows] == [state]


def test_a_terminal_gets_no_line_that_it_has_no_room_for(world: World, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="h") as short:  # so that each path has room
        world.variables.update(
            {"HOME": short, "DS01_STORE": f"{short}/store", "DOCKER_HOST": "tcp://127.0.0.1:1"}
        )
        commands: list[list[str | Path]] = [[SETUP, "--quick"], [SCRIPT, "doctor", "--offline"]]
        for command in commands:
            with terminal(command, world.environment, tmp_path, columns=400) as wide:
                wide.end()
            with terminal(command, world.environment, tmp_path) as shown:
                shown.end()
            assert shown.text.split() == wide.text.split()
            assert any(len(line) > 80 for line in wide.text.splitlines())
            for line in shown.text.splitlines():  # what a terminal breaks goes on at its edge
                assert line.startswith((*HEADS, " " * 24)), shown.text


def test_no_command_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    login, command = "l" * 40, f"mkdir -p -- /srv/{'d' * 50}"
    says = f"{login} (uid 5001, gid 5001); {login}, at /home/{login}, in containers"
    found = [
        Checked(topic="you", says=says, state="warning", remedy=f"{command}, or: {'x ' * 20}y"),
        Checked(topic="limits", says="one: is wrong\ntwo: is wrong", remedy="a b"),
        Checked(topic="disk", says="ok", remedy=f"ls -ld -- /srv/{'d' * 90}"),
    ]
    space = " " * 24
    assert rows(found) == [
        f"warning  you            {login} (uid 5001, gid",
        f"{space}5001); {login}, at",
        f"{space}/home/{login}, in",
        f"{space}containers",
        f"         do: {command},",
        f"             or: {'x ' * 20}y",
        "ok       limits         one: is wrong",
        f"{space}two: is wrong",
        f"{space}do: a b",
        "ok       disk           ok",
        f"         do: ls -ld -- /srv/{'d' * 90}",
    ]
