"""Computes what vectors/keys.json holds, and writes it when run: see vectors/README.md."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from values import (
    a_lock,
    a_target,
    an_image_lock,
    deb_pin,
    file_pin,
    python_lock,
    wheel_pin,
)

from ds01build import graph, spec
from ds01build.digest import Key, canonical
from ds01build.spec import DebSpec, FileSpec, StateSpec, WheelSpec

if TYPE_CHECKING:
    from ds01build.digest import Canonical
    from ds01build.lock import Lock
    from ds01build.spec import LayerSpec

PATH = Path(__file__).parent / "vectors" / "keys.json"

STATE = StateSpec(debs=(deb_pin("git"), deb_pin("libc6")), architecture="amd64")

SPECS: dict[str, LayerSpec] = {
    "one wheel": WheelSpec(wheels=(wheel_pin("numpy"),), target=a_target()),
    "two wheels": WheelSpec(wheels=(wheel_pin("six"), wheel_pin("pandas")), target=a_target()),
    "debs": DebSpec(debs=(deb_pin("git"), deb_pin("libc6"))),
    "state": STATE,
    "files": FileSpec(files=(file_pin("/b", mode=0o755), file_pin("/a")), base=STATE),
}

VALUES: tuple[dict[str, Canonical], ...] = (
    {},
    {"b": [1, -2, 2**63], "a": {"d": None, "c": [True, False]}},
    {"text": 'é\u2028\n"\\\x7f\U0001f600', "": []},
)

# As frozen: a lock that removes what it has no wheel for, which can be written but not read.
_MADE = an_image_lock()
_OVER_IMAGE = replace(
    _MADE,
    removed=(replace(_MADE.removed[0], name="torch", version="2.8.0+cu126"),),
    layers=(replace(_MADE.layers[0], names=("torch",)), *_MADE.layers[1:]),
)

LOCKS: dict[str, Lock] = {
    "every kind": a_lock(),
    "two Python tiers": python_lock(2),
    "over an image": _OVER_IMAGE,
}


def document() -> dict[str, Canonical]:
    return {
        "canonical": [
            {"value": value, "text": canonical(value).decode(), "key": str(Key.of(value))}
            for value in VALUES
        ],
        "layers": {
            name: {"inputs": spec.inputs(layer), "key": str(spec.key(layer))}
            for name, layer in SPECS.items()
        },
        "locks": {name: _lock(lock) for name, lock in LOCKS.items()},
    }


def _lock(lock: Lock) -> dict[str, Canonical]:
    made = graph.of(lock)
    return {
        "digest": str(lock.digest),
        "nodes": {node.name: str(node.key) for node in made.nodes},
        "stack": [str(spec.key(layer)) for _, layer in made.stack],
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(document(), indent=1, sort_keys=True) + "\n")
