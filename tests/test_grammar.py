from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from ds01build import grammar

if TYPE_CHECKING:
    from collections.abc import Callable

HEX = "0123456789abcdef" * 4

ACCEPTED: list[tuple[Callable[[str], str], list[str]]] = [
    (grammar.tier_name, ["a", "0", "data-science", "a" * 63, "x-"]),
    (grammar.recipe_name, ["a", "thesis-cv", "a.b_c-d", "a" * 128]),
    (grammar.suite, ["bookworm", "sid"]),
    (grammar.deb, ["git", "g++", "libstdc++6", "0ad", "git=1:2.39.5-0+deb12u2", "git=1:2.39*"]),
    (grammar.index_alias, ["lab", "defaults", "0"]),
    (grammar.variable_name, ["_", "HF_HOME", "a1"]),
    (grammar.user, ["root", "1000", "1000:1000", "_apt", "a:b"]),
    (grammar.label_name, ["a", "com.example.course", "ds01", "x/y"]),
    (grammar.absolute_path, ["/", "/a", "/etc/jupyter/x.py", "/a b", "/..."]),
    (grammar.relative_path, ["a", "a/b.txt", "..a/b", ".hidden"]),
    (grammar.mode, ["644", "0755", "0000"]),
    (
        grammar.image_reference,
        [
            "python",
            "python:3.12-slim",
            "aimehub/pytorch-2.7.1-cuda12.6.3",
            "rocm/dev-ubuntu-20.04:5.4.2-complete",
            "registry.example.org:5000/a/b__c:T",
            f"localhost:5000/x@sha256:{HEX}",
            f"a:1@sha256:{HEX}",
        ],
    ),
    (
        grammar.url,
        ["https://a.example", "https://a.example:8080/simple/", "http://localhost/x"],
    ),
    (grammar.url, ["http://127.0.0.1:1/", "http://[::1]:3141/root"]),
]

REFUSED: list[tuple[Callable[[str], str], list[str]]] = [
    (grammar.tier_name, ["", "-a", "A", "a_b", "a" * 64, "a\n", "ä"]),
    (grammar.recipe_name, ["", "A", "a--b", ".a", "a.", "a/b", "a" * 129, "a\n"]),
    (grammar.suite, ["", "Bookworm", "bookworm-backports", "bookworm main", "../x"]),
    (grammar.deb, ["", "g", "git-", "Git", "git/sid", "git:amd64", "./x.deb", "-o", "a b", "git="]),
    (grammar.deb, ["git=*", "?essential", "~nx", "git\n", "git=1\n"]),
    (grammar.index_alias, ["", "default", "A", "a=b", "a b"]),
    (grammar.variable_name, ["", "1a", "a b", "a=b", "a-b", "a\n"]),
    (grammar.user, ["", "Root", "a:b:c", "-1", "a\n"]),
    (grammar.label_name, ["", "a b", "DS01.x", "ds01.x", "org.opencontainers.image.title"]),
    (grammar.absolute_path, ["", "a", "//", "/a/", "/a//b", "/./a", "/a/..", "/" + "a" * 256]),
    (grammar.relative_path, ["", ".", "..", "/a", "a/", "../a", "a/../b", "a//b", "a/./b"]),
    (grammar.mode, ["", "4755", "01777", "789", "0o644", "64"]),
    (grammar.image_reference, ["", "A", "a b", "a:", "a@sha256:00", "https://a/b", "a\n", "-a"]),
    (grammar.image_reference, ["a" * 256, "a//b", "a/../b", "x:y/z:w"]),
    (
        grammar.url,
        ["", "a.example", "ftp://a", "http://a.example/", "https://", "https://A.example"],
    ),
    (grammar.url, ["https://a/?t=1", "https://a/#x", "https://a b/", "http://localhost.example/"]),
    (grammar.url, ["http://127.0.0.1.example/", "https://a\n", "file:///a", "https:///a"]),
]


@pytest.mark.parametrize(
    ("check", "text"), [(check, text) for check, texts in ACCEPTED for text in texts]
)
def test_a_good_word_stays_as_it_is(check: Callable[[str], str], text: str) -> None:
    assert check(text) == text


@pytest.mark.parametrize(
    ("check", "text"), [(check, text) for check, texts in REFUSED for text in texts]
)
def test_a_bad_word_is_refused(check: Callable[[str], str], text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        check(text)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


@given(st.text())
def test_no_check_takes_what_its_normal_form_is_not(text: str) -> None:
    for check in (grammar.requirement, grammar.package_name, *(check for check, _ in ACCEPTED)):
        try:
            normal = check(text)
        except ValueError:
            continue
        assert check(normal) == normal


def test_the_dot_before_a_relative_path_is_dropped() -> None:
    assert grammar.relative_path("./a/b") == "a/b"


@pytest.mark.parametrize(
    "text",
    [
        "https://me:secret@a.example/simple",
        "http://me:secret@a.example",
        "https://secret@a.example",
        "me:secret@a.example",
        "https://a.example/secret?x",
        "https://[secret",
    ],
)
def test_a_refused_url_is_never_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        grammar.url(text)
    assert "secret" not in str(caught.value)
    assert "a.example" not in str(caught.value)


def test_credentials_in_a_url_belong_into_the_environment() -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        grammar.url("https://me:secret@a.example/simple")
    assert str(caught.value) == (
        "the URL holds credentials: take them out of the recipe and put them into the environment"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [(8888, "8888/tcp"), ("53/udp", "53/udp"), ("65535/tcp", "65535/tcp")],
)
def test_a_port_is_a_number_and_a_protocol(value: object, expected: str) -> None:
    assert grammar.port(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "8888",
        0,
        -1,
        65536,
        "65536/tcp",
        True,
        1.5,
        "a/tcp",
        "1/icmp",
        "01/tcp",
        pytest.param(10**5000, id="huge"),
    ],
)
def test_what_is_no_port_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"^expected a port, such as 8888 or '53/udp'$"):
        grammar.port(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-01", "2026-11-02T00:00:00Z"),
        (date(2026, 12, 31), "2027-01-01T00:00:00Z"),
        ("2026-11-01T12:00:00Z", "2026-11-01T12:00:00Z"),
        ("2026-11-01T00:30:00+02:00", "2026-10-31T22:30:00Z"),
        (datetime(2026, 11, 1, 9, tzinfo=timezone(timedelta(hours=9))), "2026-11-01T00:00:00Z"),
    ],
)
def test_a_moment_is_utc_and_a_date_means_its_end(value: object, expected: str) -> None:
    assert grammar.moment(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "1 week",
        "2026-13-01",
        "2026-11-01T12:00:00",
        "2026-11-01 12:00:00Z",
        "0001-01-01T00:00:00+14:00",
        datetime(2026, 11, 1),  # noqa: DTZ001  (that is what is wrong with it)
        date(9999, 12, 31),
        date(1, 1, 1),
        20261101,
        None,
    ],
)
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"^expected a date, or a time with its offset, such as "):
        grammar.moment(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Polars >= 1.0 , < 2", "polars<2,>=1.0"),
        ("Typing_Extensions", "typing-extensions"),
        ("uvicorn[Standard,http2]", "uvicorn[http2,standard]"),
        ("tomli; python_version<'3.11'", 'tomli; python_version < "3.11"'),
        ("numpy (>=1.2)", "numpy>=1.2"),
        ("torch==2.8.0+cu126", "torch==2.8.0+cu126"),
    ],
)
def test_a_requirement_has_one_normal_form(text: str, expected: str) -> None:
    assert grammar.requirement(text) == expected
    assert grammar.requirement_name(expected) == Requirement(expected).name


_ENGINE = "needs a build in an engine, which ds01 does not do yet"


_NAMELESS = "a URL does not say what it is of: write NAME @ URL"
_ONLY_GIT = "of version control only git+https:// is supported"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("https://me:secret@a.example/x.whl", _NAMELESS),
        ("git+https://me:secret@a.example/x", _NAMELESS),
        ("git+ssh://me:secret@a.example/x", _ONLY_GIT),
        ("X-y @ git+ssh://-oProxyCommand=id/x", _ONLY_GIT),
        ("x @ git+file:///srv/x", _ONLY_GIT),
        ("x @ hg+https://a.example/x", _ONLY_GIT),
        ("./pkg", f"a local project or file {_ENGINE}"),
        ("/srv/pkg", f"a local project or file {_ENGINE}"),
        ("~/pkg", f"a local project or file {_ENGINE}"),
        ("file:pkg", f"a local project or file {_ENGINE}"),
        ("pkg-1.0-py3-none-any.whl", f"a local project or file {_ENGINE}"),
        ("pkg-1.0.tar.gz", f"a local project or file {_ENGINE}"),
        ("-e ./pkg", "editable installs are not part of an image: name a package"),
        ("--editable=pkg", "editable installs are not part of an image: name a package"),
        ("--index-url=https://me:secret@a.example", "this is an option, not a requirement"),
        ("-r x.txt", "'-r' is an option, not a requirement"),
        ("a===1", "'a===1' has a version outside PEP 440"),
        ("pandas >> 2", "'pandas >> 2' is not a requirement, such as pandas>=2.2"),
        ("a b@c", "this is not a requirement, such as pandas>=2.2"),
        ("", "'' is not a requirement, such as pandas>=2.2"),
    ],
)
def test_what_no_index_can_satisfy_is_refused_by_name(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        grammar.requirement(text)
    assert str(caught.value) == problem


_DIRECT = "https://a.example/x-1.0.zip"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("X_y@git+https://a.example/x.git@v1.0", "x-y @ git+https://a.example/x.git@v1.0"),
        ("x @ git+https://a.example:8443/a/x", "x @ git+https://a.example:8443/a/x"),
        ("x@git+http://127.0.0.1:1/x@feature/a", "x @ git+http://127.0.0.1:1/x@feature/a"),
        (f"x[B,a] @ {_DIRECT}#sha256={HEX}", f"x[a,b] @ {_DIRECT}#sha256={HEX}"),
        (
            f"x @ {_DIRECT}#sha256={HEX} ; python_version<'3.12'",
            f'x @ {_DIRECT}#sha256={HEX} ; python_version < "3.12"',
        ),
    ],
)
def test_a_direct_url_has_one_normal_form(text: str, normal: str) -> None:
    assert grammar.requirement(text) == normal
    assert grammar.requirement(normal) == normal
    assert grammar.requirement_name(normal) == Requirement(normal).name


_CREDENTIALS = (
    "the URL holds credentials: take them out of the recipe and put them into the environment"
)
_WHICH = (
    "'x': a direct URL is git+https://..., or that of a .whl, .tar.gz or .zip with #sha256=... "
    "behind it"
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x @ git+https://me:secret@a.example/x", _CREDENTIALS),
        ("x @ git+https://secret@a.example/x@v1", _CREDENTIALS),
        (f"x @ https://me:secret@a.example/x.whl#sha256={HEX}", _CREDENTIALS),
        ("x @ https://me:secret@a.example/x", _CREDENTIALS),
        ("x @ git+http://a.example/x", "the URL must start with https://"),
        (f"x @ http://a.example/x.whl#sha256={HEX}", "the URL must start with https://"),
        ("x @ git+https://a.example/x@--upload-pack=id", "'x': '--upload-pack=id' is not a "),
        ("x @ git+https://a.example/x@a..b", "'x': 'a..b' is not a commit, tag or branch"),
        ("x @ git+https://a.example/x@a@b", "'x': 'a@b' is not a commit, tag or branch"),
        ("x @ git+https://a.example/x#egg=x", "not an https URL of host, port and path"),
        ("x @ git+https://-oX/x", "not an https URL of host, port and path"),
        (f"x @ {_DIRECT}", "'x': the direct URL lacks #sha256= and the file's SHA-256 in 64 "),
        (f"x @ {_DIRECT}#sha256=00", _WHICH),
        (f"x @ {_DIRECT}?token=secret#sha256={HEX}", "not an https URL of host, port and path"),
        (f"x @ https://a.example/x.exe#sha256={HEX}", _WHICH),
    ],
)
def test_a_direct_url_that_is_not_pinned_or_safe_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        grammar.requirement(text)
    assert str(caught.value).startswith(problem)
    assert "secret" not in str(caught.value)


def test_what_bounds_versions_has_no_url() -> None:
    assert grammar.bound("x<2") == "x<2"
    with pytest.raises(ValueError, match=r"^'x' has a URL, and versions belong here$"):
        grammar.bound("x @ git+https://a.example/x")
