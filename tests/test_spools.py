from __future__ import annotations

import gzip
import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from values import layer_for

from ds01build.digest import DiffId, Key
from ds01build.errors import RejectedFile
from ds01build.store import open_store
from ds01build.workflow.loading import StoredLayers
from ds01build.workflow.spools import Spools, no_spool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.events import Event
    from ds01build.layer import Layer

ONE, TWO = (DiffId(f"sha256:{each * 64}") for each in "12")


@dataclass
class Lengths:
    """Facts in memory: a fake of Cache."""

    found: dict[tuple[str, str], object] = field(default_factory=dict)

    def get(self, kind: str, key: str) -> object:
        return self.found.get((kind, key))

    def put(self, kind: str, key: str, value: object) -> None:
        self.found[kind, key] = value


def keep(into: Spools, diff_id: DiffId, *pieces: bytes) -> None:
    with into.open() as spool:
        for piece in pieces:
            spool.write(piece)
        spool.keep(diff_id)


def taken(of: Spools, diff_id: DiffId) -> bytes | None:
    found = of.take(diff_id)
    return None if found is None else b"".join(found)


def test_a_tar_that_was_kept_can_be_taken_once(tmp_path: Path) -> None:
    long = bytes(range(256)) * 10_000
    with Spools(tmp_path) as kept:
        keep(kept, ONE, b"one", long)
        keep(kept, TWO, b"two")
        assert list(tmp_path.iterdir()) == [], "nobody else can open it"
        assert taken(kept, ONE) == b"one" + long
        assert taken(kept, TWO) == b"two"
        assert taken(kept, ONE) is None


def test_a_tar_whose_layer_was_not_completed_gives_its_room_back(tmp_path: Path) -> None:
    with Spools(tmp_path, 4) as kept:
        with kept.open() as spool:
            spool.write(b"half")
        keep(kept, ONE, b"1234")
        assert taken(kept, ONE) == b"1234"


def test_what_goes_beyond_the_room_is_dropped_and_makes_room_again(tmp_path: Path) -> None:
    with Spools(tmp_path, 10) as kept:
        keep(kept, ONE, b"12345678")
        keep(kept, TWO, b"12", b"3")
        assert taken(kept, TWO) is None
        assert taken(kept, ONE) == b"12345678"
        keep(kept, TWO, b"1234567890")
        keep(kept, TWO, b"")
        keep(kept, ONE, b"1234567890")
        assert taken(kept, TWO) == b""
        assert taken(kept, ONE) == b"1234567890"


def test_without_a_place_nothing_is_kept_and_nothing_fails(tmp_path: Path) -> None:
    with Spools(tmp_path / "none") as kept:
        keep(kept, ONE, b"one")
        assert taken(kept, ONE) is None
    with no_spool() as spool:
        spool.write(b"one")
        spool.keep(ONE)


def test_a_full_disk_costs_the_spool_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("r+b", buffering=0) as full, Spools(tmp_path) as kept:
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
        keep(kept, ONE, b"one")
        assert taken(kept, ONE) is None


def test_an_engine_gets_the_spool_and_the_store_is_not_asked(tmp_path: Path) -> None:
    events: list[Event] = []
    layer = layer_for(Key.of({"a": "a"}))

    def refuse(layers: Sequence[Layer]) -> None:
        raise AssertionError(layers)

    store = open_store(tmp_path / "store", uid=0)
    with Spools(tmp_path) as kept:
        source = StoredLayers(
            store=store, cache=Lengths(), report=events.append, spools=kept, bring=refuse
        )
        keep(kept, layer.diff_id, b"one", b"two")
        assert b"".join(source.plain(layer)) == b"onetwo"
        assert len(events) == 1
        with pytest.raises(AssertionError):
            list(source.plain(layer))


def test_a_damaged_layer_that_an_engine_lacks_is_told_with_what_mends_it(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", uid=os.geteuid())
    packed = bytearray(gzip.compress(b"a tar"))
    packed[-6] ^= 1
    layer = replace(layer_for(Key.of({"a": "a"})), digest=store.put(bytes(packed)))
    layer = replace(layer, size=len(packed))
    source = StoredLayers(
        store=store, cache=Lengths(), report=lambda _: None, spools=None, bring=lambda _: None
    )
    for read in (lambda: list(source.plain(layer)), lambda: source.plain_size(layer)):
        with pytest.raises(RejectedFile, match=f"layer {layer.digest}: is damaged: ") as caught:
            read()
        assert caught.value.hint == "ds01 store verify --repair"
