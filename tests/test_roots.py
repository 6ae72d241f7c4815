from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ds01build.digest import Digest
from ds01build.store import open_store, roots
from ds01build.store.roots import Generation

if TYPE_CHECKING:
    from pathlib import Path

NOW, LATER = "2026-11-01T12:00:00Z", "2027-01-01T00:00:00Z"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return open_store(tmp_path / "store", uid=os.geteuid()).root


def add(store: Path, image: bytes, *, lock: bytes | None = None, created: str = NOW) -> Generation:
    new = Generation(
        image=Digest.of(image),
        lock=None if lock is None else Digest.of(lock),
        recipe=Digest.of(b"recipe of " + image),
        place="/projects/thesis/recipe.toml",
        created=created,
    )
    return roots.append(store, "thesis-cv", new)


def test_generations_are_numbered_from_one_in_order(store: Path) -> None:
    added = [add(store, b"a"), add(store, b"b"), add(store, b"a", lock=b"l")]
    assert [one.number for one in added] == [1, 2, 3]
    assert roots.generations(store, "thesis-cv") == tuple(added)
    assert roots.latest(store, "thesis-cv") == added[-1]
    assert roots.names(store) == ("thesis-cv",)


def test_the_same_image_and_lock_again_is_the_same_generation(store: Path) -> None:
    first = add(store, b"a", lock=b"l")
    assert add(store, b"a", lock=b"l", created=LATER) == first
    assert add(store, b"a", lock=b"m").number == 2
    assert add(store, b"a", lock=b"l").number == 3


def test_the_same_image_and_lock_from_elsewhere_says_where_the_recipe_is_now(store: Path) -> None:
    first = add(store, b"a", lock=b"l")
    moved = replace(first, place="/elsewhere/recipe.toml", recipe=Digest.of(b"# a comment"))
    assert roots.append(store, "thesis-cv", replace(moved, number=0, created=LATER)) == moved
    assert roots.generations(store, "thesis-cv") == (moved,)
    roots.move(store, "thesis-cv", first.image, first.place)
    assert roots.generations(store, "thesis-cv") == (replace(moved, place=first.place),)
    roots.move(store, "thesis-cv", Digest.of(b"other"), "/nowhere")
    assert roots.latest(store, "thesis-cv") == replace(moved, place=first.place)
    second = add(store, b"b")
    roots.move(store, "thesis-cv", second.image, "/elsewhere/recipe.toml")
    assert [one.place for one in roots.generations(store, "thesis-cv")] == [
        first.place,
        "/elsewhere/recipe.toml",
    ]


def test_a_root_without_generations_has_no_latest(store: Path) -> None:
    assert roots.latest(store, "nothing") is None
    assert roots.generations(store, "nothing") == ()
    assert roots.names(store) == ()


def test_a_damaged_generation_is_left_out_and_its_number_is_not_used_again(store: Path) -> None:
    add(store, b"a")
    add(store, b"b")
    path = store / "roots" / "thesis-cv" / "2.json"
    content = path.read_bytes()
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 0x01
        path.write_bytes(changed)
        latest = roots.latest(store, "thesis-cv")
        assert latest is not None
        assert latest.number == 1, position
    assert add(store, b"c").number == 3


def test_a_generation_counts_only_at_its_own_place(store: Path) -> None:
    add(store, b"a")
    directory = store / "roots" / "thesis-cv"
    (directory / "7.json").write_bytes((directory / "1.json").read_bytes())
    assert [one.number for one in roots.generations(store, "thesis-cv")] == [1]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../a", "A", "a\n", "a--b", "-a", "a" * 129, "ä", "a\0"]
)
def test_a_name_that_could_lead_elsewhere_is_refused(name: str, store: Path) -> None:
    with pytest.raises(ValueError, match="not a name for a root"):
        roots.append(store, name, Generation(image=Digest.of(b"a"), lock=None, created=NOW))
    with pytest.raises(ValueError, match="not a name for a root"):
        roots.generations(store, name)


@pytest.mark.parametrize("created", ["", "now", "2026-11-01", "2026-11-01T12:00:00+01:00"])
def test_a_time_is_given_in_utc(created: str, store: Path) -> None:
    with pytest.raises(ValueError, match="not a time in UTC"):
        add(store, b"a", created=created)


def test_appending_at_once_loses_nothing(store: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda number: add(store, b"%d" % number), range(40)))
    assert sorted(one.number for one in added) == list(range(1, 41))
    assert len(roots.generations(store, "thesis-cv")) == 40
