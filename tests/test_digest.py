from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01build.digest import DiffId, Digest, Key, canonical

if TYPE_CHECKING:
    from ds01build.digest import Canonical

HEX = "ab" * 32

VALUES: st.SearchStrategy[Canonical] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("address", [Digest, DiffId, Key])
@pytest.mark.parametrize(
    "text",
    [
        "",
        HEX,
        f"sha256:{HEX}\n",
        f"sha256:{HEX}0",
        f"sha256:{HEX[:-1]}",
        f"sha256:{HEX.upper()}",
        f"sha512:{HEX}",
        f" sha256:{HEX}",
        "sha256:" + "٣" * 64,
    ],
)
def test_an_address_is_sha256_and_64_hex_digits(
    address: type[Digest | DiffId | Key], text: str
) -> None:
    with pytest.raises(ValueError, match="not a sha256 address"):
        address(text)
    assert str(address(f"sha256:{HEX}")) == f"sha256:{HEX}"


def test_an_address_is_a_string() -> None:
    with pytest.raises(ValueError, match="not a sha256 address: 5"):
        Digest(5)  # type: ignore[arg-type]


def test_a_refused_address_is_shown_escaped_and_short() -> None:
    with pytest.raises(ValueError, match="not a sha256 address") as caught:
        Digest("\x1b[31m" + "x" * 1000)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 150


@given(st.binary())
def test_a_digest_is_that_of_the_bytes(content: bytes) -> None:
    assert Digest.of(content).hex == hashlib.sha256(content).hexdigest()


def test_the_addresses_of_one_text_are_never_equal() -> None:
    text = f"sha256:{HEX}"
    assert len({Digest(text), DiffId(text), Key(text)}) == 3


def test_canonical_text_is_sorted_compact_ascii() -> None:
    assert canonical({"b": [1, True, None], "a": "é\n"}) == b'{"a":"\\u00e9\\n","b":[1,true,null]}'


@given(VALUES)
def test_canonical_text_means_its_value(value: Canonical) -> None:
    text = canonical(value)
    assert text.isascii()
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text


@given(VALUES, VALUES)
def test_different_values_have_different_canonical_texts(one: Canonical, other: Canonical) -> None:
    assert (canonical(one) == canonical(other)) == (repr_of(one) == repr_of(other))


def repr_of(value: Canonical) -> str:
    """Tell True from 1, which are equal in Python, and forget the order of members."""
    return repr(json.loads(json.dumps(value, sort_keys=True)))


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_a_key_does_not_depend_on_the_order_of_members(
    inputs: dict[str, Canonical],
) -> None:
    assert Key.of(dict(reversed(inputs.items()))) == Key.of(inputs)


@pytest.mark.parametrize("value", [1.0, [1.5], {"a": {"b": [float("nan")]}}, {"a": (0.0,)}])
def test_floats_have_no_canonical_form(value: object) -> None:
    with pytest.raises(TypeError, match="a float has no canonical form"):
        canonical(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object()])
def test_what_json_cannot_say_has_no_canonical_form(value: object) -> None:
    with pytest.raises(TypeError):
        canonical(value)  # type: ignore[arg-type]
