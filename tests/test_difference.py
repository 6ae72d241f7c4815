from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from lock_strategies import locks
from values import a_lock, an_image_lock, base_layer, deb_pin, digest, layer_for, wheel_pin

from ds01build import graph, spec
from ds01build.difference import (
    Difference,
    PackageChange,
    Side,
    compare,
    package_changes,
)
from ds01build.digest import DiffId
from ds01build.lock import Lock, LockedImage
from ds01build.placed import Placed, stack_of

if TYPE_CHECKING:
    from ds01build.pin import WheelPin

MIRROR: dict[str, Any] = {
    "added": "removed",
    "removed": "added",
    "upgraded": "downgraded",
    "downgraded": "upgraded",
    "only A": "only B",
    "only B": "only A",
}


def side(lock: Lock) -> Side:
    return Side(name="it", lock=lock, stack=stack_of(lock, {}))


def diff(a: Lock, b: Lock) -> Difference:
    return compare(side(a), side(b))


def turns(found: Difference) -> dict[str, str]:
    return {each.name: each.turn for each in found.packages}


def statuses(found: Difference) -> list[tuple[str, str]]:
    return [(each.status, each.layer.title) for each in found.layers]


@given(locks())
def test_nothing_differs_from_itself(lock: Lock) -> None:
    found = diff(lock, lock)
    assert not found
    assert (found.settings, found.packages, found.changed_layers) == ((), (), ())
    assert (found.sent, found.extracted) == (0, 0)


@given(locks(), locks())
def test_locks_that_make_something_else_differ(a: Lock, b: Lock) -> None:
    keys = [[spec.key(layer) for _, layer in graph.of(each).stack] for each in (a, b)]
    same = keys[0] == keys[1] and (a.wheels, a.debs, a.image) == (b.wheels, b.debs, b.image)
    assert bool(diff(a, b)) != (same and replace(a, layers=()) == replace(b, layers=()))


@given(locks(), locks())
def test_the_difference_back_is_the_mirror_of_the_one_there(a: Lock, b: Lock) -> None:
    there, back = diff(a, b), diff(b, a)
    assert [_mirrored(each) for each in back.packages] == [*there.packages]
    assert sorted(each.mirrored() for each in back.settings) == sorted(there.settings)
    rows = [[(each.status, each.layer.key) for each in one.layers] for one in (there, back)]
    mirrored = [(MIRROR.get(status, status), key) for status, key in rows[1]]
    assert sorted(mirrored, key=str) == sorted(rows[0], key=str)


def _mirrored(each: PackageChange) -> PackageChange:
    turn = MIRROR.get(each.turn, each.turn)
    return replace(each, turn=turn, before=each.after, after=each.before)


@given(locks(), locks())
def test_what_is_sent_is_what_only_b_has(a: Lock, b: Lock) -> None:
    found = diff(a, b)
    had = {layer.key or layer.diff_id for layer in found.a.stack}
    new = [each for each in found.b.stack if (each.key or each.diff_id) not in had]
    assert found.sent == sum(each.size for each in new)
    assert found.sent <= found.extracted <= found.b.size


@given(locks())
def test_against_no_lock_every_package_is_added(lock: Lock) -> None:
    debs, wheels = [pin.name for pin in lock.debs], [pin.name for pin in lock.wheels]
    found = package_changes(None, lock)
    assert sorted(each.name for each in found) == sorted(
        [*debs, *wheels, *(pin.to for pin in lock.files)]
    )
    assert {each.turn for each in found} <= {"added"}


def test_packages_are_told_apart_by_version_file_and_tier() -> None:
    lock = a_lock()
    numpy, pandas, six = lock.wheels
    other = replace(
        lock,
        wheels=(
            replace(numpy, version="2.0", digest=digest("2")),
            replace(pandas, digest=digest("rebuilt")),
            wheel_pin("toolz"),
        ),
        layers=(
            *lock.layers[:3],
            replace(lock.layers[3], names=("pandas", "toolz")),
            lock.layers[4],
        ),
    )
    assert turns(diff(lock, other)) == {
        "numpy": "upgraded",
        "pandas": "other file",
        "six": "removed",
        "toolz": "added",
    }
    elsewhere = replace(lock, wheels=(numpy, pandas, replace(six, tier="config", index="fast")))
    (moved,) = diff(lock, elsewhere).packages
    assert (moved.name, moved.turn, moved.moves) == ("six", "moved", ("work", "config"))
    renewed = replace(lock, wheels=(numpy, pandas, replace(six, index="fast")))
    assert turns(diff(lock, renewed)) == {"six": "other source"}


def test_a_declared_file_differs_by_its_content_and_its_mode() -> None:
    lock = a_lock()
    first, second = lock.files
    other = replace(lock, files=(replace(first, mode=0o644), replace(second, digest=digest("x"))))
    found = diff(lock, other)
    assert turns(found) == {"/etc/motd": "other file", "/opt/run.sh": "other file"}
    told = [each.before.version for each in found.packages if each.before]
    assert told == [
        f"0600 {first.digest.hex[:12]}",
        f"0755 {second.digest.hex[:12]}",
    ]


@pytest.mark.parametrize(
    ("lower", "higher"),
    [("1.9", "1.10"), ("1.0rc1", "1.0"), ("1.0", "1.0+cu126"), ("1.0", "1.0.0")],
)
def test_versions_of_wheels_have_the_order_of_pep_440(lower: str, higher: str) -> None:
    _has_order(
        replace(a_lock(), wheels=_with(a_lock(), "six", lower)),
        replace(a_lock(), wheels=_with(a_lock(), "six", higher)),
    )


@pytest.mark.parametrize(
    ("lower", "higher"),
    [("1.9-1", "1.10-1"), ("1.0~rc1-1", "1.0-1"), ("9-1", "1:1-1"), ("1.0-1", "1.0-1+b1")],
)
def test_versions_of_debs_have_the_order_of_debian(lower: str, higher: str) -> None:
    first, second = (
        replace(a_lock(), debs=(a_lock().debs[0], deb_pin("libc6", version=version)))
        for version in (lower, higher)
    )
    _has_order(first, second)


def _with(lock: Lock, name: str, version: str) -> tuple[WheelPin, ...]:
    return tuple(wheel_pin(name, version=version) if p.name == name else p for p in lock.wheels)


def _has_order(lower: Lock, higher: Lock) -> None:
    assert [*turns(diff(lower, higher)).values()] == ["upgraded"]
    assert [*turns(diff(higher, lower)).values()] == ["downgraded"]


def test_a_layer_that_both_have_over_other_layers_moved() -> None:
    lock = a_lock()
    swapped = (*lock.layers[:2], lock.layers[3], lock.layers[2], lock.layers[4])
    found = diff(lock, replace(lock, layers=swapped))
    assert statuses(found)[:2] == [("shared", "libc6=1.0-1"), ("shared", "git=1.0-1")]
    assert {status for status, _ in statuses(found)[2:]} == {"moved"}
    assert (found.sent, found.packages, found.settings) == (0, (), ())
    assert found.extracted > 0


def test_another_base_image_is_settings_and_layers() -> None:
    lock = an_image_lock()
    assert isinstance(lock.base, LockedImage)
    layers = (lock.base.layers[0], base_layer(3))
    base = replace(lock.base, manifest=digest("newer"), layers=layers, glibc="2.41")
    found = diff(lock, replace(lock, base=base))
    assert [str(each) for each in found.settings] == [
        "base.glibc: 2.36 -> 2.41",
        f"base.manifest: {lock.base.manifest} -> {digest('newer')}",
    ]
    assert statuses(found)[:2] == [("shared", "of the base image"), ("only B", "of the base image")]
    assert statuses(found)[-1][0] == "only A"
    assert found.packages == ()


def test_the_digest_of_the_recipe_alone_makes_no_difference() -> None:
    assert not diff(a_lock(), replace(a_lock(), recipe=digest("another")))


def test_what_tiers_ask_for_is_a_setting() -> None:
    lock = a_lock()
    work = replace(lock.tiers[1], requests=("numpy>=2", "pandas>=2"))
    found = diff(lock, replace(lock, tiers=(lock.tiers[0], work, lock.tiers[2])))
    assert [str(each) for each in found.settings] == [
        "tiers.work.requests: - pandas",
        "tiers.work.requests: + pandas>=2",
    ]


def test_an_image_without_a_lock_is_compared_by_what_its_layers_are() -> None:
    lock = a_lock()
    made = {spec.key(layer): layer_for(spec.key(layer)) for _, layer in graph.of(lock).stack}
    first = Side(name="lock", lock=lock, stack=stack_of(lock, made))
    bare = tuple(replace(each, key=None, title="") for each in first.stack)
    assert not compare(first, Side(name="image", lock=None, stack=bare))
    other = Placed(tier="", title="", size=7, diff_id=DiffId(digest("other").value))
    found = compare(first, Side(name="image", lock=None, stack=(*bare[:-1], other)))
    assert (found.is_of_locks, found.sent, found.bytes_of("only A")) == (False, 7, 500)


def test_a_layer_made_twice_with_other_bytes_is_not_the_same() -> None:
    lock = a_lock()
    first = stack_of(lock, {})
    stacks = [
        tuple(replace(each, diff_id=DiffId(digest(f"{run}{each.key}").value)) for each in first)
        for run in (1, 2)
    ]
    a, b, unmade = (Side(name="", lock=lock, stack=each) for each in (*stacks, first))
    assert {each.status for each in compare(a, b).layers} == {"only A", "only B"}
    assert not compare(a, unmade)


def test_sizes_are_those_of_layers_that_are_made_and_of_files_otherwise() -> None:
    lock = a_lock()
    key = spec.key(graph.of(lock).stack[0][1])
    sizes = [each.size for each in stack_of(lock, {key: layer_for(key, 77)})]
    assert sizes[:2] == [77, lock.debs[0].size]
