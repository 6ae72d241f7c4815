"""What differs in a container is told apart: asked for, come along, changed, removed, elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hypothesis import given
from hypothesis import strategies as st
from test_importing import HOSTILE, copied

from ds01build.importing import merged, recipe_of, recipe_text
from ds01build.importing.bases import DEFAULT
from ds01build.importing.container import STATES, STATUS, Change, Found, by_hand, metadata_of
from ds01build.recipe import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.importing import Draft

SITE = "usr/local/lib/python3.11/site-packages"
Kind = Literal["modified", "added", "deleted"]


class Container:
    """A container in the making."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.contents: dict[str, bytes | None] = {}
        self.image_status = b""

    def installed(
        self,
        name: str,
        version: str,
        *marks: str,
        site: str = SITE,
        requires: Sequence[str] = (),
        kind: Kind = "added",
    ) -> None:
        folder = f"{site}/{name}-{version}.dist-info"
        needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
        self.contents[f"{folder}/METADATA"] = f"Name: {name}\nVersion: {version}\n{needs}".encode()
        self.changes += [Change(kind, f"{folder}/{each}") for each in ("METADATA", *marks)]

    def removed(self, name: str, version: str) -> None:
        self.changes.append(Change("deleted", f"{SITE}/{name}-{version}.dist-info"))

    def with_debs(self, before: dict[str, str], after: dict[str, str], *automatic: str) -> None:
        self.image_status = status(before)
        self.contents[STATUS] = status(after)
        states = (f"Package: {name}\nArchitecture: all\nAuto-Installed: 1\n" for name in automatic)
        self.contents[STATES] = "\n".join(states).encode()
        self.changes.append(Change("modified", STATUS))

    def draft(self, *, everything: bool = False) -> Draft:
        found = Found(
            source="c",
            changes=tuple(self.changes),
            contents=self.contents,
            image_status=self.image_status,
        )
        return by_hand(found, everything=everything)


def status(debs: dict[str, str]) -> bytes:
    stanza = "Package: {}\nStatus: install ok installed\nVersion: {}\nArchitecture: all\n"
    return "\n".join(stanza.format(*each) for each in debs.items()).encode()


def notes(draft: Draft) -> list[tuple[str, str]]:
    return [(note.outcome, note.text) for note in draft.notes]


def test_what_was_asked_for_is_pinned_and_what_came_along_is_told() -> None:
    container = Container()
    container.installed(
        "wanted", "2.0", "REQUESTED", requires=["brought[x]>=1 ; python_version>'3'"]
    )
    container.installed("brought", "1.0", requires=["deeper (>=1)"])
    container.installed("deeper", "0.1")
    container.installed("left-over", "5", requires=["gone"])
    draft = container.draft()
    assert copied(draft) == ("left-over==5", "wanted==2.0")
    assert notes(draft) == [("done", "brought 1.0"), ("done", "deeper 0.1")]
    everything = container.draft(everything=True)
    assert copied(everything) == ("brought==1.0", "deeper==0.1", "left-over==5", "wanted==2.0")


def test_another_version_is_asked_for_and_the_same_one_again_is_not() -> None:
    container = Container()
    container.removed("Flask", "2.0")
    container.installed("Flask", "3.0", "REQUESTED")
    container.installed("numpy", "1.0", "REQUESTED", kind="modified")
    draft = container.draft()
    assert copied(draft) == ("flask==3.0",)
    assert notes(draft) == []


def test_what_was_removed_or_comes_from_elsewhere_is_listed() -> None:
    container = Container()
    container.removed("six", "1.16.0")
    container.installed("mine", "0.1", "REQUESTED", "direct_url.json")
    container.installed("odd", "1.0-weird", "REQUESTED")
    container.installed("inner", "1", site="opt/venv/lib/python3.11/site-packages")
    container.changes.append(Change("added", "opt/venv/pyvenv.cfg"))
    draft = container.draft()
    assert copied(draft) == ()
    assert notes(draft) == [
        ("dropped", "/opt/venv"),
        ("dropped", "mine 0.1"),
        ("dropped", "odd 1.0-weird"),
        ("dropped", "six-1.16.0"),
    ]


def test_metadata_that_nothing_can_be_made_of_is_listed() -> None:
    container = Container()
    for stem in ("odd-1", "linked-1", "whole-1"):
        container.changes.append(Change("added", f"{SITE}/{stem}.dist-info"))
    container.changes.append(Change("added", f"{SITE}/odd-1.dist-info/METADATA"))
    container.contents[f"{SITE}/odd-1.dist-info/METADATA"] = b"Name: b c\nVersion: 1\n"
    container.changes.append(Change("added", f"{SITE}/linked-1.dist-info/METADATA"))
    container.installed("whole", "1", "REQUESTED")
    draft = container.draft()
    assert copied(draft) == ("whole==1",)
    assert [(note.text, note.reason) for note in draft.notes] == [
        (f"/{SITE}/linked-1.dist-info", "it has no METADATA that is a file"),
        (f"/{SITE}/odd-1.dist-info", "its METADATA is of no package"),
    ]


def test_packages_of_a_user_count_too() -> None:
    container = Container()
    site = "home/student/.local/lib/python3.11/site-packages"
    container.installed("wandb", "0.17.0", "REQUESTED", site=site)
    assert copied(container.draft()) == ("wandb==0.17.0",)


def test_debs_are_compared_by_version_and_those_of_others_told_apart() -> None:
    container = Container()
    container.with_debs(
        {"curl": "7.88", "bash": "5.2", "nano": "7.2"},
        {"curl": "7.89", "bash": "5.2", "tree": "2.1-1", "libtree": "2.1-1"},
        "libtree",
    )
    draft = container.draft()
    assert copied(draft) == ("curl=7.89", "tree=2.1-1")
    assert notes(draft) == [("done", "libtree 2.1-1"), ("dropped", "nano")]
    assert "libtree=2.1-1" in copied(container.draft(everything=True))


PATHS = st.builds(
    "{}/{}-{}.dist-info/{}".format,
    st.sampled_from([SITE, "lib/python3/dist-packages", "x"]),
    HOSTILE,
    HOSTILE,
    st.sampled_from(["METADATA", "REQUESTED", "PKG-INFO"]),
)


@given(st.dictionaries(PATHS, HOSTILE, max_size=4), HOSTILE, HOSTILE)
def test_no_container_makes_more_than_packages_of_a_recipe(
    files: dict[str, str], before: str, after: str
) -> None:
    contents: dict[str, bytes | None] = {
        path: f"Name: {text}\nVersion: {text}\n".encode(errors="replace")
        for path, text in files.items()
    }
    changes = tuple(Change("added", path) for path in files)
    hostile = f"Package: {after}\nStatus: install ok installed\nVersion: {after}\n"
    found = Found(
        source="c",
        changes=changes,
        contents={**contents, STATUS: hostile.encode(errors="replace")},
        image_status=before.encode(errors="replace") or b"-",
    )
    draft = by_hand(found, everything=False)
    made = parse(recipe_text(recipe_of(merged([draft]), "name", DEFAULT)), source="test")
    assert {tier.name for tier in made.tiers} <= {"system", "custom"}
    assert set(metadata_of(changes)) <= {path.rpartition("/")[0] for path in files}
