from __future__ import annotations

import pytest
from values import deb_pin, file_pin

from ds01build import spec
from ds01build.plan import LayerStep
from ds01build.quantities import counted, readable
from ds01build.spec import DebSpec, FileSpec, LayerSpec, RunSpec, StateSpec
from ds01build.target import Ground
from ds01build.workflow.assembling import title


def test_one_thing_is_not_many() -> None:
    counts = [counted(number, "file") for number in (0, 1, 2)]
    assert counts == ["0 files", "1 file", "2 files"]


def test_sizes_have_the_unit_that_suits_them() -> None:
    sizes = [readable(size) for size in (0, 1023, 1024, 1536 << 20, 5 << 50)]
    assert sizes == ["0 B", "1023 B", "1.0 KiB", "1.5 GiB", "5120.0 TiB"]


def commands(*texts: str) -> RunSpec:
    return RunSpec(commands=texts, network=False, environment=(), workdir="/", image=())


def files(*paths: str) -> FileSpec:
    return FileSpec(files=tuple(map(file_pin, paths)), base=Ground())


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (commands("a"), "1 command"),
        (commands("a", "b"), "2 commands"),
        (files("/a"), "/a"),
        (files("/a", "/b"), "2 files, /a to /b"),
        (DebSpec(debs=(deb_pin("a"), deb_pin("b"))), "2 packages, a=1.0-1 to b=1.0-1"),
        (StateSpec(debs=(deb_pin("a"),), architecture="amd64"), "state of 1 .deb"),
    ],
)
def test_a_layer_is_called_by_what_it_holds(made: LayerSpec, text: str) -> None:
    step = LayerStep(tier="t", spec=made, key=spec.key(made), action="write", reason="", layer=None)
    assert title(step) == text
