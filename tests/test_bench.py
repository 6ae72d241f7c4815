from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from bench import __main__ as command
from bench import cached, cold, figures, growth, memory, nothing, plan, population, report
from bench.figures import Outcome, Series, Verdict
from bench.room import Room
from values import python_lock

if TYPE_CHECKING:
    from pathlib import Path

    from world import World

pytest_plugins = ("world_fixtures",)

MIB = 1 << 20


@pytest.fixture
def room(world: World, tmp_path: Path) -> Room:
    """Return a room for a small locked recipe, from the index and mirror of this test."""
    (tmp_path / "bench").mkdir()
    return Room(
        directory=tmp_path / "bench", recipe=world.recipe, extra=tuple(world.environment.items())
    )


def named(outcome: Outcome) -> dict[str, Series]:
    assert all(value > 0 for one in outcome.series for value in one.values)
    return {one.name: one for one in outcome.series}


def test_cold_builds_from_nothing_and_fetches_the_same_files(room: Room, world: World) -> None:
    before = world.index.fetched("app-1.0-py3-none-any.whl")
    outcome = cold.measure(room, 2)
    assert world.index.fetched("app-1.0-py3-none-any.whl") == before + 4
    assert [len(one.values) for one in outcome.series] == [2, 2]
    assert outcome.note.startswith("2 wheels, ")


def test_a_file_that_comes_short_is_no_floor(room: Room) -> None:
    url = next(iter(room.part("locate").urls().values()))
    with pytest.raises(OSError, match="came as"):
        cold.discard([cold.Remote(10**9, url)])


def test_cached_writes_the_python_layer_anew_in_every_round(room: Room) -> None:
    outcome = cached.measure(room, 1)
    assert len(outcome.series) == 9
    kept = Room(directory=room.directory / "kept", recipe=room.recipe, extra=room.extra)
    cached.forget(kept.store(), kept.lock())
    answer = json.loads(kept.run("build", "--frozen", "--offline", "--json", "--quiet"))
    assert [each["action"] for each in answer["layers"] if each["tier"] == "python"] == ["written"]
    assert {each["action"] for each in answer["layers"] if each["tier"] == "base"} == {"reused"}


def test_nothing_is_measured_more_often_than_the_rest(room: Room) -> None:
    outcome = nothing.measure(room, 1, least=3)
    assert {len(one.values) for one in named(outcome).values()} == {3}


def test_memory_is_that_of_a_build_of_the_large_wheel(room: Room) -> None:
    outcome = memory.measure(room, 1, size=2 * MIB)
    assert named(outcome)["ds01"].median > 5
    assert "a wheel of 2 MB" in outcome.note


def test_the_large_wheel_is_as_large_as_asked_and_packs_in_part(tmp_path: Path) -> None:
    memory.large(tmp_path / "large.whl", 4 * MIB)
    packed = (tmp_path / "large.whl").stat().st_size
    assert packed == pytest.approx(4 * MIB, rel=0.02)
    with zipfile.ZipFile(tmp_path / "large.whl") as archive:
        assert archive.testzip() is None
        assert sum(each.file_size for each in archive.infolist()) == pytest.approx(
            6 * MIB, rel=0.01
        )


def test_memory_counts_what_is_held_and_leaves_children_apart() -> None:
    child = "import time; held = bytearray(50 << 20); time.sleep(0.3)"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        peak = memory.watch(process)
    assert peak.children > 50 * MIB > peak.own > 0


def test_plan_has_a_lock_that_the_command_accepts(room: Room) -> None:
    outcome = plan.measure(room, 1, tiers=120)
    assert outcome.note == "120 tiers, 240 wheels, 100 layers"
    assert len(named(outcome)) == 2


def test_growth_builds_recipes_that_prefer_what_is_locked(room: Room) -> None:
    outcome = growth.measure(room, 1, counts=(2, 4), packages=("other",))
    assert outcome.note == "2 wheels, 37 .debs, 2 layers"
    met = {verdict.name: verdict.value for verdict in outcome.verdicts}
    assert met["engine / layers, 30 on one site.lock"] >= 1
    assert met["store / files, 1 real builds, prefer"] > 0.1
    assert len(named(outcome)["plan, each of 4"].values) == 4


def test_what_a_site_has_is_held_once_wherever_its_users_put_their_own() -> None:
    site = population.grouped(python_lock(3), None)
    apart = growth.held(population.sharing(site, 20, "own"), None)
    spread = growth.held(population.sharing(site, 20, "all"), None)
    prefers = growth.held(population.sharing(site, 20, "all"), site)
    assert prefers.stored == apart.stored < spread.stored


def test_a_ratio_compares_within_rounds() -> None:
    ours = Series(name="a", unit="s", values=(2.0, 20.0, 3.0))
    theirs = Series(name="b", unit="s", values=(1.0, 10.0, 1.0))
    assert figures.ratio(ours, theirs) == 2.0


@pytest.mark.parametrize(("value", "kind", "met"), [(2.0, "at most", 1), (2.0, "at least", 0)])
def test_a_missed_bound_is_said_and_makes_the_exit_code_1(
    value: float,
    kind: str,
    met: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    verdict = Verdict(name="x", value=value, bound=3.0, unit="x", kind=kind)  # type: ignore[arg-type]
    series = Series(name="y", unit="s", values=(1.0, 2.0, 4.0))
    outcome = Outcome(scenario="plan", series=(series,), verdicts=(verdict,))
    monkeypatch.setitem(command.SCENARIOS, "plan", lambda _room, _rounds: outcome)
    file = tmp_path / "answer.json"
    assert command.main(["--only", "plan", "--json", str(file)]) == 1 - met
    (answer,) = json.loads(file.read_text())
    assert answer["series"][0]["median"] == 2.0
    assert answer["verdicts"][0]["met"] is bool(met)
    assert ("MISSED" in capsys.readouterr().out) is not bool(met)


def test_tables_and_plots_are_made_from_what_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = Outcome(
        scenario="some",
        series=(Series(name="a & b, first", unit="s", values=(1.0, 3.0, 2.0)),),
        verdicts=(Verdict(name="b / a", value=2.0, bound=8.0, unit="x", kind="at least"),),
    )
    path, svg = tmp_path / "a.json", tmp_path / "a.svg"
    path.write_text(json.dumps([figures.answer(outcome)]))
    assert report.main([str(path), "some", "--plot", str(svg)]) == 0
    assert capsys.readouterr().out == (
        "| measured | median | spread |\n| --- | --- | --- |\n"
        "| a & b, first | 2.00 s | 1.00 to 3.00 s |\n\n"
        "| ratio or limit | measured | bound | |\n| --- | --- | --- | --- |\n"
        "| b / a | 2.00 x | at least 8 | **missed** |\n"
    )
    texts = [one.text for one in ET.fromstring(svg.read_bytes()).iter() if one.text]
    assert {"a & b, first", "2.00 s"} <= set(texts)
    with pytest.raises(SystemExit):
        report.main([str(path), "other"])
