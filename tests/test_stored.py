from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ds01build.errors import Ds01Error
from ds01build.image import MANIFEST_TYPE
from ds01build.store import roots
from ds01build.store.roots import Generation
from ds01build.workflow.stored import find, parse_numbered

if TYPE_CHECKING:
    from ds01build.digest import Digest
    from ds01build.store import DirStore

pytest_plugins = ("store_fixtures",)

NOW = "2026-11-01T12:00:00Z"


def publish(store: DirStore, name: str, content: bytes) -> Digest:
    image = store.put(content)
    for tag in (f"{name}@{image}", name):
        store.tag(tag, manifest=image, size=len(content), media_type=MANIFEST_TYPE, annotations={})
    roots.append(store.root, name, Generation(image=image, lock=None, created=NOW))
    return image


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("thesis@2", ("thesis", 2)),
        ("a.b-c_d@999999999", ("a.b-c_d", 999_999_999)),
        ("thesis", None),
        ("thesis@0", None),
        ("thesis@02", None),
        ("thesis@1000000000", None),
        ("thesis@" + "1" * 12, None),
        ("thesis@sha256:" + "1" * 64, None),
        ("../thesis@1", None),
        ("@1", None),
        ("thesis@1\n", None),
        ("thesis@\u0661", None),
    ],
)
def test_a_name_with_a_number_is_told_from_one_with_a_digest(
    image: str, parts: tuple[str, int] | None
) -> None:
    assert parse_numbered(image) == parts


def test_a_generation_is_found_by_its_number(store: DirStore) -> None:
    publish(store, "thesis", b"first")
    publish(store, "thesis", b"second")
    assert find(store, "thesis@1").manifest == b"first"
    assert find(store, "thesis@2").manifest == b"second"
    assert find(store, "thesis").manifest == b"second"
    assert find(store, "thesis@1").name == "thesis"


def test_a_number_that_there_is_not_is_named_with_those_that_there_are(store: DirStore) -> None:
    publish(store, "thesis", b"first")
    with pytest.raises(Ds01Error) as caught:
        find(store, "thesis@7")
    assert str(caught.value) == "'thesis' has no generation 7; there are 1"
    assert caught.value.hint == "ds01 image history thesis"
    with pytest.raises(Ds01Error, match="'other' has no generation 1; there are none"):
        find(store, "other@1")


def test_an_image_is_found_by_its_tag_in_an_engine(store: DirStore) -> None:
    publish(store, "thesis", b"first")
    assert find(store, f"ds01-{store.uid}/thesis:latest").manifest == b"first"
    for other in (f"ds01-{store.uid + 1}/thesis:latest", f"ds01-{store.uid}/thesis:old"):
        with pytest.raises(Ds01Error, match="no image is called"):
            find(store, other)
