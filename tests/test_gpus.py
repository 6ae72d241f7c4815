"""Which GPUs a container gets: never more than one may have, and never what another one holds."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01build.container import Gpus, Identity, Specification, Wish, check, labels_of, read
from ds01build.container.devices import device_names
from ds01build.container.policy import Policy
from ds01build.errors import Ds01Error
from ds01build.gpus import (
    Caps,
    Gpu,
    Holding,
    Inventory,
    Slice,
    Wanted,
    allot,
    busy,
    held,
    show,
    usage,
    way_of,
)

GIB = 2**30
ANNA, BEN = 1001, 1002


def whole(index: int) -> Gpu:
    return Gpu(index=index, uuid=f"GPU-{index}", name="A100", memory=40 * GIB)


def sliced(index: int, *parts: int) -> Gpu:
    """Return a GPU with slices that have so many eighths of its memory each."""
    slices = [
        # A slice has a little less than its part.
        Slice(index=at, uuid=f"MIG-{index}-{at}", profile="", memory=part * 5 * GIB - GIB // 8)
        for at, part in enumerate(parts)
    ]
    return replace(whole(index), is_sliced=True, slices=tuple(slices))


def machine(*gpus: Gpu) -> Inventory:
    return Inventory(vendor="nvidia", driver="550.54.15", cuda="12.4", gpus=gpus)


def holding(*devices: str, uid: int = BEN, name: str = "b._.1002", **more: object) -> Holding:
    found = Holding(
        container=name,
        container_id=name,
        uid=uid,
        login="",
        is_running=True,
        devices=devices,
        count=len(devices),
    )
    return replace(found, **more)  # type: ignore[arg-type]


FOUR = machine(*map(whole, range(4)))


def test_the_first_free_gpus_are_given() -> None:
    gpus = allot(FOUR, [holding("GPU-0")], Wanted(uid=ANNA, count=2), Caps())
    assert gpus == Gpus(vendor="nvidia", devices=("GPU-1", "GPU-2"), slots=("1", "2"))


def test_slices_come_before_whole_gpus_and_from_the_gpu_with_most_of_them_left() -> None:
    inventory = machine(whole(0), sliced(1, 2, 2), sliced(2, 2, 2))
    gpus = allot(inventory, [holding("MIG-1-0")], Wanted(uid=ANNA, count=1), Caps())
    assert gpus.slots == ("2.0",)
    gpus = allot(inventory, [holding("MIG-1-0")], Wanted(uid=ANNA, count=4), Caps())
    assert gpus.slots == ("0", "1.1", "2.0", "2.1")


def test_a_gpu_that_is_sliced_and_has_no_slices_is_none() -> None:
    with pytest.raises(Ds01Error, match="are sliced, and no slices were made of them"):
        allot(machine(sliced(0)), [], Wanted(uid=ANNA, count=1), Caps())


def test_a_machine_without_gpus_says_so() -> None:
    with pytest.raises(Ds01Error, match="this machine has no GPU, or no driver for it") as caught:
        allot(Inventory(), [], Wanted(uid=ANNA, count=1), Caps())
    assert "--cpu-only" in caught.value.hint
    lost = replace(machine(), lost=("GPU 0 does not answer",))
    with pytest.raises(Ds01Error, match="no GPU of this machine answers: GPU 0 does not answer"):
        allot(lost, [], Wanted(uid=ANNA, count=1), Caps())


def test_a_refusal_says_what_there_is_and_what_one_has() -> None:
    taken = [holding("GPU-0", uid=ANNA), holding("GPU-1")]
    caps = Caps(slots=3, equivalents=2.0)
    with pytest.raises(Ds01Error) as caught:
        allot(FOUR, taken, Wanted(uid=ANNA, count=2), caps)
    assert str(caught.value) == (
        "2 GPUs asked for, and 1 can be had: 2 of 4 devices are free; you hold 1 of 2 GPUs;"
        " a container may have 3"
    )
    assert (caught.value.exit_code, caught.value.hint) == (1, "ds01 gpus")
    with pytest.raises(Ds01Error, match="1 GPU asked for, and none can be had: 0 of 4 devices"):
        allot(FOUR, [holding(*(f"GPU-{n}" for n in range(4)))], Wanted(uid=ANNA, count=1), Caps())


def test_who_may_have_slices_only_gets_no_whole_gpu() -> None:
    caps = Caps(allows_whole=False)
    with pytest.raises(Ds01Error, match="0 of 4 devices are free that are slices"):
        allot(FOUR, [], Wanted(uid=ANNA, count=1), caps)
    with pytest.raises(Ds01Error, match="GPU 2 is whole, and you may have slices only"):
        allot(FOUR, [], Wanted(uid=ANNA, devices=("GPU-2",)), caps)


def test_devices_are_named_by_uuid_or_slot() -> None:
    inventory = machine(whole(0), sliced(1, 4, 4))
    gpus = allot(inventory, [], Wanted(uid=ANNA, devices=("1.1", "GPU-0", "0")), Caps())
    assert (gpus.devices, gpus.slots) == (("GPU-0", "MIG-1-1"), ("0", "1.1"))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("GPU-9", "there is no GPU 'GPU-9'; there are 0, 1.0, 1.1"),
        ("1", "GPU 1 is there as its slices only: 1.0, 1.1"),
        ("GPU-1", "GPU 1 is there as its slices only: 1.0, 1.1"),
        ("1.0", "GPU 1.0 is held by the container b._.1002, which runs"),
    ],
)
def test_a_device_that_one_cannot_have_is_told(name: str, problem: str) -> None:
    inventory = machine(whole(0), sliced(1, 4, 4))
    with pytest.raises(Ds01Error) as caught:
        allot(inventory, [holding("MIG-1-0")], Wanted(uid=ANNA, devices=(name,)), Caps())
    assert str(caught.value) == problem


def test_a_container_of_ones_own_that_is_stopped_keeps_its_gpu() -> None:
    taken = [holding("GPU-0", uid=ANNA, name="a._.1001", is_running=False)]
    with pytest.raises(
        Ds01Error, match=r"your container a\._\.1001, which is stopped, and keeps it"
    ):
        allot(FOUR, taken, Wanted(uid=ANNA, devices=("0",)), Caps())


def test_named_devices_are_counted_like_others() -> None:
    with pytest.raises(Ds01Error, match="2 GPUs asked for, and 1 can be had"):
        allot(FOUR, [], Wanted(uid=ANNA, devices=("0", "1")), Caps(slots=1))
    with pytest.raises(Ds01Error, match="2 GPUs asked for, and 1 can be had"):
        allot(FOUR, [], Wanted(uid=ANNA, devices=("0", "1")), Caps(equivalents=1.5))


def test_a_gpu_that_was_whole_when_it_was_given_keeps_its_slices() -> None:
    inventory = machine(sliced(0, 4, 4), whole(1))
    assert set(busy(inventory, [holding("GPU-0")])) == {"GPU-0", "MIG-0-0", "MIG-0-1"}
    assert allot(inventory, [holding("0")], Wanted(uid=ANNA, count=1), Caps()).slots == ("1",)


def test_slices_count_by_their_memory() -> None:
    inventory = machine(sliced(0, 1, 2, 4), whole(1))
    shares = [each.share for each in inventory.devices]
    assert shares == [Fraction(1, 8), Fraction(1, 4), Fraction(1, 2), 1]
    taken = [holding("MIG-0-1", uid=ANNA), holding("1", uid=ANNA), holding("0.0")]
    assert usage(inventory, taken, ANNA) == Fraction(5, 4)


def test_what_no_label_names_counts_as_whole_and_keeps_no_device_from_others() -> None:
    taken = [holding("GPU-0", uid=ANNA, count=3), holding("GPU-gone", uid=ANNA)]
    assert usage(FOUR, taken, ANNA) == 4
    assert allot(FOUR, taken, Wanted(uid=BEN, count=3), Caps()).slots == ("1", "2", "3")


def test_amds_gpus_are_their_nodes_and_that_of_all() -> None:
    gpus = tuple(
        replace(
            whole(n), uuid=f"GPU-{n:016x}", nodes=(f"/dev/dri/renderD{128 + n}",), groups=("44",)
        )
        for n in range(2)
    )
    inventory = Inventory(vendor="rocm", gpus=gpus)
    found = allot(inventory, [holding("0")], Wanted(uid=ANNA, count=1), Caps())
    assert found == Gpus(
        vendor="rocm",
        devices=("/dev/kfd", "/dev/dri/renderD129"),
        slots=("1",),
        groups=("44",),
        uuids=("GPU-0000000000000001",),
    )


PARTS = st.lists(st.sampled_from([1, 2, 4]), max_size=4).filter(lambda parts: sum(parts) <= 8)
MACHINES = st.lists(st.one_of(st.none(), PARTS), min_size=1, max_size=4).map(
    lambda rows: machine(
        *(whole(n) if row is None else sliced(n, *row) for n, row in enumerate(rows))
    )
)
CAPS = st.builds(
    Caps,
    slots=st.one_of(st.none(), st.integers(0, 3)),
    equivalents=st.one_of(st.none(), st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.5, 2.0])),
    allows_whole=st.booleans(),
)


@given(MACHINES, CAPS, st.data())
def test_nobody_ever_has_more_than_he_may_or_what_another_one_has(
    inventory: Inventory, caps: Caps, data: st.DataObject
) -> None:
    uuids = [name for gpu in inventory.gpus for name in (gpu.uuid, *(s.uuid for s in gpu.slices))]
    rows = st.lists(st.tuples(st.sampled_from([ANNA, BEN]), st.sampled_from(uuids)), max_size=3)
    taken = [holding(uuid, uid=uid) for uid, uuid in data.draw(rows)]
    by_name = data.draw(st.lists(st.sampled_from(uuids), max_size=3))
    wanted = Wanted(uid=ANNA, count=data.draw(st.integers(1, 4)), devices=tuple(by_name))
    try:
        got = allot(inventory, taken, wanted, caps)
    except Ds01Error:
        return
    devices = [inventory.find(name) for name in got.devices]
    assert len(set(got.devices)) == len(got.devices) == len(got.slots)
    assert None not in devices, "a GPU is never given with its slices"
    assert len(got.devices) == (len(set(by_name)) or wanted.count)
    assert caps.slots is None or len(got.devices) <= caps.slots
    now = [*taken, holding(*got.devices, uid=ANNA)]
    assert caps.equivalents is None or usage(inventory, now, ANNA) <= caps.equivalents
    assert not busy(inventory, taken).keys() & set(got.devices)
    for gpu in inventory.gpus:
        if gpu.uuid in {name for each in taken for name in each.devices}:
            assert not {each.uuid for each in gpu.slices} & set(got.devices)
    assert caps.allows_whole or all(each and each.slice for each in devices)
    assert got == allot(inventory, tuple(reversed(taken)), wanted, caps)


OWN = {"ds01.uid": "1001:1001", "ds01.user": "anna"}


@pytest.mark.parametrize(
    ("labels", "devices", "count"),
    [
        ({"ds01.gpu.uuids": "GPU-a,MIG-b"}, ("GPU-a", "MIG-b"), 2),
        ({"ds01.gpu.uuid": "MIG-GPU-a-b/3/0"}, ("MIG-GPU-a-b/3/0",), 1),
        ({"ds01.gpu.slots": "0,1.2"}, ("0", "1.2"), 2),
        ({"ds01.gpu.allocated": "3"}, ("3",), 1),
        ({"ds01.gpu.uuids": "GPU-a", "ds01.gpu.slots": "7"}, ("GPU-a",), 1),
        ({"ds01.gpu.uuids": "GPU-a;rm -rf /", "ds01.gpu.slots": "7"}, ("7",), 1),
        ({"ds01.gpu.uuids": "GPU-a", "ds01.gpu.slot_count": "3"}, ("GPU-a",), 3),
        ({"ds01.gpu.count": "2"}, (), 2),
        ({"ds01.gpus": "2"}, (), 2),
        ({"aime.mlc.GPUS": "device=GPU-a"}, ("GPU-a",), 1),
        ({"aime.mlc.GPUS": '"device=GPU-a,GPU-b"'}, ("GPU-a", "GPU-b"), 2),
        ({"ds01.gpu.uuids": "/dev/dri/renderD128"}, ("/dev/dri/renderD128",), 1),
    ],
)
def test_labels_of_whatever_tool_say_what_a_container_holds(
    labels: dict[str, str], devices: tuple[str, ...], count: int
) -> None:
    found = held("thesis._.1001", "id", {**OWN, **labels}, is_running=True)
    assert found is not None
    assert (found.devices, found.count) == (devices, count)
    assert (found.uid, found.login) == (ANNA, "anna")


def test_the_word_all_is_no_device() -> None:
    found = held("thesis._.1001", "id", {"aime.mlc.GPUS": "all"}, is_running=True)
    assert found is not None
    assert (found.is_all, found.devices, found.uid) == (True, (), ANNA)
    assert allot(FOUR, [found], Wanted(uid=BEN, count=4), Caps()).slots == ("0", "1", "2", "3")


@pytest.mark.parametrize(
    "text",
    [
        "none",
        "-",
        "GPU-",
        "GPU-a b",
        "GPU-a\n",
        "/dev/sda",
        "GPU-a,,GPU-b",
        "GPU-" + "a" * 81,
        ",".join(f"GPU-{n}" for n in range(65)),
        "-1",
        "0.1.2",
        "\u0661",
    ],
)
def test_a_label_that_is_not_wholly_as_it_should_be_says_nothing(text: str) -> None:
    for key in ("ds01.gpu.uuids", "ds01.gpu.slots", "ds01.gpu.slot_count", "ds01.gpus"):
        assert held("x", "id", {key: text}, is_running=True) is None
    assert device_names(text) is None


@given(st.dictionaries(st.sampled_from(["ds01.gpu.uuids", "ds01.gpus", "ds01.uid"]), st.text()))
def test_no_label_is_a_traceback(labels: dict[str, str]) -> None:
    held("x._.1", "id", labels, is_running=False)


@given(st.integers(0, 64), st.lists(st.from_regex(r"GPU-[0-9a-f]{4}", fullmatch=True), unique=True))
def test_labels_say_again_which_gpus_were_wished(count: int, names: list[str]) -> None:
    wish = Wish(name="a", image="b", workspace="/c", gpus=count, devices=tuple(names), project="a")
    anna = Identity(uid=ANNA, gid=ANNA, login="anna")
    gpus = Gpus(vendor="nvidia", devices=("GPU-0",), slots=("0",)) if count or names else None
    wanted = Specification(wish=wish, identity=anna, gpus=gpus)
    labels = labels_of(wanted)
    assert read(labels) == wish
    found = held(wanted.name, "id", labels, is_running=False)
    assert (found.devices if found else ()) == (gpus.devices if gpus else ())


def test_labels_name_amds_gpus_and_not_the_node_of_all() -> None:
    gpus = Gpus(vendor="rocm", devices=("/dev/kfd", "/dev/dri/renderD128"), uuids=("GPU-1f",))
    anna = Identity(uid=ANNA, gid=ANNA, login="anna")
    wish = Wish(name="a", image="b", workspace="/c", gpus=1)
    facts = (("created_at", "2026-11-28T12:00:00Z"),)
    labels = labels_of(Specification(wish=wish, identity=anna, gpus=gpus, facts=facts))
    assert labels["ds01.gpu.uuids"] == labels["ds01.gpus"] == "GPU-1f"
    assert labels["ds01.gpu.slot_count"] == "1"
    assert labels["ds01.gpu.allocated_at"] == "2026-11-28T12:00:00Z"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"gpus": -1}, "-1 is no number of GPUs: it is one of 0 to 64"),
        ({"gpus": 65}, "65 is no number of GPUs: it is one of 0 to 64"),
        ({"devices": ("all",)}, "'all' are not GPUs, each named once by UUID or slot, as 0 or 0.1"),
        ({"devices": ("0", "0")}, "'0', '0' are not GPUs, each named once by UUID or slot"),
        ({"devices": ("0,1",)}, "'0,1' are not GPUs, each named once by UUID or slot"),
    ],
)
def test_what_is_no_wish_for_gpus_is_refused(more: dict[str, object], problem: str) -> None:
    wish = replace(Wish(name="a", image="b", workspace="/c"), **more)  # type: ignore[arg-type]
    with pytest.raises(Ds01Error) as caught:
        check(wish, Policy())
    assert str(caught.value).startswith(problem)


CDI = {"Source": "cdi", "ID": "nvidia.com/gpu=GPU-1"}


@pytest.mark.parametrize(
    ("info", "way"),
    [
        ({}, "request"),
        ({"DiscoveredDevices": [CDI]}, "cdi"),
        ({"DiscoveredDevices": [CDI], "Runtimes": {"nvidia": {}}}, "cdi"),
        ({"DiscoveredDevices": [{**CDI, "ID": "nvidia.com/gpu=0"}]}, "request"),
        ({"DiscoveredDevices": [{**CDI, "Source": "other"}], "CDISpecDirs": ["/x"]}, "request"),
        ({"CDISpecDirs": ["/etc/cdi"], "Runtimes": {"nvidia": {}}}, "request"),
        ({"CDISpecDirs": ["/etc/cdi"], "Runtimes": {"runc": {}}}, "cdi"),
        ({"CDISpecDirs": [], "Runtimes": {"runc": {}}}, "request"),
        ({"CDISpecDirs": None, "DiscoveredDevices": "all", "Runtimes": 3}, "request"),
        ({"DiscoveredDevices": [None, 3, {"Source": "cdi"}]}, "request"),
    ],
)
def test_an_engine_is_asked_by_cdi_where_it_knows_the_devices(
    info: dict[str, object], way: str
) -> None:
    assert way_of(info, ["GPU-1"]) == way
    assert way_of(info, ["GPU-1"], is_podman=True) == "cdi"
    assert way_of({**info, "CDISpecDirs": []}, ["GPU-1", "GPU-2"]) == "request"


def test_gpus_are_shown_with_who_holds_them() -> None:
    gpu = sliced(1, 1)
    named = replace(gpu, slices=(replace(gpu.slices[0], profile="1g.5gb"),))
    inventory = machine(whole(0), named, whole(2), sliced(3))
    taken = [
        holding("0"),
        holding("MIG-1-0", uid=ANNA, name="a._.1001", is_running=False),
        holding("GPU-gone", name="old"),
        holding(name="all", is_all=True),
    ]
    shown = [row[:5] for row in show.rows(inventory, taken)]
    assert shown == [
        ("0", "A100", "40.0 GiB", "1", "b._.1002"),
        ("1.0", "1g.5gb of A100", "4.9 GiB", "0.125", "a._.1001 (stopped)"),
        ("2", "A100", "40.0 GiB", "1", "nobody"),
    ]
    assert len(show.HEADING) == 6
    assert list(show.summary(inventory, taken)) == [
        "driver of NVIDIA 550.54.15, CUDA 12.4; 1 of 3 devices are free",
        "GPU 3 is sliced, and no slices were made of it",
        "old says it holds 1 GPU: GPU-gone",
        "all says it holds all GPUs: without their names",
    ]
    assert next(iter(show.rows(inventory, None)))[4] == "?"
    assert next(show.summary(inventory, None)) == "driver of NVIDIA 550.54.15, CUDA 12.4"
    assert list(show.summary(Inventory(), [])) == ["this machine has no GPU, or no driver for it"]


def test_what_is_shown_is_json_too() -> None:
    inventory = machine(whole(0), sliced(1, 4))
    taken = [holding("GPU-0", uid=ANNA, login="anna"), holding(count=2)]
    found = show.answer(inventory, taken)
    assert json.loads(json.dumps(found)) == found
    assert found["schema"] == "ds01.gpus/1"
    assert found["devices"] == [
        {
            "slot": "0",
            "uuid": "GPU-0",
            "name": "A100",
            "profile": "",
            "memory": 40 * GIB,
            "share": 1.0,
            "held_by": {
                "container": "b._.1002",
                "user": "anna",
                "uid": ANNA,
                "is_running": True,
            },
        },
        {
            "slot": "1.0",
            "uuid": "MIG-1-0",
            "name": "A100",
            "profile": "",
            "memory": 20 * GIB - GIB // 8,
            "share": 0.5,
            "held_by": None,
        },
    ]
    others = found["others"]
    assert isinstance(others, list)
    assert [(each["container"], each["count"]) for each in others] == [("b._.1002", 2)]
    assert show.answer(inventory, None)["holders_known"] is False
