"""Which archives serve a base image: pure, from its texts and this machine's configuration."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01build.base.facts import AptFacts, BaseFacts
from ds01build.digest import Digest
from ds01build.errors import ResolveError, Unavailable
from ds01build.resolve.archives import Archives, Site, alias_of, archives_of
from ds01build.resolve.installed import installed_of, read_status
from ds01build.resolve.keys import dearmored, keys_of
from ds01build.resolve.places import check_place
from ds01build.resolve.preferences import read_preferences
from ds01build.resolve.sources import parse_sources

KEY = b"\x99\x01\x02key"
RING = "/usr/share/keyrings/debian-archive-keyring.gpg"
TRUSTED = "/etc/apt/trusted.gpg.d/more.gpg"
LIST = "/etc/apt/sources.list"
DEBIAN = (
    f"deb [signed-by={RING}] http://base.example/debian bookworm main contrib\n"
    f"deb [signed-by={RING}] http://base.example/debian bookworm-updates main\n"
    f"deb [signed-by={RING}] http://base.example/debian bookworm-backports main\n"
    f"deb [signed-by={RING}] http://base.example/debian-security bookworm-security main\n"
)
STATUS = "Package: bash\nStatus: install ok installed\nVersion: 5.2-1\nArchitecture: amd64\n"


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def base(*lists: str, codename: str = "bookworm", distribution: str = "debian") -> BaseFacts:
    return BaseFacts(
        config=Digest.of(b""),
        architecture="amd64",
        distribution=distribution,
        codename=codename,
        apt=AptFacts(
            status=STATUS,
            sources=tuple((f"{LIST}.d/{n}.list", text) for n, text in enumerate(lists)),
            keyrings=((RING, encoded(KEY)), (TRUSTED, encoded(b"\x99more"))),
        ),
    )


def places(archives: Archives) -> list[tuple[str, str, str]]:
    return [(each.archive, each.uri, each.suite) for each in archives.sources]


NONE = Site(installed=())


def test_a_base_says_where_its_packages_are() -> None:
    found = archives_of(base(DEBIAN), NONE)
    assert found.title == "Debian bookworm"
    assert places(found) == [
        ("debian", "http://base.example/debian", "bookworm"),
        ("debian", "http://base.example/debian", "bookworm-updates"),
        ("debian", "http://base.example/debian", "bookworm-backports"),
        ("security", "http://base.example/debian-security", "bookworm-security"),
    ]
    assert found.sources[0].components == ("main", "contrib")
    assert {(each.keys, each.signed_by, each.extra) for each in found.sources} == {(KEY, "", False)}
    assert [each.required for each in found.sources] == [True, False, False, True]


@pytest.mark.parametrize(
    ("mirror", "security", "required"),
    [
        ("https://m.example/debian", "https://m.example/debian-security", False),
        ("https://m.example/a https://m.example/b", "https://m.example/b", True),
    ],
)
def test_a_mirror_takes_the_place_of_the_distribution(
    mirror: str, security: str, *, required: bool
) -> None:
    vendor = "deb https://vendor.example/apt bookworm main\n"
    found = archives_of(base(DEBIAN, vendor), Site(mirror=mirror, installed=()))
    main = mirror.partition(" ")[0]
    assert places(found) == [
        ("debian", main, "bookworm"),
        (alias_of("https://vendor.example/apt"), "https://vendor.example/apt", "bookworm"),
        ("debian", main, "bookworm-updates"),
        ("debian", main, "bookworm-backports"),
        ("security", security, "bookworm-security"),
    ]
    assert found.sources[0].components == ("main", "contrib")
    assert found.sources[-1].required == required
    assert found.sources[0].keys == KEY
    ringed = archives_of(base(DEBIAN), Site(mirror=mirror, keyring="/etc/site.gpg"))
    assert {(each.signed_by, each.keys) for each in ringed.sources} == {("/etc/site.gpg", b"")}


HOST = parse_sources(
    {
        LIST: f"deb [signed-by={RING}] http://host.example/debian bookworm main\n"
        f"deb [signed-by={RING}] http://host.example/debian-security bookworm-security main\n"
    }
)


def test_the_host_serves_any_release_of_debian_and_vouches_with_its_own_keys() -> None:
    trixie = base(DEBIAN.replace("bookworm", "trixie"), codename="trixie")
    found = archives_of(trixie, Site(host=HOST, installed=()))
    assert {(each.uri, each.signed_by, each.keys) for each in found.sources} == {
        ("http://host.example/debian", RING, b""),
        ("http://host.example/debian-security", RING, b""),
    }
    assert {each.suite for each in found.sources} >= {"trixie", "trixie-backports"}


def test_the_host_serves_another_distribution_only_if_it_is_that_release() -> None:
    noble = "deb http://base.example/ubuntu noble main\n"
    other = base(noble, codename="noble", distribution="ubuntu")
    assert archives_of(other, Site(host=HOST)).sources[0].uri == "http://base.example/ubuntu"
    lines = "deb http://h.example/ubuntu {0} main\ndeb http://h.example/ubuntu {0}-updates main\n"
    same = parse_sources({LIST: lines.format("noble")})
    assert archives_of(other, Site(host=same)).sources[0].uri == "http://h.example/ubuntu"
    older = parse_sources({LIST: lines.format("jammy")})
    assert archives_of(other, Site(host=older)).sources[0].uri == "http://base.example/ubuntu"


def test_a_base_without_sources_is_served_by_a_mirror_or_not_at_all() -> None:
    found = archives_of(base(), Site(mirror="https://m.example/debian", installed=()))
    assert [each.suite for each in found.sources] == [
        "bookworm",
        "bookworm-updates",
        "bookworm-security",
    ]
    with pytest.raises(Unavailable) as caught:
        archives_of(base(), NONE)
    assert str(caught.value) == (
        "no archive of Debian bookworm is known: the base has no source of its own that can be used"
    )
    assert "DS01_APT_MIRROR" in caught.value.hint


def test_a_debian_that_does_not_name_its_release_has_it_in_its_sources() -> None:
    assert archives_of(base(DEBIAN, codename=""), NONE).title == "Debian bookworm"
    with pytest.raises(ResolveError, match="does not say which release of which distribution"):
        archives_of(base(DEBIAN, codename="", distribution=""), NONE)


@pytest.mark.parametrize(
    ("distribution", "codename"), [("debian\n", "x"), ("../x", "x"), ("debian", "x y"), ("", "x")]
)
def test_a_release_with_a_strange_name_is_refused(distribution: str, codename: str) -> None:
    with pytest.raises(ResolveError, match="does not say which release"):
        archives_of(base(DEBIAN, codename=codename, distribution=distribution), NONE)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("deb file:/srv/debian x main", "only http and https can be used"),
        ("deb cdrom:[Debian]/ x main", "only http and https can be used"),
        ("deb ftp://f.example/debian x main", "only http and https can be used"),
        ("deb mirror+file:/etc/apt/none x main", "only http and https can be used"),
        ("deb http://localhost/x x main", "an address of this machine or its link"),
        ("deb http://127.0.0.1:80/x x main", "an address of this machine or its link"),
        ("deb http://169.254.169.254/x x main", "an address of this machine or its link"),
        ("deb http://a.example/x;y x main", "not the http, https or file URL of an archive"),
        ("deb http://a.example/x -x main", "not the name of a suite"),
        ("deb http://a.example/x x -oDir=/", "not the components of a suite"),
        ("deb http://a.example/x x", "not the components of a suite"),
        ("deb http://a.example/x ../", "not the name of a suite"),
        ("deb [arch=arm64] http://a.example/x x main", "it is not for amd64"),
        ("deb [signed-by=/none.gpg] http://a.example/x x main", "no keyring '/none.gpg'"),
        (f"deb [signed-by={'A' * 40}] http://a.example/x x main", "its key by fingerprint"),
    ],
)
def test_what_a_base_may_not_ask_for_is_left_out_with_a_note(line: str, problem: str) -> None:
    found = archives_of(base(DEBIAN, f"{line}\n"), NONE)
    assert len(found.sources) == 4
    (note,) = found.notes
    assert note.startswith("the base's source ")
    assert problem in note


@pytest.mark.parametrize(
    "host",
    [
        *("127.1", "2130706433", "0x7f.1", "0", "127.0.0.1.", "[::1]", "[::ffff:127.0.0.1]"),
        *(
            "[fe80::1]",
            "0.0.0.0",
            "a.localhost",
            "LOCALHOST",
            "[::]",
            "u:p@127.0.0.1",
            "0177.0.0.1",
        ),
    ],
)
def test_spellings_of_this_machine_are_known(host: str) -> None:
    with pytest.raises(ValueError, match="an address of this machine"):
        check_place(f"http://{host}/debian", frozenset())


@pytest.mark.parametrize(
    "host", ["a.example", "10.1.2.3", "[2001:db8::1]", "deb1", "u:p@a.example"]
)
def test_other_servers_may_be_asked(host: str) -> None:
    check_place(f"http://{host}/debian", frozenset())
    check_place("http://127.0.0.1:8080/debian", frozenset({"http://127.0.0.1:8080"}))


def test_passwords_of_a_base_are_not_shown() -> None:
    found = archives_of(base(DEBIAN, "deb http://u:hunter2@localhost/x x main\n"), NONE)
    assert "hunter2" not in f"{found!r}"


def test_an_alias_has_no_place_in_it_and_is_the_same_for_the_same_root() -> None:
    alias = alias_of("https://u:p@vendor.example/apt/")
    assert alias == alias_of("https://vendor.example/apt")
    assert alias != alias_of("https://vendor.example/apt2")
    assert alias.removeprefix("archive-").isalnum()
    assert len(alias) <= 32


def test_what_one_key_vouches_for_is_kept_apart() -> None:
    one = archives_of(base(DEBIAN), NONE)
    other = replace(one, sources=tuple(replace(each, keys=b"\x99x") for each in one.sources))
    assert one.key() != other.key()
    assert one.key() == archives_of(base(DEBIAN), NONE).key()


@given(st.text(), st.text(), st.text())
def test_no_text_of_a_base_is_too_strange(text: str, suffix: str, ring: str) -> None:
    found = base(DEBIAN, text)
    strange = replace(
        found.apt,
        sources=(*found.apt.sources, (f"/etc/apt/sources.list.d/{suffix}.sources", text)),
        keyrings=(*found.apt.keyrings, (suffix, ring)),
        preferences=((f"/etc/apt/preferences.d/{suffix}", text),),
    )
    made = archives_of(replace(found, apt=strange), NONE)
    assert len(made.sources) >= 4
    assert installed_of(replace(found, apt=strange)).versions() == {"bash": "5.2-1"}


def test_too_much_is_left_out() -> None:
    large = archives_of(base(DEBIAN, "#" * 300_000), NONE)
    assert large.notes == ("the base's '/etc/apt/sources.list.d/1.list' is too large and left out",)
    many = "".join(f"deb http://a.example/{n} x main\n" for n in range(300))
    found = archives_of(base(DEBIAN, many), NONE)
    assert len(found.sources) == 200
    assert found.notes == ("of 304 sources of the base only 200 are used",)


def test_keys_are_those_that_apt_would_take() -> None:
    rings = {RING: encoded(KEY), TRUSTED: encoded(b"\x99more"), "/etc/other.gpg": encoded(b"\x99o")}
    assert keys_of(rings, "") == b"\x99more"
    assert keys_of(rings, RING) == KEY
    assert keys_of(rings, f"{RING}, /etc/other.gpg") == KEY + b"\x99o"
    with pytest.raises(ValueError, match="the base has no key for it"):
        keys_of({RING: encoded(KEY)}, "")


def test_armour_is_taken_off() -> None:
    body = encoded(KEY * 9)
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    head, tail = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"
    for text in (
        f"{head}\n\n{lines}\n=abcd\n{tail}\n",
        f"{head}\nVersion: 1\n\n{lines}\n{tail}",
        f"\r\n{head}\r\n\r\n{lines}\r\n=abcd\r\n{tail}\r\n".replace("\r\r", "\r"),
    ):
        assert dearmored(text.encode()) == KEY * 9


@pytest.mark.parametrize(
    "content",
    [
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!\n-----END PGP PUBLIC KEY BLOCK-----",
        b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----",
        b"\x00\x00\x00\x20\x01\x01\x00\x02KBXf",
        b"\x99" * (1024 * 1024 + 1),
        b"plain text",
    ],
)
def test_what_is_no_keyring_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^a keyring "):
        dearmored(content)
    with pytest.raises(ValueError, match=r"^a keyring "):
        keys_of({RING: encoded(content)}, RING)


def test_a_keyring_has_to_be_base64() -> None:
    with pytest.raises(ValueError, match="not in base64"):
        keys_of({RING: "!"}, RING)


def paragraph(**fields: str) -> str:
    whole = {
        "Package": "tool",
        "Status": "install ok installed",
        "Version": "1",
        "Architecture": "amd64",
        **{key.replace("_", "-"): value for key, value in fields.items()},
    }
    return "".join(f"{key}: {value}\n" for key, value in whole.items()) + "\n"


def test_a_status_is_written_anew_from_what_is_in_form() -> None:
    text = (
        "Package: tool\nStatus: hold ok half-configured\nPriority: optional\nVersion: 1:2.0-1\n"
        "Architecture: all\nMulti-Arch: foreign\nDepends: a (>= 1),\n b | c:any\n"
        "Description: words\n more words\nEssential: perhaps\n"
    )
    found = read_status(text, "amd64")
    assert found.text() == (
        "Package: tool\nStatus: hold ok installed\nVersion: 1:2.0-1\nArchitecture: all\n"
        "Multi-Arch: foreign\nDepends: a (>= 1), b | c:any\n\n"
    )
    assert found.versions() == {"tool": "1:2.0-1"}
    assert found.held() == {"tool"}
    assert found.skipped == ()


def test_only_what_is_there_counts() -> None:
    text = paragraph(Package="gone", Status="deinstall ok config-files") + paragraph(
        Package="foreign", Architecture="i386"
    )
    found = read_status(text + paragraph(), "amd64")
    assert found.versions() == {"tool": "1"}
    assert "Package: foreign\n" in found.text(without={"tool", "foreign"})
    assert "Package: tool\n" not in found.text(without={"tool"})


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"Package": "../x"}, "package '../x' of the base: left out, package is '../x'"),
        ({"Version": "1\x0bx"}, r"package 'tool' of the base: left out, version is '1\x0bx'"),
        ({"Architecture": "a b"}, "package 'tool' of the base: left out, architecture is 'a b'"),
        ({"Status": "x"}, "package 'tool' of the base: left out, status is 'x'"),
        ({"Depends": "a;b"}, "package 'tool' of the base: Depends is left out: 'a;b'"),
    ],
)
def test_a_status_out_of_form_is_left_out(fields: dict[str, str], problem: str) -> None:
    assert read_status(paragraph(**fields), "amd64").skipped == (problem,)


@pytest.mark.parametrize("state", ["install ok half-installed", "install reinstreq unpacked"])
def test_a_base_with_a_broken_package_is_refused(state: str) -> None:
    with pytest.raises(ResolveError, match=r"package tool of the base is .*: broken"):
        read_status(paragraph(Status=state), "amd64")


def test_a_base_without_dpkg_is_refused() -> None:
    with pytest.raises(ResolveError) as caught:
        read_status(" \n", "amd64")
    assert str(caught.value) == (
        "the base has no dpkg status: apt tiers need a base of Debian's or Ubuntu's family"
    )


def test_a_status_without_end_is_refused() -> None:
    with pytest.raises(ResolveError, match="more than 50000 packages"):
        read_status("\n\n".join(["A: b"] * 50_001), "amd64")


def test_pins_are_written_anew() -> None:
    good = "Explanation: x\nPackage: a b*\nPin: release o=Debian,\n n=bookworm\nPin-Priority: -1\n"
    bad = "\nPackage: a\nPin: nonsense\nPin-Priority: 5\n"
    directory = "/etc/apt/preferences.d"
    found = read_preferences(
        [
            (f"{directory}/one", good + bad),
            (f"{directory}/two.pref", good),
            (f"{directory}/three.bak", good),
            (f"{directory}/../x", good),
        ]
    )
    assert found.text == (
        "Package: a b*\nPin: release o=Debian, n=bookworm\nPin-Priority: -1\n\n" * 2
    )
    assert found.notes == (
        "the base's '/etc/apt/preferences.d/../x' is left out: too large, or no place for pins",
        "a pin in the base's '/etc/apt/preferences.d/one' is left out: Pin",
    )
