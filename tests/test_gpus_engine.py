"""Who gets which GPU in real engines: devices are made up, and containers that hold them exist.

An engine looks for devices when a container starts, so that none of these does.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from quays import at_once

from ds01build.container import full_name
from ds01build.engine import containers as engines
from ds01build.engine import creating
from ds01build.engine.containers import claims
from ds01build.engine.owner import current
from ds01build.errors import Ds01Error, Unavailable
from ds01build.events import Note, Warned
from ds01build.gpus import Caps, Gpu, Inventory, Slice
from ds01build.limits import Limits
from ds01build.workflow import allotting, containers, owned
from ds01build.workflow.settling import settle

if TYPE_CHECKING:
    from quays import Quay

    from ds01build.engine.api import Engine
    from ds01build.workflow.containers import Host

pytest_plugins = ("engine_fixtures", "container_fixtures")

GIB = 2**30


def machine(quay: Quay, *, wholes: int = 2, slices: int = 0) -> Inventory:
    """Return an inventory that no other test has: whole GPUs, then one with slices, if any."""
    gpus = [
        Gpu(index=n, uuid=f"GPU-{quay.token}-{n}", name="A100", memory=40 * GIB)
        for n in range(wholes)
    ]
    if slices:
        parts = tuple(
            Slice(index=n, uuid=f"MIG-{quay.token}-{n}", profile="1g.5gb", memory=5 * GIB)
            for n in range(slices)
        )
        last = Gpu(index=wholes, uuid=f"GPU-{quay.token}-{wholes}", name="A100", memory=40 * GIB)
        gpus.append(replace(last, is_sliced=True, slices=parts))
    return Inventory(vendor="nvidia", driver="550.54.15", cuda="12.4", gpus=tuple(gpus))


def user(quay: Quay, number: int = 1) -> int:
    """Return the uid of a user whom no other test has: one counts in all of an engine."""
    return 1_000_000 + 16 * int(quay.token[:6], 16) + number


def host_with(quay: Quay, inventory: Inventory, number: int = 1, caps: Caps | None = None) -> Host:
    uid = user(quay, number)
    host = quay.host(uid, f"user{uid}")
    given = caps or Caps()
    limits = Limits(
        max_gpu_slots_per_container=given.slots,
        max_gpu_equivalents=given.equivalents,
        allow_full_gpu=given.allows_whole,
    )
    return replace(host, inventory=lambda: inventory, limits=lambda: limits)


def requested(quay: Quay, name: str) -> list[str]:
    (request,) = quay.described(name)["HostConfig"]["DeviceRequests"]
    assert (request["Driver"], request["Capabilities"]) == ("nvidia", [["gpu"]])
    found: list[str] = request["DeviceIDs"]
    return found


def test_a_container_without_gpus_asks_no_driver_and_has_none(quay: Quay) -> None:
    def asked() -> Inventory:
        raise Unavailable("the driver was asked")

    host = replace(quay.host(), inventory=asked)
    made = containers.bring_up(quay.wish(host), host)
    assert quay.described(made.name)["HostConfig"]["DeviceRequests"] in (None, [])
    assert "NVIDIA_VISIBLE_DEVICES=void" in quay.says(made.name, "env").splitlines()
    assert allotting.missing(quay.described(made.name)["Config"]["Labels"], host) == ()


def test_each_container_of_any_user_gets_a_gpu_of_its_own(quay: Quay) -> None:
    inventory = machine(quay, wholes=2)
    anna, ben = host_with(quay, inventory), host_with(quay, inventory, 2)
    first = containers.create(quay.wish(anna, "a", gpus=1), anna)
    second = containers.create(quay.wish(ben, "b", gpus=1), ben)
    assert requested(quay, first.name) == [inventory.gpus[0].uuid]
    assert requested(quay, second.name) == [inventory.gpus[1].uuid]
    with pytest.raises(Ds01Error, match="1 GPU asked for, and none can be had: 0 of 2 devices"):
        containers.create(quay.wish(anna, "c", gpus=1), anna)
    assert quay.names == sorted([first.name, second.name])
    engines.remove(quay.engine, first.name)
    third = containers.create(quay.wish(anna, "c", gpus=1), anna)
    assert requested(quay, third.name) == [inventory.gpus[0].uuid]


def test_all_containers_of_a_user_count_together(quay: Quay) -> None:
    inventory = machine(quay, wholes=1, slices=3)
    anna = host_with(quay, inventory, caps=Caps(equivalents=0.25, slots=2))
    made = containers.create(quay.wish(anna, "a", gpus=1), anna)
    assert made.gpus is not None
    assert made.gpus.slots == ("1.0",)
    with pytest.raises(Ds01Error, match=r"2 GPUs asked for, and 1 can be had: .*0\.125 of 0\.25"):
        containers.specified(quay.wish(anna, "b", gpus=2), anna)
    wish = quay.wish(anna, "b", devices=("1.2",))
    assert requested(quay, containers.create(wish, anna).name) == [f"MIG-{quay.token}-2"]


def test_of_those_who_want_the_last_gpu_at_once_one_gets_it(quay: Quay) -> None:
    inventory = machine(quay, wholes=1)

    def take(number: int) -> str:
        host = host_with(quay, inventory, number)
        return containers.create(quay.wish(host, f"n{number}", gpus=1), host).name

    names, _ = at_once(take, 6)
    assert len(names) == 1
    assert quay.names == names


def laid(quay: Quay, host: Host, name: str, *, owner: str = "", uuid: str = "") -> str:
    """Make a container that holds a GPU past all checks, and return its id."""
    wish = quay.wish(host, name, gpus=1)
    full = f"{wish.name}._.{host.identity.uid}"
    called = f"{full}.creating.{owner.replace('/', '.')}.0123abcd" if owner else full
    body = {"Image": wish.image, "Cmd": ["sh"], "Labels": {"ds01.gpu.uuids": uuid}}
    made: str = quay.engine.client.create_container_from_config(body, called)["Id"]
    return made


def test_who_is_being_made_holds_a_gpu_and_who_died_does_not(quay: Quay) -> None:
    inventory = machine(quay, wholes=2)
    host = host_with(quay, inventory)
    first, second = (each.uuid for each in inventory.gpus)
    laid(quay, host, "living", owner=str(current()), uuid=first)
    laid(quay, host, "dead", owner=str(current()._replace(pid=2**22 - 1)), uuid=second)
    made = containers.create(quay.wish(host, "a", gpus=1), host)
    assert requested(quay, made.name) == [second]


def test_who_comes_later_gives_way_and_leaves_nothing(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = machine(quay, wholes=1)
    host = host_with(quay, inventory)
    furnish = creating._furnish

    def meanwhile(engine: object, container_id: str, wanted: object) -> None:
        furnish(engine, container_id, wanted)  # type: ignore[arg-type]
        laid(quay, host, "other", uuid=inventory.gpus[0].uuid)

    monkeypatch.setattr(creating, "_furnish", meanwhile)
    wish = quay.wish(host, "mine", gpus=1)
    with pytest.raises(Ds01Error) as caught:
        containers.create(wish, host)
    other = f"other-{quay.token}._.{user(quay)}"
    assert str(caught.value) == (
        f"GPU 0 went to the container {other} at the same moment:"
        f" {full_name(wish.name, user(quay))} was not made"
    )
    assert quay.names == [other]


def test_nobody_gets_more_than_he_may_by_asking_twice_at_once(quay: Quay) -> None:
    inventory = machine(quay, wholes=4)
    host = host_with(quay, inventory, caps=Caps(equivalents=1))

    def take(number: int) -> str:
        wish = quay.wish(host, f"n{number}", devices=(str(number),))
        return containers.create(wish, host).name

    names, refused = at_once(take, 4)
    assert len(names) == 1, refused
    assert quay.names == names


def test_who_came_first_waits_until_the_later_one_is_gone(quay: Quay) -> None:
    inventory = machine(quay, wholes=1)
    host = host_with(quay, inventory)
    wanted = containers.specified(quay.wish(host, "mine", gpus=1), host)
    uuid = inventory.gpus[0].uuid
    first = laid(quay, host, "mine", owner=str(current()), uuid=uuid)
    later = laid(quay, host, "later", owner=str(current()), uuid=uuid)
    ranks = {each.container_id: each.rank for each in claims(quay.engine)}
    if ranks[first] > ranks[later]:  # they were made within a second
        first, later = later, first
    with pytest.raises(Ds01Error, match="at the same moment"):
        settle(quay.engine, later, allotting.objections(wanted, host))
    timer = threading.Timer(0.5, quay.engine.client.remove_container, [later])
    timer.start()
    settle(quay.engine, first, allotting.objections(wanted, host))
    timer.join()
    assert not any(each.container_id == later for each in claims(quay.engine))


def test_a_container_that_is_made_anew_keeps_its_gpu(quay: Quay) -> None:
    inventory = machine(quay, wholes=1)
    host = host_with(quay, inventory, caps=Caps(equivalents=1, slots=1))
    made = containers.create(quay.wish(host, gpus=1), host)
    before = quay.described(made.name)["Id"]
    containers.recreate(owned.find_own(made.name, host), host)
    assert quay.described(made.name)["Id"] != before
    assert requested(quay, made.name) == [inventory.gpus[0].uuid]
    assert quay.names == [made.name]


def test_a_gpu_that_is_no_longer_there_is_missing(quay: Quay) -> None:
    inventory = machine(quay, wholes=0, slices=2)
    host = host_with(quay, inventory)
    made = containers.create(quay.wish(host, gpus=2), host)
    labels = owned.find_own(made.name, host).labels
    assert allotting.missing(labels, host) == ()
    (gpu,) = inventory.gpus
    anew = replace(inventory, gpus=(replace(gpu, slices=gpu.slices[:1]),))
    host = replace(host, inventory=lambda: anew)
    assert allotting.missing(labels, host) == (f"MIG-{quay.token}-1",)
    host = replace(host, inventory=Inventory)
    assert allotting.missing(labels, host) == tuple(f"MIG-{quay.token}-{n}" for n in range(2))


def needing(quay: Quay, *variables: str) -> str:
    """Return the tag of an image with these variables."""
    pairs = (each.split("=", 1) for each in variables)
    return quay.derived(*(f'ENV {name}="{value}"' for name, value in pairs))


def test_a_driver_that_is_too_old_for_an_image_is_told_before_anything_is_made(quay: Quay) -> None:
    host = host_with(quay, machine(quay, wholes=1))
    wish = quay.wish(host, gpus=1, image=needing(quay, "NVIDIA_REQUIRE_CUDA=cuda>=12.8"))
    with pytest.raises(Ds01Error) as caught:
        containers.create(wish, host)
    assert str(caught.value) == (
        "the image needs cuda>=12.8, and driver 550.54.15 knows CUDA 12.4 (GPU 0: ?, ?)"
    )
    assert quay.names == []
    assert containers.specified(replace(wish, gpus=0), host).gpus is None


def test_what_may_keep_an_image_from_its_gpus_is_told(quay: Quay) -> None:
    found = replace(machine(quay, wholes=1), vendor="rocm", lost=("GPU 1 does not answer",))
    host = host_with(quay, found)
    image = needing(quay, "CUDA_VERSION=12.8.1")
    containers.specified(quay.wish(host, gpus=1, image=image), host)
    assert [each for each in quay.told if isinstance(each, Warned)] == [
        Warned("GPU 1 does not answer"),
        Warned("the image is for GPUs of NVIDIA, and those of this machine are AMD's"),
    ]


def test_who_holds_what_is_shown_or_said_to_be_unknown(quay: Quay) -> None:
    inventory = machine(quay, wholes=2)
    host = host_with(quay, inventory)
    made = containers.create(quay.wish(host, gpus=1), host)
    shown, holdings = allotting.overview(host)
    assert shown == inventory
    assert holdings is not None
    (own,) = [each for each in holdings if quay.token in each.container]
    assert (own.container, own.uid, own.devices) == (
        made.name,
        user(quay),
        (inventory.gpus[0].uuid,),
    )

    def silent() -> Engine:
        raise Unavailable("no engine")

    blind = replace(host, engine=silent)
    assert allotting.overview(blind) == (inventory, None)
    assert quay.told[-1] == Note("who holds them is not known: no engine")
