from __future__ import annotations

import string
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01build.digest import Digest
from ds01build.errors import ResolveError, Unavailable
from ds01build.pin import DebPin
from ds01build.resolve.sources import AptSource, debian_sources, locations, parse_sources, plain

if TYPE_CHECKING:
    from pathlib import Path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
LIST = "/etc/apt/sources.list"
DEB822 = "/etc/apt/sources.list.d/debian.sources"

WORD = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
ROOT = st.builds(
    lambda scheme, host, path: f"{scheme}://{host}.example/{path}",
    st.sampled_from(["http", "https"]),
    WORD,
    WORD,
)


@st.composite
def entries(draw: st.DrawFn) -> AptSource:
    suite = draw(WORD)
    return AptSource(
        archive="debian",
        uri=draw(ROOT),
        suite=suite,
        components=tuple(draw(st.lists(WORD, min_size=1, max_size=3))),
        signed_by=draw(st.sampled_from(["", KEYRING, "/etc/apt/keyrings/site.asc"])),
        expires=draw(st.booleans()),
    )


def one_line(source: AptSource) -> str:
    options = [f"signed-by={source.signed_by}"] if source.signed_by else []
    options += [] if source.expires else ["check-valid-until=no"]
    words = [f"[ {' '.join(options)} ]"] if options else []
    return " ".join(["deb", *words, source.uri, source.suite, *source.components])


def deb822(source: AptSource) -> str:
    lines = [
        "Types: deb",
        f"URIs: {source.uri}/",
        f"Suites: {source.suite}",
        f"Components: {' '.join(source.components)}",
    ]
    lines += [f"Signed-By: {source.signed_by}"] if source.signed_by else []
    lines += [] if source.expires else ["Check-Valid-Until: no"]
    return "\n".join(lines) + "\n"


def host(*lines: str) -> tuple[AptSource, ...]:
    return parse_sources({LIST: "\n".join(lines)})


@given(st.lists(entries(), max_size=4))
def test_both_formats_say_the_same(expected: list[AptSource]) -> None:
    lines = "\n".join(map(one_line, expected))
    stanzas = "\n".join(map(deb822, expected))
    assert parse_sources({LIST: lines}) == tuple(expected)
    assert parse_sources({DEB822: stanzas}) == tuple(expected)


@given(st.text(), st.sampled_from([LIST, DEB822]))
def test_no_text_is_too_strange_to_read(text: str, path: str) -> None:
    for source in parse_sources({path: text}):
        assert source.uri == source.uri.strip()


def test_what_is_off_or_not_for_binaries_is_left_out() -> None:
    text = (
        f"{deb822(replace(SOURCE, suite='sid'))}Enabled: no\n\n"
        "Types: deb-src\nURIs: http://a.example/debian\nSuites: sid\nComponents: main\n\n"
        "Types: deb\nURIs: http://a.example/debian\nSuites: ./\n"
    )
    lines = (
        "# deb http://a.example/debian sid main\n"
        "deb-src http://a.example/debian sid main\n"
        "deb cdrom:[Debian 12]/ sid main\n"
        "deb tor+http://a.example/debian sid main\n"
        "deb http://a.example/debian ./\n"
    )
    assert parse_sources({DEB822: text, LIST: lines}) == ()


def test_a_stanza_is_one_source_for_each_place_and_suite() -> None:
    text = (
        "Types: deb deb-src\nURIs: http://a.example/debian https://b.example/debian\n"
        "Suites: trixie trixie-security\nComponents: main\n"
    )
    found = [(each.archive, each.uri, each.suite) for each in parse_sources({DEB822: text})]
    assert found == [
        ("debian", "http://a.example/debian", "trixie"),
        ("security", "http://a.example/debian", "trixie-security"),
        ("debian", "https://b.example/debian", "trixie"),
        ("security", "https://b.example/debian", "trixie-security"),
    ]


def test_a_mirror_list_is_followed_to_its_first_mirror() -> None:
    texts = {
        DEB822: deb822(SOURCE).replace(f"{SOURCE.uri}/", "mirror+file:///etc/apt/mirrors/d.list"),
        "/etc/apt/mirrors/d.list": "# ours\nhttps://c.example/debian\tpriority:1\n",
    }
    assert [each.uri for each in parse_sources(texts)] == ["https://c.example/debian"]
    assert parse_sources({DEB822: texts[DEB822]}) == ()


def test_keys_written_out_are_left_to_the_keyring_of_the_machine() -> None:
    text = f"{deb822(SOURCE)}Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEY\n"
    assert [each.signed_by for each in parse_sources({DEB822: text})] == [""]


def test_a_host_that_accepts_outdated_indexes_passes_that_on() -> None:
    found = parse_sources({LIST: one_line(SOURCE)}, expires=False)
    made = debian_sources("trixie", host=found, mirror=None, keyring=KEYRING)
    assert [each.expires for each in made] == [False, False, False]


SOURCE = AptSource(
    archive="debian", uri="http://a.example/debian", suite="bookworm", components=("main",)
)


def test_the_host_serves_every_suite() -> None:
    found = host(
        f"deb [signed-by={KEYRING}] http://a.example/debian bookworm main contrib",
        f"deb [signed-by={KEYRING}] http://a.example/debian-security bookworm-security main",
    )
    made = debian_sources("trixie", host=found, mirror=None, keyring=None)
    assert [(s.archive, s.uri, s.suite, s.required) for s in made] == [
        ("debian", "http://a.example/debian", "trixie", True),
        ("debian", "http://a.example/debian", "trixie-updates", False),
        ("security", "http://a.example/debian-security", "trixie-security", True),
    ]
    assert {(s.components, s.signed_by) for s in made} == {(("main",), KEYRING)}


def test_unstable_needs_no_security_suite() -> None:
    made = debian_sources(
        "sid", host=(), mirror="http://a.example/debian http://b.example/s", keyring=KEYRING
    )
    assert [(s.suite, s.required) for s in made] == [
        ("sid", True),
        ("sid-updates", False),
        ("sid-security", False),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "deb http://a.example/ubuntu noble main",
        "deb http://a.example/ubuntu noble-updates main",
        "deb http://docker.example/linux/debian bookworm stable",
        "deb [signed-by=/usr/share/keyrings/vendor.gpg] http://v.example/apt bookworm main",
        "deb [signed-by=/usr/share/keyrings/vendor.gpg] http://v.example/stable/debian sid main",
        "deb http://v.example/apt bookworm main",
        "deb http://cloud.example/apt cloud-sdk-bookworm main",
        "deb http://a.example/debian bookworm-backports main",
        "deb http://a.example/debian bookworm contrib",
    ],
)
def test_other_archives_are_not_taken_for_debian(line: str) -> None:
    with pytest.raises(Unavailable):
        debian_sources("bookworm", host=host(line), mirror=None, keyring=KEYRING)
    own = "deb http://a.example/debian bookworm main"
    made = debian_sources("bookworm", host=host(line, own), mirror=None, keyring=KEYRING)
    assert made[0].uri == "http://a.example/debian"


def test_a_site_that_signs_its_mirror_itself_is_known_by_its_updates() -> None:
    ring = "/etc/apt/keyrings/site.gpg"
    found = host(
        f"deb [signed-by={ring}] http://site.example/deb/12 bookworm main",
        f"deb [signed-by={ring}] http://site.example/deb/12 bookworm-updates main",
    )
    made = debian_sources("bookworm", host=found, mirror=None, keyring=None)
    assert made[0].uri == "http://site.example/deb/12"
    assert made[0].signed_by == ring


@pytest.mark.parametrize(
    ("mirror", "security"),
    [
        ("https://m.example/debian", "https://m.example/debian-security"),
        ("https://m.example/x/debian/", "https://m.example/x/debian-security"),
        (
            "https://m.example/archive/debian/20260101T000000Z",
            "https://m.example/archive/debian-security/20260101T000000Z",
        ),
        ("file:///srv/debian", "file:///srv/debian-security"),
        ("https://m.example/debian-all", "https://m.example/debian-all"),
    ],
)
def test_the_security_archive_is_sought_beside_a_mirror(mirror: str, security: str) -> None:
    made = debian_sources("bookworm", host=(), mirror=mirror, keyring=KEYRING)
    assert [(s.uri, s.required) for s in made] == [
        (mirror.rstrip("/"), True),
        (mirror.rstrip("/"), False),
        (security, False),
    ]


def test_a_second_url_is_the_security_archive() -> None:
    made = debian_sources(
        "bookworm", host=(), mirror="https://m.example/a  https://m.example/b", keyring=KEYRING
    )
    assert [(s.uri, s.suite, s.required) for s in made][2] == (
        "https://m.example/b",
        "bookworm-security",
        True,
    )


def test_a_mirror_goes_before_the_host() -> None:
    found = host(f"deb [signed-by={KEYRING}] http://a.example/debian bookworm main")
    made = debian_sources("bookworm", host=found, mirror="https://m.example/d", keyring=KEYRING)
    assert {s.uri for s in made} == {"https://m.example/d"}


def test_only_a_snapshot_is_out_of_date_on_purpose() -> None:
    for mirror, expires in (("20260101T000000Z", False), ("20260101", True)):
        made = debian_sources(
            "bookworm", host=(), mirror=f"https://m.example/debian/{mirror}", keyring=KEYRING
        )
        assert [s.expires for s in made] == [expires] * 3


def test_what_is_lacking_is_said_with_what_to_set() -> None:
    with pytest.raises(Unavailable) as caught:
        debian_sources("bookworm", host=(), mirror=None, keyring=None, installed=())
    assert str(caught.value) == (
        "no mirror and no keyring for Debian 'bookworm' is known on this machine"
    )
    assert caught.value.hint == (
        'export DS01_APT_MIRROR=URL, or set apt-mirror = "URL" under [resolve] of the recipe, '
        "where URL is the root of a Debian archive: the directory above dists/bookworm; "
        "sudo apt-get install debian-archive-keyring, or export DS01_APT_KEYRING=FILE with the "
        "keys of the Debian archive"
    )
    with pytest.raises(Unavailable, match=r"^no keyring for Debian"):
        debian_sources(
            "bookworm", host=(), mirror="https://m.example/debian", keyring=None, installed=()
        )
    with pytest.raises(Unavailable, match=r"^no mirror for Debian"):
        debian_sources("bookworm", host=(), mirror=None, keyring=KEYRING)


def test_the_keyring_of_the_machine_is_found(tmp_path: Path) -> None:
    ring = tmp_path / "debian-archive-keyring.gpg"
    ring.touch()
    made = debian_sources(
        "bookworm",
        host=(),
        mirror="https://m.example/debian",
        keyring=None,
        installed=(tmp_path / "none.gpg", ring),
    )
    assert {s.signed_by for s in made} == {str(ring)}


@pytest.mark.parametrize(
    "mirror",
    [
        "https://u:hunter2@m.example/de bian\nfoo",
        "ftp://u:hunter2@m.example/debian",
        "https://u:hunter2@m.example/debian#x",
        "https://u:hunter2@m.example/debian?x=1",
        "https://u:hunt'er2@m.example/debian",
        "https://u:hunter2@m.example/debian https://u:hunter2@m.example/[s]",
    ],
)
def test_a_malformed_mirror_is_refused_without_being_shown(mirror: str) -> None:
    with pytest.raises(ResolveError) as caught:
        debian_sources("bookworm", host=(), mirror=mirror, keyring=KEYRING)
    assert str(caught.value) == (
        "the mirror for apt cannot be used: not the http, https or file URL of an archive"
    )


@pytest.mark.parametrize("keyring", ["relative.gpg", "/a b", "/a]\ndeb x", "/a,/b"])
def test_a_keyring_that_would_not_fit_in_an_entry_is_refused(keyring: str) -> None:
    with pytest.raises(ResolveError, match=r"^the keyring for apt is not the absolute path"):
        debian_sources("bookworm", host=(), mirror="https://m.example/d", keyring=keyring)


def test_a_password_is_not_in_the_repr() -> None:
    made = debian_sources(
        "bookworm", host=(), mirror="https://u:hunter2@m.example/debian", keyring=KEYRING
    )
    assert "hunter2" not in repr(made)


PIN = DebPin(
    name="g++",
    version="4:12.2.0-3",
    architecture="amd64",
    path="pool/main/g/gcc-defaults/g++_12.2.0-3~x_amd64.deb",
    size=1,
    digest=Digest.of(b""),
    tier="base",
    archive="security",
)


def test_a_pin_is_sought_in_its_own_archive_first() -> None:
    made = debian_sources("bookworm", host=(), mirror="https://m.example/debian", keyring=KEYRING)
    path = "pool/main/g/gcc-defaults/g%2B%2B_12.2.0-3~x_amd64.deb"
    assert locations(PIN, made) == (
        f"https://m.example/debian-security/{path}",
        f"https://m.example/debian/{path}",
    )
    assert locations(replace(PIN, archive="debian"), made) == (
        f"https://m.example/debian/{path}",
        f"https://m.example/debian-security/{path}",
    )
    assert locations(PIN, ()) == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("file:///srv/x", "file:/srv/x"),
        ("https://u:p%40@m.example/x/", "https://m.example/x"),
        ("https://m.example/a+b", "https://m.example/a%2bb"),
    ],
)
def test_spellings_of_one_root_are_equal(one: str, other: str) -> None:
    assert plain(one) == plain(other)
