from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from lock_strategies import locks
from values import a_lock, an_image_lock, base_layer, deb_pin, digest, layer_for, wheel_pin

from ds01build import graph, plan, spec, versions
from ds01build.cause import causes, whole
from ds01build.explanation import Explanation, Last, LayerReason, TierReason, explain
from ds01build.lock import Lock, LockedImage, LockedLayer
from ds01build.plan import Plan, Present
from ds01build.target import Directory

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ds01build.digest import Canonical, Digest, Key
    from ds01build.pin import DebPin, WheelPin


def keys(lock: Lock) -> list[Key]:
    return [spec.key(layer) for _, layer in graph.of(lock).stack]


def planned(lock: Lock, there: Collection[Key]) -> Plan:
    present = Present(
        layers={key: layer_for(key) for key in there}, sources=frozenset(), facts=frozenset()
    )
    return plan.make(graph.of(lock), present)


def last(lock: Lock, recorded: Mapping[Key, Mapping[str, Canonical]] | None = None) -> Last:
    return Last(number=3, lock=lock, graph=graph.of(lock), recorded=recorded or {})


def explained(old: Lock, new: Lock, there: Collection[Key] | None = None) -> Explanation:
    """Return why a build of ``new`` does what it does in a store with all layers of ``old``."""
    made = planned(new, keys(old) if there is None else there)
    return explain(made, new, last(old))


def tier(found: Explanation, name: str) -> TierReason:
    return next(each for each in found.tiers if each.name == name)


def made(found: Explanation) -> list[LayerReason]:
    return [each for one in found.tiers for each in one.layers if each.action != "reuse"]


def said(found: Explanation) -> dict[str, list[str]]:
    """Return the causes of the layers that are made, by what those hold."""
    return {each.title: [str(cause) for cause in each.causes] for each in made(found)}


def with_wheels(lock: Lock, *pins: object) -> Lock:
    """Return the lock with these wheels in place of those of the same name."""
    new = {getattr(pin, "name", ""): pin for pin in pins}
    wheels: Any = tuple(new.get(pin.name, pin) for pin in lock.wheels)
    return replace(lock, wheels=wheels)


def test_where_nothing_changed_all_is_as_in_the_last_build() -> None:
    for lock in (a_lock(), an_image_lock()):
        found = explained(lock, lock)
        assert {each.text for each in found.tiers} == {"as in generation 3"}
        places = {layer.place for each in found.tiers for layer in each.layers}
        assert places == {"in place"}


@given(locks(), locks())
def test_each_layer_that_is_not_of_the_last_build_has_a_cause(old: Lock, new: Lock) -> None:
    found = explained(old, new)
    for each in made(found):
        assert each.causes
        assert each.place == ""
    assert [each.name for each in found.tiers] == [node.name for node in graph.of(new).nodes]
    assert [each.key for one in found.tiers for each in one.layers] == [
        key for node in graph.of(new).nodes for key in map(spec.key, node.specs)
    ]


@given(locks(), locks())
def test_every_package_that_differs_is_named(old: Lock, new: Lock) -> None:
    found = explained(old, new)
    named = {cause.name for each in found.tiers for one in each.layers for cause in one.causes}
    named |= {text.split()[1] for text in found.gone}
    for before, after in ((old.wheels, new.wheels), (old.debs, new.debs)):
        changed = {*_addresses(before)} ^ {*_addresses(after)}
        assert {name for name, _ in changed} <= named


def _addresses(pins: Iterable[WheelPin | DebPin]) -> list[tuple[str, Digest]]:
    return [(pin.name, pin.digest) for pin in pins]


@given(locks(), locks())
def test_equal_inputs_have_no_causes_and_others_do(old: Lock, new: Lock) -> None:
    rows = [
        (lock, dict(zip(keys(lock), [t for t, _ in graph.of(lock).stack], strict=True)))
        for lock in (old, new)
    ]
    before, after = (whole(lock, tiers) for lock, tiers in rows)
    for _, one in graph.of(old).stack:
        for _, other in graph.of(new).stack:
            if type(one) is type(other):
                why = causes(spec.inputs(other), after, spec.inputs(one), before)
                assert bool(why) == (spec.key(one) != spec.key(other))


def test_a_package_is_named_with_both_versions() -> None:
    lock = a_lock()
    found = explained(lock, with_wheels(lock, wheel_pin("numpy", version="2.0", size=20 << 20)))
    assert said(found) == {"numpy==2.0": ["package numpy 1.0 -> 2.0"]}
    (layer,) = made(found)
    assert layer.text == "differs from generation 3"
    assert layer.was == keys(lock)[2]
    assert tier(found, "work").text == "1 of 2 layers to make"


def test_another_file_of_the_same_version_is_named_with_both_digests() -> None:
    lock = a_lock()
    other = replace(lock.wheels[0], digest=digest("other"))
    before, after = lock.wheels[0].digest.hex[:12], other.digest.hex[:12]
    expected = f"package numpy 1.0 (sha256:{before}) -> 1.0 (sha256:{after})"
    assert said(explained(lock, with_wheels(lock, other))) == {"numpy==1.0": [expected]}


def test_packages_that_come_and_go_are_named() -> None:
    lock = a_lock()
    wheels = (lock.wheels[0], lock.wheels[1], wheel_pin("toolz"))
    layers = (*lock.layers[:3], replace(lock.layers[3], names=("pandas", "toolz")), lock.layers[4])
    found = explained(lock, replace(lock, wheels=wheels, layers=layers))
    assert said(found) == {
        "2 packages, pandas==1.0 to toolz==1.0": [
            "package six 1.0 is gone",
            "package toolz 1.0 is new",
        ]
    }


def test_a_package_that_went_to_another_layer_is_not_new() -> None:
    lock = a_lock()
    layers = (
        *lock.layers[:2],
        replace(lock.layers[2], names=("numpy", "six")),
        replace(lock.layers[3], names=("pandas",)),
        lock.layers[4],
    )
    assert said(explained(lock, replace(lock, layers=layers))) == {
        "2 packages, numpy==1.0 to six==1.0": ["six 1.0 comes from another layer"],
        "pandas==1.0": ["six 1.0 is in another layer now"],
    }


def test_a_layer_without_a_like_in_the_last_build_says_so() -> None:
    lock = a_lock()
    new = replace(
        lock,
        wheels=(*lock.wheels, wheel_pin("toolz")),
        layers=(*lock.layers, LockedLayer(tier="work", kind="wheels", names=("toolz",))),
    )
    (layer,) = made(explained(lock, new))
    assert layer.text == "generation 3 had no layer like it"
    assert [str(each) for each in layer.causes] == ["package toolz 1.0 is new"]


def test_a_package_in_place_of_another_is_not_compared_with_it() -> None:
    lock = a_lock()
    wheels = (lock.wheels[1], lock.wheels[2], wheel_pin("toolz"))
    pandas = replace(lock.wheels[1], requires=())
    layers = (*lock.layers[:2], replace(lock.layers[2], names=("toolz",)), *lock.layers[3:])
    new = replace(lock, wheels=(pandas, *wheels[1:]), layers=layers)
    found = explained(lock, new)
    (layer,) = made(found)
    assert layer.text == "generation 3 had no layer like it"
    assert [str(each) for each in layer.causes] == ["package toolz 1.0 is new"]
    assert found.gone == ("package numpy 1.0 of tier work is gone",)


def test_fields_of_the_target_are_named_as_people_write_them() -> None:
    lock = a_lock()
    assert lock.target is not None
    target = replace(
        lock.target, version="3.11.9", directories=(Directory("usr"), Directory("usr/local"))
    )
    expected = [
        "target.directories./usr/local.mode: 2775 -> 0755",
        "target.directories./usr/local.owner: 0:50 -> 0:0",
        "target.version: 3.11.2 -> 3.11.9",
    ]
    found = explained(lock, replace(lock, target=target))
    assert [*said(found).values()] == [expected, expected]


def test_files_are_named_by_their_destination() -> None:
    lock = an_image_lock()
    (pin,) = lock.files
    assert isinstance(lock.base, LockedImage)
    ground = replace(lock.base.ground, directories=(Directory("tmp", 0o755),))
    base = replace(lock.base, ground=ground)
    found = explained(lock, replace(lock, files=(replace(pin, mode=0o600),), base=base))
    assert said(found)["/tmp/motd"] == [
        "file /tmp/motd 0644 -> 0600",
        "base.directories./tmp.mode: 1777 -> 0755",
    ]


def test_the_state_of_debs_is_the_cause_of_files_over_them() -> None:
    lock = a_lock()
    found = explained(lock, replace(lock, debs=(lock.debs[0], deb_pin("libc6", version="2-1"))))
    assert said(found) == {
        "libc6=2-1": ["package libc6 1.0-1 -> 2-1"],
        "state of 2 .debs": ["package libc6 1.0-1 -> 2-1"],
        "2 files, /etc/motd to /opt/run.sh": ["tier (state), which it stands on, changed"],
    }


def test_what_an_executed_tier_stands_on_is_named_by_its_tier() -> None:
    lock = an_image_lock()
    found = explained(lock, with_wheels(lock, wheel_pin("numpy", version="2.0")))
    assert said(found)["2 commands"] == ["tier work, which it stands on, changed"]
    (layer,) = tier(found, "models").layers
    assert layer.text == "differs from generation 3; unless work comes out unchanged"
    fewer = tuple(
        replace(each, after=("config",)) if each.name == "models" else each for each in lock.tiers
    )
    found = explained(lock, replace(lock, tiers=fewer))
    assert said(found)["2 commands"] == ["it stands on tier work no longer"]


def test_commands_and_settings_of_an_executed_tier_are_named() -> None:
    lock = an_image_lock()
    models = replace(lock.tiers[4], commands=("true", "false"), network=False)
    image = replace(lock.image, workdir="/", env=(("A", "9"), ("B", "2")))
    found = explained(lock, replace(lock, tiers=(*lock.tiers[:4], models), image=image))
    assert said(found) == {
        "2 commands": [
            "commands: - python -m nltk.downloader punkt",
            "commands: + false",
            "environment.A: 1 -> 9",
            "network: true -> false",
            "workdir: /workspace -> /",
        ]
    }


def test_another_base_image_is_named_with_what_it_shares() -> None:
    lock = an_image_lock()
    assert isinstance(lock.base, LockedImage)
    base = replace(lock.base, manifest=digest("newer"), layers=(lock.base.layers[0], base_layer(3)))
    found = explained(lock, replace(lock, base=base))
    row = tier(found, "base")
    assert row.text == "another base than that of generation 3"
    assert [str(each) for each in row.causes] == [
        f"manifest: {lock.base.manifest} -> {digest('newer')}",
        "layers: 2 -> 1 of 2 shared",
    ]
    (layer,) = tier(found, "system").layers
    assert [str(each) for each in layer.causes] == [
        "the base image: 2 layers -> 2 layers, 1 of them the same"
    ]
    assert {each.place for each in tier(found, "work").layers} == {"moved"}
    assert tier(found, "work").text == "as in generation 3, 2 of 2 layers over others now"


def test_a_moved_layer_has_the_same_bytes_over_other_layers() -> None:
    lock = a_lock()
    layers = (*lock.layers[:2], lock.layers[3], lock.layers[2], lock.layers[4])
    found = explained(lock, replace(lock, layers=layers))
    places = [each.place for each in tier(found, "work").layers]
    assert places == ["moved", "moved"]
    assert {each.text for each in tier(found, "work").layers} == {
        "as in generation 3, over other layers now"
    }
    assert {each.place for each in tier(found, "system").layers} == {"in place"}


def test_a_layer_that_the_store_lost_differs_in_nothing() -> None:
    lock = a_lock()
    found = explained(lock, lock, there=keys(lock)[1:])
    (layer,) = made(found)
    text = "nothing differs from generation 3, but the store lacks its layer now"
    assert (layer.text, layer.causes, layer.place) == (text, (), "in place")


def test_a_layer_of_another_build_is_reused_and_still_compared() -> None:
    lock = a_lock()
    new = with_wheels(lock, wheel_pin("numpy", version="2.0", size=20 << 20))
    found = explained(lock, new, there=[*keys(lock), *keys(new)])
    (layer,) = (each for each in tier(found, "work").layers if not each.place)
    assert layer.text == "differs from generation 3; the store has it from another build"
    assert [str(each) for each in layer.causes] == ["package numpy 1.0 -> 2.0"]
    expected = "1 of 2 layers as another build left them in the store"
    assert (tier(found, "work").action, tier(found, "work").text) == ("reuse", expected)


def test_a_layer_that_another_ds01_wrote_differs_in_how_it_is_written() -> None:
    lock = a_lock()
    key = keys(lock)[2]
    old = {**spec.inputs(graph.of(lock).stack[2][1]), "writer": versions.WRITER - 1}
    there = [each for each in keys(lock) if each != key]
    before = last(lock, recorded={key: old})
    found = explain(planned(lock, there), lock, before)
    told = f"ds01's own writer: {versions.WRITER - 1} -> {versions.WRITER}"
    assert said(found) == {"numpy==1.0": [told]}


def test_a_tier_that_is_called_otherwise_or_gone_is_told() -> None:
    lock = a_lock()
    renamed = replace(
        lock,
        tiers=(
            lock.tiers[0],
            replace(lock.tiers[1], name="plots"),
            replace(lock.tiers[2], after=()),
        ),
        wheels=tuple(replace(pin, tier="plots") for pin in lock.wheels),
        layers=tuple(
            replace(each, tier="plots") if each.tier == "work" else each for each in lock.layers
        ),
    )
    found = explained(lock, renamed)
    assert found.gone == ("tier work is called plots now",)
    assert not made(found)
    fewer = replace(lock, tiers=lock.tiers[:2], files=(), layers=lock.layers[:4])
    assert explained(lock, fewer).gone == ("tier config is no more",)


def test_without_a_last_build_the_reasons_are_those_of_the_plan() -> None:
    lock = a_lock()
    made_plan = planned(lock, keys(lock)[:1])
    found = explain(made_plan, lock, None)
    assert found.generation is None
    assert [each.text for each in found.tiers] == [step.reason for step in made_plan.steps]


@pytest.mark.parametrize(("known", "there"), [(0, 0), (2, 0), (3, 1), (99, 7)])
def test_an_engine_has_layers_from_the_lowest_up(known: int, there: int) -> None:
    lock = an_image_lock()
    found = explain(planned(lock, keys(lock)), lock, last(lock), known)
    by_key = {each.key: each.in_engine for one in found.tiers for each in one.layers}
    assert [by_key[key] for key in keys(lock)] == [place < there for place in range(7)]
