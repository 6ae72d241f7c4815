"""The layers of a lock after a change: what its recipe calls a tier decides none of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from test_locking import Remembering, asked
from values import wheel_pin

from ds01build.resolve.request import Wheels
from ds01build.workflow import locking
from ds01build.workflow.request import read_request
from ds01build.workflow.stacking import layers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.lock import Lock
    from ds01build.pin import WheelPin
    from ds01build.resolve.request import Wanted

RECIPE = 'schema = 1\nname = "demo"\n[base]\ndebian = "bookworm"\npackages = ["python3"]\n'


class Finding(Remembering):
    """A resolver that finds what is asked for, and nothing else."""

    def wheels(self, wanted: Wanted, keep: Mapping[str, WheelPin]) -> Wheels:  # noqa: ARG002
        return Wheels(
            tuple(
                wheel_pin(requirement, tier=request.tier)
                for request in wanted.requests
                for requirement in request.requirements
            )
        )


def relocked(directory: Path, before: Lock | None, **tiers: list[str]) -> Lock:
    recipe = directory / "demo.toml"
    tables = (
        f'[tiers.{name}]\nkind = "python"\npackages = {pkgs}\n' for name, pkgs in tiers.items()
    )
    recipe.write_text(RECIPE + "".join(tables), encoding="utf-8")
    return locking.relock(asked(recipe, before, Finding()))


def wheels(lock: Lock) -> list[tuple[str, tuple[str, ...]]]:
    return [(layer.tier, layer.names) for layer in lock.layers if layer.kind == "wheels"]


def test_another_name_of_a_tier_moves_nothing(tmp_path: Path) -> None:
    lock = relocked(tmp_path, None, work=["a", "b"], extra=["x"])
    lock = relocked(tmp_path, lock, work=["a", "b", "c"], extra=["x"])
    assert wheels(lock) == [("work", ("a", "b")), ("extra", ("x",)), ("work", ("c",))]
    lock = relocked(tmp_path, lock, mine=["a", "b", "c"], extra=["x"])
    assert wheels(lock) == [("mine", ("a", "b")), ("extra", ("x",)), ("mine", ("c",))]


def test_two_tiers_made_one_keep_their_layers(tmp_path: Path) -> None:
    lock = relocked(tmp_path, None, work=["a", "b"], extra=["x"])
    lock = relocked(tmp_path, lock, all=["a", "b", "x"])
    assert wheels(lock) == [("all", ("a", "b")), ("all", ("x",))]


def test_a_package_that_changes_its_tier_leaves_the_others(tmp_path: Path) -> None:
    lock = relocked(tmp_path, None, work=["a", "b"], extra=["x"])
    lock = relocked(tmp_path, lock, work=["a"], extra=["b", "x"])
    assert wheels(lock) == [("extra", ("x",)), ("work", ("a",)), ("extra", ("b",))]


PACKAGES = st.lists(st.from_regex(r"[c-w]{1,3}", fullmatch=True), unique=True, max_size=4)


@settings(max_examples=25)
@given(st.lists(st.tuples(PACKAGES, PACKAGES), min_size=1, max_size=4))
def test_updates_and_their_inverse_return_to_the_same_lock_when_it_is_reordered(
    updates: list[tuple[list[str], list[str]]],
) -> None:
    with TemporaryDirectory() as name:
        directory = Path(name)
        first = relocked(directory, None, work=["a", "b"], extra=["x", "y"])
        lock = first
        for work, extra in updates:
            mine = [each for each in work if each not in extra]
            lock = relocked(directory, lock, work=["a", "b", *mine], extra=["x", "y", *extra])
        back = relocked(directory, lock, work=["a", "b"], extra=["x", "y"])
        request = read_request(directory / "demo.toml")
        assert replace(back, layers=layers(back, None, request)) == first
