from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from values import a_lock, an_image_lock, wheel_pin

from ds01build import graph, spec
from ds01build.layers.deb.needs import needs_of, versions_of
from ds01build.lock import LockedDebian, LockedTier
from ds01build.origin import Origin, origins

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ds01build.lock import Lock

NAMES = ("a", "b", "c", "d", "e")


def origin(lock: Lock, name: str, debs: Mapping[str, Sequence[str]] | None = None) -> Origin:
    (found,) = origins(lock, graph.of(lock), name, debs or {})
    return found


def ways(found: Origin) -> list[tuple[str, ...]]:
    return [each.names for each in found.chains]


def lock_of(needs: Mapping[str, Sequence[str]], asked: Sequence[str]) -> Lock:
    """Return a lock of wheels that need each other, of which tier work asks for some."""
    wheels = tuple(
        replace(wheel_pin(name), requires=tuple(sorted(needed))) for name, needed in needs.items()
    )
    lock = a_lock()
    layer = replace(lock.layers[2], names=tuple(sorted(needs)))
    tier = LockedTier(name="work", kind="python", requests=tuple(asked))
    return replace(lock, wheels=wheels, layers=(*lock.layers[:2], layer), tiers=(tier,))


def test_a_wheel_is_traced_to_the_lines_that_come_to_it() -> None:
    found = origin(a_lock(), "six")
    assert (found.kind, str(found.pin), found.asked) == ("python", "six==1.0", ())
    assert (found.needers, found.is_complete) == (("pandas",), True)
    (chain,) = found.chains
    assert (chain.asked.tier, chain.asked.line, chain.names) == (
        "work",
        "pandas",
        ("pandas", "six"),
    )
    found = origin(a_lock(), "numpy")
    assert [each.line for each in found.asked] == ["numpy>=2"]
    assert ways(found) == [("numpy",), ("pandas", "numpy")]


def test_a_line_has_its_shortest_way_and_shorter_ways_come_first() -> None:
    needs = {"a": "bc", "b": "d", "c": "b", "d": "", "e": "d"}
    found = origin(lock_of(needs, ["a", "e[fast]>=1.0,<2 ; python_version >= '3'"]), "d")
    assert ways(found) == [("e", "d"), ("a", "b", "d")]


@given(
    st.fixed_dictionaries({name: st.sets(st.sampled_from(NAMES)) for name in NAMES}),
    st.sets(st.sampled_from(NAMES)),
)
def test_every_link_of_a_chain_is_a_need(needs: dict[str, set[str]], asked: set[str]) -> None:
    lock = lock_of({name: sorted(needed) for name, needed in needs.items()}, sorted(asked))
    for name in NAMES:
        found = origin(lock, name)
        for chain in found.chains:
            assert (chain.names[0], chain.names[-1]) == (chain.asked.name, name)
            for needer, needed in zip(chain.names, chain.names[1:], strict=False):
                assert needed in needs[needer]
        reached = {each.names[0] for each in found.chains}
        assert reached == {start for start in asked if name in _closure(start, needs)}


def _closure(start: str, needs: Mapping[str, set[str]]) -> set[str]:
    reached = {start}
    while more := {needed for name in reached for needed in needs[name]} - reached:
        reached |= more
    return reached


def test_a_package_is_held_by_the_layer_with_its_bytes() -> None:
    lock = a_lock()
    stack = graph.of(lock).stack
    holder = origin(lock, "six").holder
    assert holder is not None
    assert (holder.tier, holder.place, holder.total, holder.packages) == ("work", 4, 6, 2)
    assert holder.key == spec.key(stack[3][1])
    holder = origin(lock, "libc6").holder
    assert holder is not None
    assert (holder.tier, holder.place) == ("base", 1)
    holder = origin(an_image_lock(), "git").holder
    assert holder is not None
    assert (holder.tier, holder.place) == ("system", 2)


def test_a_wheel_and_a_deb_of_one_name_are_both_found() -> None:
    lock = replace(a_lock(), wheels=(replace(a_lock().wheels[2], name="git"),), layers=())
    assert [each.kind for each in origins(lock, graph.of(lock), "git", {})] == ["python", "debian"]
    assert origins(lock, graph.of(lock), "nothing", {}) == ()


def test_debs_are_traced_where_what_they_need_is_known() -> None:
    lock = replace(
        a_lock(), base=LockedDebian(suite="bookworm", architecture="amd64", packages=("less=1*",))
    )
    known = origin(lock, "libc6", {"git": ("libc6",), "libc6": ()})
    assert (ways(known), known.is_complete) == ([("git", "libc6")], True)
    unknown = origin(lock, "libc6")
    assert (ways(unknown), unknown.is_complete) == ([], False)
    assert [each.line for each in origin(lock, "git").asked] == ["git"]


def test_what_debs_need_is_read_from_their_control_files() -> None:
    controls = {
        "git": {"Depends": "libc6 (>= 2.34), perl:any, exim4 | mail-agent, git"},
        "perl": {"Pre-Depends": "dpkg (>= 1.17.17)", "Depends": "libperl5.36"},
        "mutt": {"Provides": "mail-agent (= 1), imap"},
        "libc6": {},
    }
    assert needs_of(controls) == {
        "git": ("libc6", "mutt", "perl"),
        "perl": (),
        "mutt": (),
        "libc6": (),
    }


def test_what_a_deb_asks_of_versions_is_told_as_its_control_file_has_it() -> None:
    control = {
        "Pre-Depends": "libc6 (>= 2.36), dpkg (>= 1.17.14)",
        "Depends": "libc6:any(>=2.34) , libc6-dev (= 2.36-9), x | libc6 (<< 3), libc6",
        "Recommends": "libc6 (>= 9)",
    }
    told = ("libc6 (>= 2.36)", "libc6 (>= 2.34)", "libc6 (<< 3)")
    assert versions_of(control, "libc6") == told
    assert versions_of(control, "x") == versions_of({}, "libc6") == ()
