from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01build.digest import Digest
from ds01build.reference import Reference, parse_host, parse_reference

HEX = "0123456789abcdef" * 4
DIGEST = f"sha256:{HEX}"

WRITTEN = [
    ("python", "docker.io/library/python:latest", "python:latest"),
    ("python:3.12-slim", "docker.io/library/python:3.12-slim", "python:3.12-slim"),
    ("aimehub/pytorch", "docker.io/aimehub/pytorch:latest", "aimehub/pytorch:latest"),
    ("docker.io/python", "docker.io/library/python:latest", "python:latest"),
    ("docker.io/library/python:3", "docker.io/library/python:3", "python:3"),
    ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
    ("index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest"),
    ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
    ("localhost:5000/x:y", "localhost:5000/x:y", "localhost:5000/x:y"),
    ("localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"),
    ("Registry.Example.org/a/b__c:T", "registry.example.org/a/b__c:T", None),
    ("127.0.0.1:5000/a", "127.0.0.1:5000/a:latest", None),
    ("[::1]:5000/a", "[::1]:5000/a:latest", None),
    ("a.b/c", "a.b/c:latest", None),
    (f"a@{DIGEST}", f"docker.io/library/a@{DIGEST}", f"a@{DIGEST}"),
    (f"a:1@{DIGEST}", f"docker.io/library/a:1@{DIGEST}", f"a:1@{DIGEST}"),
]


@pytest.mark.parametrize(("text", "full", "familiar"), WRITTEN)
def test_what_is_left_out_is_filled_in(text: str, full: str, familiar: str | None) -> None:
    reference = parse_reference(text)
    assert str(reference) == full
    assert reference.familiar == (familiar or full)
    assert parse_reference(full) == parse_reference(reference.familiar) == reference


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "a/", "/a", "a//b", "a/../b", "-a", "a-", "A", "a/B", "Foo/bar", "a b", "a\n"),
        *("a:", "a:-x", "a:" + "t" * 129, "a@", "a@sha256:00", f"a@sha512:{HEX}", "a@b"),
        *(
            "https://a/b",
            "x:y/z:w",
            "a.b:123456/c",
            "host:99999/a",
            "host:65536/a",
            "[::1]:0/a",
            "user@host/x",
            "[::1/x",
            "a...b",
        ),
        *("a___b", "a._b", "-.b/c", "a.-b.c/d", HEX, f"{HEX}:x", "a" * 256, "ä", "a\u202e"),
        "a/" * 300 + "b",
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_reference(text)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_the_digest_wins_over_the_tag() -> None:
    assert parse_reference("a:1").pointer == "1"
    assert parse_reference(f"a:1@{DIGEST}").pointer == DIGEST
    assert parse_reference(f"a:1@{DIGEST}").digest == Digest(DIGEST)


def test_a_long_name_may_have_a_long_tag_and_a_digest() -> None:
    name = "a.b/" + "c" * 251
    text = f"{name}:{'t' * 128}@{DIGEST}"
    assert str(parse_reference(text)) == text
    with pytest.raises(ValueError, match=r"^an image reference with a name of more than 255 char"):
        parse_reference(name + "c")


@pytest.mark.parametrize(
    "text", ["lab", "Lab.example", "lab:5000", "[::1]", "[::1]:65535", "lab:1"]
)
def test_a_host_is_written_in_lower_case(text: str) -> None:
    assert parse_host(text) == text.lower()


@pytest.mark.parametrize(
    "text",
    ["", "a/b", "http://a", "a:", "a:65536", "a:0", "a:x", "a b", "u@a", "[::1", "a\n", "a" * 256],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not the host of a registry, such as registry\."):
        parse_host(text)


_PART = st.from_regex(r"[a-z0-9]{1,5}(?:(?:[._]|__|-{1,3})[a-z0-9]{1,5}){0,2}", fullmatch=True)
_HOST = st.from_regex(r"[a-z0-9]{1,9}\.[a-z]{2,3}(?::[1-9][0-9]{0,3})?", fullmatch=True)
_TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)


@given(
    st.one_of(st.just("docker.io"), st.just("localhost"), _HOST),
    st.lists(_PART, min_size=2, max_size=4).map("/".join),
    st.one_of(st.just(""), _TAG),
    st.one_of(st.none(), st.binary().map(Digest.of)),
)
def test_both_forms_mean_what_they_were_made_from(
    registry: str, repository: str, tag: str, digest: Digest | None
) -> None:
    reference = Reference(registry, repository, tag or ("" if digest else "latest"), digest)
    if registry == "docker.io" and repository.split("/", maxsplit=1)[0] == "localhost":
        return  # the familiar form would name a host, as Docker's own does
    assert parse_reference(str(reference)) == reference
    if "." in repository.split("/", maxsplit=1)[0]:
        return  # likewise
    assert parse_reference(reference.familiar) == reference


@given(st.text())
def test_any_text_is_a_reference_or_a_value_error(text: str) -> None:
    try:
        reference = parse_reference(text)
    except ValueError:
        return
    assert parse_reference(str(reference)) == reference
