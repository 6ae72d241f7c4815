"""``ds01 doctor`` looks at everything that ds01 works with, and says what to do."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from servers import serving, status

from ds01build.errors import NoEngine, Unavailable
from ds01build.workflow import doctor
from ds01build.workflow.doctor import Machine
from ds01build.workflow.drivers import drivers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world import World

    from ds01build.engine.api import Engine

pytest_plugins = ("world_fixtures", "engine_fixtures")


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
    topics = ["configuration", "store", "disk", "engine", "drivers", "uv", "apt", "git"]
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
    rows = {each["topic"]: each["state"] for each in outcome.answer["checks"]}
    assert (rows["index"], rows["mirror"]) == ("problem", "problem")


def test_an_index_that_lacks_what_is_asked_has_answered_and_one_that_fails_has_not(
    world: World,
) -> None:
    world.variables["DOCKER_HOST"] = ""
    assert examined(world, 0)["index"][0]["state"] == "ok"  # it has no pip
    with serving() as server:
        server.routes["/simple/pip/"] = status(503, {})
        world.variables["DS01_INDEX_URL"] = f"{server.url}/simple"
        assert problems(examined(world, 3)) == ["index"]


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
