"""What changes a key and what does not, whatever a recipe looks like."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_locking import Remembering, asked
from values import MIB, wheel_pin

from ds01build import graph, spec
from ds01build.resolve.request import Wheels
from ds01build.workflow import locking

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ds01build.digest import Key
    from ds01build.lock import Lock
    from ds01build.pin import WheelPin
    from ds01build.resolve.request import Wanted

BASE = 'schema = 1\nname = "demo"\n[base]\ndebian = "bookworm"\npackages = ["python3"]\n'
SIZES = (1, 900_000, 3 * MIB, 4 * MIB, 90 * MIB)  # bytes; by the last digit of a name

Tiers = dict[str, list[str]]  # packages by tier

NAMES = [f"p{number}" for number in range(30)]
TIERS: st.SearchStrategy[Tiers] = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from(["t0", "t1", "t2", "t3"]), min_size=1
).map(
    lambda rows: {t: [n for n, of in rows.items() if of == t] for t in dict.fromkeys(rows.values())}
)


@dataclass
class Pinned(Remembering):
    """A resolver that finds every package once, one of them perhaps in another version."""

    changed: str = ""

    def wheels(self, wanted: Wanted, keep: Mapping[str, WheelPin]) -> Wheels:  # noqa: ARG002
        return Wheels(
            tuple(
                wheel_pin(
                    name,
                    version="2.0" if name == self.changed else "1.0",
                    size=SIZES[int(name[-1]) % len(SIZES)],
                    tier=request.tier,
                )
                for request in wanted.requests
                for name in request.requirements
            )
        )


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipes")


def text_of(tiers: Tiers, comment: str = "") -> str:
    tables = (
        f'{comment}\n[tiers.{tier}]\nkind = "python"\npackages = {names}\n'
        for tier, names in tiers.items()
    )
    return BASE + "".join(tables)


def locked(
    directory: Path, text: str, *, before: Lock | None = None, site: Lock | None, changed: str = ""
) -> Lock:
    recipe = directory / "demo.toml"
    recipe.write_text(text, encoding="utf-8")
    return locking.relock(replace(asked(recipe, before, Pinned(changed=changed)), site=site))


def keys(lock: Lock) -> list[Key]:
    return [spec.key(layer) for _, layer in graph.of(lock).stack]


@given(
    tiers=TIERS,
    theirs=st.none() | TIERS,
    random=st.randoms(use_true_random=False),
    names=st.permutations(["a", "b", "c", "d"]),
)
@settings(max_examples=50)
def test_reordering_renaming_and_commenting_change_no_key(
    directory: Path, tiers: Tiers, theirs: Tiers | None, random: object, names: list[str]
) -> None:
    site = locked(directory, text_of(theirs), site=None) if theirs else None
    lock = locked(directory, text_of(tiers), site=site)
    new = dict(zip(["t0", "t1", "t2", "t3"], names, strict=True))
    shuffled = [(new[tier], [*packages, packages[0]]) for tier, packages in tiers.items()]
    for packages in (shuffled, *(packages for _, packages in shuffled)):
        random.shuffle(packages)  # type: ignore[attr-defined]
    other = text_of(dict(shuffled), comment="# as before, said otherwise")
    fresh = locked(directory, other, site=site)
    assert sorted(map(str, keys(fresh))) == sorted(map(str, keys(lock)))
    again = locked(directory, other, before=lock, site=site)
    assert keys(again) == keys(lock), "nor does anything move"


@given(tiers=TIERS, theirs=st.none() | TIERS, place=st.integers(min_value=0, max_value=29))
@settings(max_examples=50)
def test_one_changed_pin_changes_exactly_the_layer_that_holds_it(
    directory: Path, tiers: Tiers, theirs: Tiers | None, place: int
) -> None:
    site = locked(directory, text_of(theirs), site=None) if theirs else None
    lock = locked(directory, text_of(tiers), site=site)
    packages = [name for names in tiers.values() for name in names]
    changed = packages[place % len(packages)]
    after = locked(directory, text_of(tiers), before=lock, site=site, changed=changed)
    holding = [one.names for one in lock.layers if changed in one.names]
    assert [one.names for one in after.layers if changed in one.names] == holding
    gone = set(keys(lock)) - set(keys(after))
    assert gone == {
        spec.key(layer)
        for _, layer in graph.of(lock).stack
        if isinstance(layer, spec.WheelSpec) and changed in {pin.name for pin in layer.wheels}
    }
    assert len(set(keys(after)) - set(keys(lock))) == len(gone) == 1
    same = [key for key in keys(lock) if key not in gone]
    kept = [key for key in keys(after) if key in same]
    assert kept == same, "what did not change lies as it lay"
