from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01build.location import origin, redact, split_credentials

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host/simple/", "https://host/simple/"),
        (f"https://user:{SECRET}@host/simple/", "https://host/simple/"),
        (f"https://{SECRET}@host:8443/a", "https://host:8443/a"),
        (f"https://u:p@{SECRET}@host/a", "https://host/a"),
        (f"https://host/a?token={SECRET}#{SECRET}", "https://host/a"),
        (f"https://user:{SECRET}/x@host/a", "https://..."),
        (f"https://0/:{SECRET}@host/a", "https://..."),
        ("https://user:1234/x@host/a", "https://..."),
        ("https://user:1234?x@host/a", "https://..."),
        ("https://user:1234#x@host/a", "https://..."),
        (f"https://user:{SECRET}%@[host/a", "https://..."),
        (f"https://user:{SECRET}\n@host/a", "https://..."),
        (f"https:\\\\user:{SECRET}@host/a", "..."),
        (f"https://user:{SECRET}\\@host/a", "https://..."),
        (f"user:{SECRET}@host/a", "..."),
        ("file:///srv/index", "file:///srv/index"),
        ("https://host/\x1b[31m", "https://..."),
        ("", "..."),
    ],
)
def test_a_url_is_shown_without_secrets(url: str, shown: str) -> None:
    assert redact(url) == shown


@given(
    user=st.text(max_size=8),
    password=st.text(max_size=8).map(lambda text: SECRET + text),
    path=st.text(max_size=8),
)
def test_a_password_is_never_shown(user: str, password: str, path: str) -> None:
    if SECRET not in user + path:
        assert SECRET not in redact(f"https://{user}:{password}@host/{path}")


def test_credentials_are_taken_out_and_decoded() -> None:
    url = "https://a%40b:p%3Aw@host:8443/simple/?x=1"
    assert split_credentials(url) == ("https://host:8443/simple/?x=1", ("a@b", "p:w"))
    assert split_credentials("https://token@host/") == ("https://host/", ("token", ""))
    assert split_credentials("https://host/") == ("https://host/", None)


@pytest.mark.parametrize("url", [f"https://u:{SECRET}/@host/", f"https://u:{SECRET}@ho st/", ""])
def test_what_is_not_a_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="a URL with") as caught:
        split_credentials(url)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_equal_origins_are_equal_texts() -> None:
    assert origin("https://Host/a") == origin("https://u:p@host:443/b") == "https://host:443"
    assert origin("http://host/") == "http://host:80"
    assert len({origin(url) for url in ("http://h/", "https://h/", "https://h:8443/")}) == 3
    with pytest.raises(ValueError, match="without a host"):
        origin("https:///a")
