from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import key_vectors
import pytest
from hypothesis import given
from hypothesis import strategies as st
from values import a_target, deb_pin, digest, file_pin, wheel_pin

from ds01build import spec
from ds01build.digest import Key
from ds01build.spec import DebSpec, FileSpec, StateSpec, WheelSpec
from ds01build.target import Directory, Link, Schemes

if TYPE_CHECKING:
    from ds01build.pin import DebPin, FilePin, WheelPin
    from ds01build.spec import LayerSpec
    from ds01build.target import Target

WHEELS = tuple(map(wheel_pin, ("numpy", "pandas", "six")))
DEBS = tuple(map(deb_pin, ("git", "libc6", "zlib1g")))
FILES = tuple(map(file_pin, ("/etc/a", "/etc/b")))
STATE = StateSpec(debs=DEBS, architecture="amd64")

TARGET = a_target()
OTHER_TARGETS: dict[str, Target] = {
    "interpreter": replace(TARGET, interpreter="/usr/bin/python3"),
    "version": replace(TARGET, version="3.11.3"),
    "links": replace(TARGET, links=()),
    "link path": replace(TARGET, links=(Link("usr/local/men", "share/man"),)),
    "link target": replace(TARGET, links=(Link("usr/local/man", "share/men"),)),
    "directories": replace(TARGET, directories=TARGET.directories[:1]),
    **{
        f"directory {changed}": replace(TARGET, directories=(TARGET.directories[0], changed))
        for changed in (
            Directory("usr/lokal", 0o2775, 0, 50),
            Directory("usr/local", 0o0775, 0, 50),
            Directory("usr/local", 0o2775, 1, 50),
            Directory("usr/local", 0o2775, 0, 51),
        )
    },
    **{
        f"scheme {name}": replace(TARGET, schemes=replace(TARGET.schemes, **{name: "/opt/x"}))
        for name in ("purelib", "platlib", "scripts", "data", "headers")
    },
}


def wheels_key(*wheels: WheelPin, target: Target = TARGET) -> Key:
    return spec.key(WheelSpec(wheels=wheels, target=target))


def test_keys_are_what_they_always_were() -> None:
    assert json.loads(key_vectors.PATH.read_text()) == key_vectors.document()


def test_frozen_keys_follow_from_the_frozen_inputs_alone() -> None:
    for row in json.loads(key_vectors.PATH.read_text())["layers"].values():
        assert str(Key.of(row["inputs"])) == row["key"]


@given(st.permutations(WHEELS), st.permutations(DEBS), st.permutations(FILES))
def test_the_order_of_pins_does_not_change_a_key(
    wheels: list[WheelPin], debs: list[DebPin], files: list[FilePin]
) -> None:
    assert wheels_key(*wheels) == wheels_key(*WHEELS)
    assert spec.key(DebSpec(debs=tuple(debs))) == spec.key(DebSpec(debs=DEBS))
    state = replace(STATE, debs=tuple(debs))
    assert spec.key(state) == spec.key(STATE)
    turned = FileSpec(files=tuple(files), base=state)
    assert spec.key(turned) == spec.key(FileSpec(files=FILES, base=STATE))


def test_what_changes_no_byte_changes_no_key() -> None:
    pin = WHEELS[0]
    for other in (
        replace(pin, tier="other"),
        replace(pin, index="fast"),
        replace(pin, requires=("six",)),
        replace(pin, file="numpy-1.0-1-py3-none-any.whl"),
    ):
        assert wheels_key(other) == wheels_key(pin)
    deb = DEBS[0]
    for another in (
        replace(deb, tier="other"),
        replace(deb, archive="security"),
        replace(deb, path="pool/elsewhere.deb"),
    ):
        assert spec.key(DebSpec(debs=(another,))) == spec.key(DebSpec(debs=(deb,)))
    moved = tuple(replace(pin, tier="other", source="elsewhere") for pin in FILES)
    assert spec.key(FileSpec(files=moved, base=STATE)) == spec.key(
        FileSpec(files=FILES, base=STATE)
    )


def test_each_pin_changes_the_key() -> None:
    pin, deb, declared = WHEELS[0], DEBS[0], FILES[0]
    wheel_keys = [
        wheels_key(),
        wheels_key(pin),
        wheels_key(pin, WHEELS[1]),
        wheels_key(replace(pin, name="nump")),
        wheels_key(replace(pin, version="1.0.1")),
        wheels_key(replace(pin, digest=digest("other"))),
    ]
    debs = [
        (),
        (deb,),
        DEBS,
        (replace(deb, name="gitt"),),
        (replace(deb, version="1.0-2"),),
        (replace(deb, architecture="all"),),
        (replace(deb, digest=digest("other")),),
    ]
    files = [
        (),
        (declared,),
        FILES,
        (replace(declared, to="/etc/c"),),
        (replace(declared, mode=0o755),),
        (replace(declared, digest=digest("other")),),
    ]
    keys = [
        *wheel_keys,
        *(spec.key(DebSpec(debs=pins)) for pins in debs),
        *(spec.key(StateSpec(debs=pins, architecture="amd64")) for pins in debs),
        spec.key(replace(STATE, architecture="arm64")),
        *(spec.key(FileSpec(files=pins, base=STATE)) for pins in files),
        spec.key(FileSpec(files=FILES, base=replace(STATE, architecture="arm64"))),
        spec.key(FileSpec(files=FILES, base=replace(STATE, debs=DEBS[1:]))),
    ]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("changed", OTHER_TARGETS)
def test_each_field_of_the_target_changes_the_key(changed: str) -> None:
    assert wheels_key(*WHEELS, target=OTHER_TARGETS[changed]) != wheels_key(*WHEELS)


def test_the_targets_above_are_all_different() -> None:
    keys = {wheels_key(*WHEELS, target=target) for target in OTHER_TARGETS.values()}
    assert len(keys) == len(OTHER_TARGETS) == 6 + 4 + len(Schemes.__slots__)


@pytest.mark.parametrize(
    ("version", "kinds"),
    [
        ("WRITER", {"wheels", "debs", "state", "files"}),
        ("RULES", {"debs", "state", "files"}),
        ("COMPRESSOR", {"debs", "state", "files"}),
    ],
)
def test_what_writes_a_layer_is_part_of_its_key(
    version: str, kinds: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    specs: dict[str, LayerSpec] = {
        "wheels": WheelSpec(wheels=WHEELS, target=TARGET),
        "debs": DebSpec(debs=DEBS),
        "state": STATE,
        "files": FileSpec(files=FILES, base=STATE),
    }
    before = {kind: spec.key(one) for kind, one in specs.items()}
    monkeypatch.setattr(spec, version, "another")
    assert {kind for kind, one in specs.items() if spec.key(one) != before[kind]} == kinds


def test_the_sources_of_a_layer_are_the_files_that_are_read() -> None:
    assert spec.sources(WheelSpec(wheels=WHEELS, target=TARGET)) == WHEELS
    assert spec.sources(DebSpec(debs=DEBS)) == spec.sources(STATE) == DEBS
    assert spec.sources(FileSpec(files=FILES, base=STATE)) == FILES
