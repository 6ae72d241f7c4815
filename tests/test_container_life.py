"""Containers start, pause, stop and go in real engines, and nobody's but one's own."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from engines import Tars, image
from tools_image import tools

from ds01build.engine import containers as engines
from ds01build.engine.load import load
from ds01build.errors import Ds01Error
from ds01build.limits import Limits
from ds01build.workflow import (
    containers,
    limiting,
    lives,
    measuring,
    owned,
    removing,
    standing,
)

if TYPE_CHECKING:
    from quays import Quay

    from ds01build.workflow.containers import Host

pytest_plugins = ("engine_fixtures", "container_fixtures")


@pytest.fixture
def host(quay: Quay) -> Host:
    """A user whom nobody else is, so that all his containers are this test's."""
    uid = 1_900_000_000 + secrets.randbelow(100_000_000)
    return quay.host(uid, f"u{uid}")


def made(quay: Quay, host: Host, name: str = "thesis", **more: object) -> str:
    return containers.create(quay.wish(host, name, **more), host).name


def raw(quay: Quay, name: str, labels: dict[str, str]) -> str:
    """Create a container as other tools do."""
    host = {"NetworkMode": "none", "Init": True}
    body = {"Image": quay.tag, "Cmd": ["sleep", "600"], "Labels": labels, "HostConfig": host}
    quay.engine.client.create_container_from_config(body, name)
    return name


def state(quay: Quay, name: str) -> str:
    return str(quay.described(name)["State"]["Status"])


def test_a_container_goes_through_its_life(quay: Quay, host: Host) -> None:
    name = made(quay, host)

    def outcome(act: object) -> str:
        found = act(owned.find(name, host), host)  # type: ignore[operator]
        return f"{found.outcome} {state(quay, name)}"

    assert outcome(lives.pause) == "skipped created"
    assert outcome(lives.start) == "started running"
    assert outcome(lives.start) == "skipped running"
    assert outcome(lives.pause) == "paused paused"
    assert outcome(lives.pause) == "skipped paused"
    assert outcome(lives.start) == "unpaused running"
    assert outcome(lives.pause) == "paused paused"
    assert outcome(lives.unpause) == "unpaused running"
    assert outcome(lives.unpause) == "skipped running"
    assert outcome(lives.pause) == "paused paused"
    assert outcome(lives.stop) == "stopped exited"
    assert outcome(lives.stop) == "skipped exited"
    assert outcome(lives.start) == "started running"


def test_a_stop_says_how_a_container_ended(quay: Quay, host: Host) -> None:
    name = made(quay, host)
    lives.wake(owned.find(name, host), host)
    gentle = lives.stop(owned.find(name, host), host)
    assert gentle.reason.startswith("ended by itself, after ")
    lives.wake(owned.find(name, host), host)
    killed = lives.stop(owned.find(name, host), host, is_killed=True)
    assert killed.reason.startswith("killed, after ")
    assert state(quay, name) == "exited"


def test_what_does_not_end_is_killed_in_time(quay: Quay, host: Host) -> None:
    deaf = ["bash", "-c", "trap '' TERM; while :; do sleep 1; done"]
    name = f"deaf-{quay.token}._.{host.identity.uid}"
    body = {"Image": quay.tag, "Cmd": deaf, "HostConfig": {"NetworkMode": "none"}}
    quay.engine.client.create_container_from_config(body, name)
    lives.wake(owned.find(name, host), host)
    time.sleep(0.5)  # until it does not listen
    begun = time.monotonic()
    outcome = lives.stop(owned.find(name, host), host, 1)
    assert 1 <= time.monotonic() - begun < 8
    assert outcome.reason.startswith("killed, after ")


def test_what_ends_as_soon_as_it_starts_is_told(quay: Quay, host: Host) -> None:
    name = f"short-{quay.token}._.{host.identity.uid}"
    body = {"Image": quay.tag, "Cmd": ["bash", "-c", "exit 3"]}
    quay.engine.client.create_container_from_config(
        {**body, "HostConfig": {"NetworkMode": "none"}}, name
    )

    def woken() -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:  # a busy machine may take longer than a moment
            lives.wake(owned.find(name, host), host)

    with pytest.raises(Ds01Error, match=r"soon as it was started \(exit code 3\)") as caught:
        woken()
    assert caught.value.hint == f"docker logs --tail 20 {name}"


def test_containers_of_other_tools_are_ones_own_and_those_of_others_are_not(
    quay: Quay, host: Host
) -> None:
    uid, login = host.identity.uid, host.identity.login
    own = {
        made(quay, host),
        raw(quay, f"aime-{quay.token}._.{uid}", {"aime.mlc.USER": login, "aime.mlc": login}),
        raw(quay, f"editor-{quay.token}", {"devcontainer.local_folder": f"{host.home}/x"}),
    }
    other = quay.host(uid - 1, "other")
    theirs = {
        made(quay, other, "theirs"),
        raw(quay, f"aime-{quay.token}._.{uid - 1}", {"aime.mlc.USER": login}),
        raw(quay, f"stranger-{quay.token}", {}),
    }
    assert {row.name for row in owned.mine(host)} == own
    for name in theirs:
        with pytest.raises(Ds01Error, match="you have no container"):
            owned.find(name, host)
    kinds = {each.row.name: each.kind for each in standing.standing(host, every=True)}
    assert sorted(kinds.values()) == ["aime", "ds01", "editor"]
    name = f"aime-{quay.token}"
    assert lives.start(owned.find(name, host), host).outcome == "started"
    assert lives.stop(owned.find(name, host), host, 0).outcome == "stopped"
    assert removing.remove([owned.find(name, host)], host).is_whole
    assert f"{name}._.{uid}" not in quay.names


def test_what_ds01_did_not_make_is_said_to_be_so(quay: Quay, host: Host) -> None:
    name = raw(quay, f"other-{quay.token}", {"ds01.uid": str(host.identity.uid)})
    assert [row.name for row in owned.mine(host)] == [name]
    assert [row.name for row in limiting.held(quay.engine, host.identity.uid)] == [name]
    with pytest.raises(Ds01Error) as caught:
        owned.find_own(name, host)
    assert str(caught.value) == (
        f"{name} was not made by ds01: container-stop and container-remove end it"
    )
    assert caught.value.hint == f"container-stop {name}; container-remove {name}"
    with pytest.raises(Ds01Error, match="the limit is 1") as caught:
        limiting.require_room(quay.engine, host.identity.uid, Limits(max_containers=1))
    assert caught.value.hint == f"container-stop {name}; container-remove {name}"


def test_of_two_containers_with_one_short_name_neither_is_taken_for_the_other(
    quay: Quay, host: Host
) -> None:
    full = made(quay, host)
    short = f"thesis-{quay.token}"
    assert [each.name for each in standing.standing(host, every=True)] == [short]
    other = raw(quay, short, {"ds01.uid": str(host.identity.uid)})
    names = [each.name for each in standing.standing(host, every=True)]
    assert names == [each.name for each in owned.mine(host)] == sorted([other, full])
    shown = str(quay.described(other)["Id"])[:12]
    with pytest.raises(Ds01Error, match="you have two containers that") as caught:
        owned.find(short, host)
    assert caught.value.hint == f"{full} names the first one, its id {shown} the other"
    assert owned.find(full, host).name == full
    assert owned.find(shown, host).name == other


def test_a_name_that_is_nearly_right_is_suggested(quay: Quay, host: Host) -> None:
    made(quay, host)
    with pytest.raises(Ds01Error, match=f"did you mean 'thesis-{quay.token}'"):
        owned.find(f"thesi-{quay.token}", host)


def test_a_container_of_an_old_build_is_marked(quay: Quay, host: Host) -> None:
    name = made(quay, host)
    (before,) = standing.standing(host, every=True)
    assert (before.build, before.image, before.row.is_running) == ("current", quay.tag, False)
    assert standing.standing(host, every=False) == ()
    tars = [tools("bash", "id", "env", "ls", "true"), tools("bash", "id")]
    load(quay.engine, image(tars), Tars.of(tars), [quay.tag])
    unlabelled = raw(quay, f"plain-{quay.token}._.{host.identity.uid}", {})
    found = {each.row.name: each for each in standing.standing(host, every=True)}
    assert found[name].build == "old"
    assert found[unlabelled].build == "current"
    assert found[name].answer()["build"] == "old"
    gone = raw(quay, f"gone-{quay.token}._.{host.identity.uid}", {"ds01.image": "ds01-0/no:x"})
    hostile = raw(quay, f"bad-{quay.token}._.{host.identity.uid}", {"ds01.image": "../../info"})
    found = {each.row.name: each for each in standing.standing(host, every=True)}
    assert found[gone].build == "gone"
    assert (found[hostile].build, found[hostile].image) == ("gone", "")


def test_a_container_without_labels_of_an_old_build_is_marked_too(quay: Quay, host: Host) -> None:
    raw(quay, f"plain-{quay.token}._.{host.identity.uid}", {})
    tars = [tools("bash", "id", "env", "ls", "true"), tools("bash", "id", "env")]
    load(quay.engine, image(tars), Tars.of(tars), [quay.tag])
    (found,) = standing.standing(host, every=True)
    assert (found.image, found.build) == (quay.tag, "old")


def test_what_a_container_uses_is_measured(quay: Quay, host: Host) -> None:
    name = made(quay, host)
    lives.wake(owned.find(name, host), host)
    row = owned.find(name, host)
    busy = quay.engine.client.exec_create(name, ["bash", "-c", "while :; do :; done"])["Id"]
    quay.engine.client.exec_start(busy, detach=True)
    before = measuring.samples([row], host)
    time.sleep(0.5)
    (found,) = measuring.measured([row], before, measuring.samples([row], host), host)
    assert 0.02 < found.cpu < 1.5  # of a machine that may be busy
    assert found.now.memory > 0
    assert found.now.processes >= 2
    assert found.answer()["cpu_percent"] == round(found.cpu * 100, 2)
    lives.stop(row, host, is_killed=True)
    assert measuring.samples([row], host) == {}


def test_a_container_that_runs_is_not_removed_unless_it_is_forced(quay: Quay, host: Host) -> None:
    running, stopped = made(quay, host, "one"), made(quay, host, "two")
    lives.wake(owned.find(running, host), host)
    planned = removing.plan(owned.mine(host), host, force=False)
    found = removing.remove(owned.mine(host), host)
    assert planned == found
    assert not found.is_whole
    outcomes = {each.name: (each.outcome, each.reason) for each in found.containers}
    assert outcomes == {running: ("failed", "it is running"), stopped: ("removed", "")}
    assert quay.names == [running]
    assert removing.remove(owned.mine(host), host, force=True).is_whole
    assert quay.names == []


def test_the_workspace_stays_when_a_container_goes(quay: Quay, host: Host) -> None:
    wish = quay.wish(host)
    made = containers.bring_up(wish, host)
    quay.says(made.name, "touch", "/workspace/kept")
    removing.remove(owned.mine(host), host, force=True, volumes=True)
    assert quay.names == []
    assert (host.home / "workspace" / wish.name / "kept").exists()


def test_anonymous_volumes_go_where_that_is_asked_for(quay: Quay, host: Host) -> None:
    def volumes() -> set[str]:
        return {each["Name"] for each in quay.engine.client.volumes()["Volumes"] or ()}

    left = []
    for name, is_asked in (("one", True), ("two", False)):
        full = f"{name}-{quay.token}._.{host.identity.uid}"
        body = {"Image": quay.tag, "Cmd": ["true"], "Volumes": {"/scratch": {}}}
        quay.engine.client.create_container_from_config(body, full)
        (mount,) = quay.described(full)["Mounts"]
        assert removing.remove([owned.find(full, host)], host, volumes=is_asked).is_whole
        left.append((str(mount["Name"]), str(mount["Name"]) in volumes()))
    assert [is_there for _, is_there in left] == [False, True]
    quay.engine.client.remove_volume(left[1][0])


def test_one_that_fails_keeps_no_other_from_its_turn(quay: Quay, host: Host) -> None:
    names = [made(quay, host, each) for each in ("one", "two")]
    rows = owned.mine(host)
    engines.remove(quay.engine, names[0])
    outcomes = lives.each(rows, lambda row: lives.start(row, host))
    assert [each.outcome for each in outcomes] == ["failed", "started"]
    assert "No such container" in outcomes[0].reason


def test_who_forces_a_removal_removes_also_what_runs_by_then(quay: Quay, host: Host) -> None:
    row = owned.find(made(quay, host), host)
    lives.wake(row, host)
    assert not removing.remove([row], host).is_whole
    assert removing.remove([row], host, force=True).is_whole
    assert quay.names == []


def test_a_link_in_the_place_of_a_workspace_is_not_followed(quay: Quay, host: Host) -> None:
    row = owned.find(made(quay, host), host)
    path = Path(row.labels["ds01.work_mount"])
    path.rmdir()
    path.symlink_to("/etc")
    with pytest.raises(Ds01Error, match="is a link by now"):
        lives.wake(row, host)
    assert not quay.described(row.name)["State"]["Running"]
