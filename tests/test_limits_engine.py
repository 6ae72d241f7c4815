"""Limits in real engines: what a container gets, and that there are no more than there may be."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from quays import at_once

from ds01build.cli import run
from ds01build.container import Resources
from ds01build.engine import creating
from ds01build.engine.capacity import capacity
from ds01build.engine.containers import Row
from ds01build.engine.owner import current
from ds01build.errors import Ds01Error
from ds01build.limits import Limits, resources
from ds01build.workflow import containers, hosts, limiting, owned, settling

if TYPE_CHECKING:
    from pathlib import Path

    from quays import Quay

    from ds01build.container import Specification
    from ds01build.engine.api import Engine
    from ds01build.workflow.containers import Host

pytest_plugins = ("engine_fixtures", "container_fixtures")

MIB = 1024**2
SOME = Limits(
    cpus=0.5,
    memory=96 * MIB,
    memory_swap=128 * MIB,
    shm_size=24 * MIB,
    pids=77,
    storage_tmp=12 * MIB,
)
# Where the kernel says a limit: in a cgroup namespace of version 2, or below controllers of 1.
CGROUP = """
cd /sys/fs/cgroup
if [ -e cgroup.controllers ]; then echo $(<memory.max) $(<cpu.max) $(<pids.max)
else echo $(<memory/memory.limit_in_bytes) $(<cpu/cpu.cfs_quota_us) $(<cpu/cpu.cfs_period_us) \
    $(<pids/pids.max); fi
"""


def test_the_kernel_holds_a_container_to_its_limits(quay: Quay) -> None:
    host = quay.host(limits=SOME)
    made = containers.bring_up(quay.wish(host), host)
    memory, quota, period, pids = quay.says(made.name, "bash", "-c", CGROUP).split()
    assert (int(memory), int(pids)) == (96 * MIB, 77)
    assert int(quota) / int(period) == 0.5
    mounts = quay.says(made.name, "bash", "-c", 'echo "$(</proc/mounts)"').splitlines()
    there = {line.split()[1]: line.split()[3].split(",") for line in mounts}
    assert f"size={24 * 1024}k" in there["/dev/shm"]
    assert f"size={12 * 1024}k" in there["/tmp"]
    assert "noexec" not in there["/tmp"], "what is compiled there is loaded from there"


def test_the_engine_says_the_limits_that_it_was_given(quay: Quay) -> None:
    host = quay.host(limits=SOME)
    found = quay.described(containers.create(quay.wish(host), host).name)["HostConfig"]
    assert (found["NanoCpus"], found["Memory"]) == (500_000_000, 96 * MIB)
    assert (found["ShmSize"], found["PidsLimit"]) == (24 * MIB, 77)
    assert found["MemorySwap"] in (128 * MIB, -1), "-1 where the kernel does not count swap"


def test_a_file_of_the_site_comes_to_the_engine_and_a_wrong_one_lets_nothing_be_made(
    quay: Quay, tmp_path: Path
) -> None:
    file = tmp_path / "resource-limits.yaml"
    environment = {"DOCKER_HOST": quay.engine.url, "DS01_LIMITS": str(file)}
    file.write_text("defaults: {memory: 64m, memory_swap: 32m}")
    host = hosts.host(environment, quay.host().home, quay.told.append)
    wish = quay.wish(replace(quay.host(), identity=host.identity))
    with pytest.raises(Ds01Error) as caught:
        containers.create(wish, host)
    assert str(caught.value) == (
        f"{file}: defaults.memory_swap: 32.0 MiB are less than memory, which is 64.0 MiB"
        " (defaults.memory)"
    )
    assert quay.names == []
    file.write_text("defaults: {max_cpus: 0.25, memory: 64m, max_containers_per_user: 9999}")
    found = quay.described(containers.create(wish, host).name)["HostConfig"]
    assert (found["NanoCpus"], found["Memory"]) == (250_000_000, 64 * MIB)
    assert (found["ShmSize"], found["PidsLimit"]) == (64 * MIB, 4096)


def test_no_limit_is_none_for_the_engine(quay: Quay) -> None:
    host = quay.host(limits=Limits(memory=96 * MIB))
    found = quay.described(containers.create(quay.wish(host), host).name)["HostConfig"]
    assert (found["NanoCpus"], found["PidsLimit"] or 0) == (0, 0)
    assert (found["MemorySwap"], found["ShmSize"]) == (-1, 96 * MIB)
    free = quay.host(limits=Limits())
    found = quay.described(containers.create(quay.wish(free, "free"), free).name)["HostConfig"]
    assert (found["Memory"], found["ShmSize"]) == (0, capacity(quay.engine).memory)


def test_an_engine_with_fewer_processors_than_the_limit_gives_all(quay: Quay) -> None:
    host = quay.host(limits=Limits(cpus=4096.0))
    found = quay.described(containers.create(quay.wish(host), host).name)["HostConfig"]
    assert found["NanoCpus"] == capacity(quay.engine).cpus * 10**9


def test_an_engine_says_what_it_has(engine: Engine) -> None:
    found = capacity(engine)
    assert found.cpus > 0
    assert found.memory > 64 * MIB
    assert found.cgroup_driver in ("systemd", "cgroupfs")
    given = resources(Limits(slice="ds01-a-b.slice"), found)
    expected = "ds01-a-b.slice" if found.cgroup_driver == "systemd" else ""
    assert given == Resources(shm_size=found.memory, cgroup_parent=expected)


def _limited(quay: Quay, most: int) -> Host:
    limits = Limits(
        max_containers=most, origins=(("max_containers", "defaults.max_containers_per_user"),)
    )
    uid = int(quay.token, 16) % 10**9 + 10**9  # of nobody who tests at the same time
    return quay.host(uid, f"u{uid}", limits=limits)


def test_one_container_too_many_is_refused_with_what_there_is(quay: Quay) -> None:
    host = _limited(quay, 2)
    containers.bring_up(quay.wish(host, "runs"), host)
    containers.create(quay.wish(host, "rests"), host)
    with pytest.raises(Ds01Error) as caught:
        containers.create(quay.wish(host, "more"), host)
    assert str(caught.value) == (
        f"you have 2 containers: rests-{quay.token}, runs-{quay.token} (runs); the limit is 2"
        " (defaults.max_containers_per_user)"
    )
    assert caught.value.hint == f"container-retire rests-{quay.token}"
    assert caught.value.exit_code == 1
    assert len(quay.names) == 2
    other = quay.host(1000, "bert")
    containers.create(quay.wish(other, "more"), other)


def test_who_may_have_none_gets_none(quay: Quay) -> None:
    host = _limited(quay, 0)
    with pytest.raises(Ds01Error, match="you have 0 containers; the limit is 0"):
        containers.create(quay.wish(host), host)
    assert quay.names == []


def test_containers_of_aimes_tools_count(quay: Quay) -> None:
    host = _limited(quay, 1)
    quay.engine.client.create_container_from_config(
        {"Image": quay.tag, "Cmd": ["bash"]}, f"old-{quay.token}._.{host.identity.uid}"
    )
    with pytest.raises(Ds01Error, match=f"1 container: old-{quay.token}; the limit is 1"):
        containers.create(quay.wish(host), host)


def test_a_container_is_replaced_where_there_is_no_room_for_another(quay: Quay) -> None:
    host = _limited(quay, 1)
    made = containers.create(quay.wish(host), host)
    containers.recreate(owned.find_own(made.name, host), host)
    assert quay.names == [made.name]
    less = replace(host, limits=lambda: Limits(max_containers=0))
    containers.recreate(owned.find_own(made.name, less), less)
    assert quay.names == [made.name]


def test_both_limits_of_gpus_hold_for_a_host(quay: Quay) -> None:
    limits = Limits(max_gpu_equivalents=2.0, aggregate_gpus=1.5, allow_full_gpu=False)
    caps = quay.host(limits=limits).caps
    assert (caps.equivalents, caps.slots, caps.allows_whole) == (1.5, None, False)


def _together(quay: Quay, host: Host, count: int) -> tuple[list[str], list[Ds01Error]]:
    return at_once(lambda n: containers.create(quay.wish(host, f"w{n}"), host).name, count)


def test_of_two_that_take_the_last_place_at_once_one_gets_it(quay: Quay) -> None:
    host = _limited(quay, 2)
    first = containers.create(quay.wish(host), host)
    made, refused = _together(quay, host, 2)
    assert quay.names == sorted([first.name, *made])
    assert len(made) == 1
    assert "the limit is 2" in str(refused[0])


def test_however_many_are_made_at_once_the_limit_holds(quay: Quay) -> None:
    host = _limited(quay, 2)
    made, _ = _together(quay, host, 5)
    assert quay.names == made
    assert 1 <= len(made) <= 2


def test_the_one_that_began_later_goes_also_while_the_first_has_no_name(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = _limited(quay, 1)
    name, begun, gone = creating._name, threading.Event(), threading.Event()

    def slowly(engine: Engine, container_id: str, wanted: str) -> None:
        if wanted.startswith("w0"):
            begun.set()
            assert gone.wait(30)
        name(engine, container_id, wanted)

    monkeypatch.setattr(creating, "_name", slowly)
    told: list[str] = []

    def early() -> None:
        told.append(containers.create(quay.wish(host, "w0"), host).name)

    # The later one has looked for room before the early one began.
    later = containers.specified(quay.wish(host, "w1"), host)
    thread = threading.Thread(target=early)
    thread.start()
    assert begun.wait(30)
    time.sleep(1.1)  # an engine's list counts in seconds
    with pytest.raises(Ds01Error, match="is not made, since others were made at once"):
        _settled(quay, later, host)
    gone.set()
    thread.join()
    assert quay.names == told == [f"w0-{quay.token}._.{host.identity.uid}"]


def test_one_that_was_whole_before_another_began_stays_whatever_the_clock_says(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = _limited(quay, 1)
    first = containers.create(quay.wish(host, "first"), host)
    later = property(lambda claim: (claim.name == first.name, ""))
    monkeypatch.setattr(Row, "rank", later)
    second = containers.specified(quay.wish(host, "second"), host)
    with pytest.raises(Ds01Error, match="is not made"):
        _settled(quay, second, host)
    assert quay.names == [first.name]


def test_one_that_never_becomes_whole_takes_no_place(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = _limited(quay, 1)
    wanted = containers.specified(quay.wish(host), host)
    other = f"other-{quay.token}._.{host.identity.uid}.creating.{_alive()}.0123abcd"
    config = {"Image": quay.tag, "Cmd": ["bash"]}
    left = quay.engine.client.create_container_from_config(config, other)["Id"]
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        quay.engine.client.remove_container(left)

    monkeypatch.setattr(time, "sleep", wait)
    later = property(lambda claim: (claim.name.startswith("other"), ""))
    monkeypatch.setattr(Row, "rank", later)
    _settled(quay, wanted, host)
    assert quay.names == [wanted.name]
    assert len(waited) == 1


def _settled(quay: Quay, wanted: Specification, host: Host) -> None:
    """Create a container that no room was looked for before."""
    objections = limiting.objections(wanted, host.limits())
    creating.create(
        quay.engine, wanted, lambda made: settling.settle(quay.engine, made, objections)
    )


def _alive() -> str:
    return str(current()).replace("/", ".")


def test_one_of_which_nobody_knows_whether_it_may_be_goes(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = _limited(quay, 1)

    def lost(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(settling, "claims", lost)
    with pytest.raises(KeyboardInterrupt):
        containers.create(quay.wish(host), host)
    assert quay.names == []


def test_what_is_being_made_counts_and_is_listed_nowhere_else(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = _limited(quay, 1)
    seen: list[tuple[str, bool]] = []

    def look(engine: Engine, *_: object) -> None:
        seen.extend((row.name, row.is_whole) for row in limiting.held(engine, host.identity.uid))
        assert owned.own(host) == ()
        raise KeyboardInterrupt

    monkeypatch.setattr(creating, "_name", look)
    with pytest.raises(KeyboardInterrupt):
        containers.create(quay.wish(host), host)
    assert seen == [(f"thesis-{quay.token}._.{host.identity.uid}", False)]


def test_what_a_user_has_is_shown_beside_what_he_may_have(
    quay: Quay,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    host = _limited(quay, 2)
    made = containers.bring_up(quay.wish(host), host)
    monkeypatch.setenv("DOCKER_HOST", quay.engine.url)
    (tmp_path / "limits.yaml").write_text("defaults:\n  max_containers_per_user:\n")
    monkeypatch.setenv("DS01_LIMITS", str(tmp_path / "limits.yaml"))
    assert run(["limits", "show", host.identity.login, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["containers"] == [{"name": made.name, "state": "running"}]
    assert run(["limits", "show", host.identity.login]) == 0
    assert f"containers: 1, 1 running: {made.name}\n" in capsys.readouterr().out
