from __future__ import annotations

import debs
from debs import Row

from ds01build.layers.root import pam
from ds01build.layers.root.tree import Tree

UNIX = b"""Name: Unix authentication
Default: yes
Priority: 256
Auth-Type: Primary
Auth:
\t[success=end default=ignore]\tpam_unix.so nullok try_first_pass
Auth-Initial:
\t[success=end default=ignore]\tpam_unix.so nullok
Session-Type: Additional
Session:
\trequired\tpam_unix.so
"""
LDAP = b"""Name: LDAP
Default: yes
Priority: 128
Conflicts: other
Auth-Type: Primary
Auth-Final:
\t[success=end default=ignore]\tpam_ldap.so use_first_pass
"""
HOME = b"""Name: Home
Default: yes
Priority: 0
Session-Interactive-Only: yes
Session-Type: Additional
Session:
\toptional\t\tpam_home.so
"""
OTHER = b"Name: other\nDefault: yes\nPriority: 1\nAuth-Type: Primary\nAuth:\n\trequired pam_x.so\n"
OFF = b"Name: off\nDefault: no\nPriority: 999\nAuth-Type: Primary\nAuth:\n\trequired pam_off.so\n"


def template(kind: str, variable: str) -> Row:
    lines = f"# head\n${variable}_primary\n{kind}\trequisite\tpam_deny.so\n${variable}_additional\n"
    return Row(f"./usr/share/pam/common-{kind}", lines.encode())


TEMPLATES = [
    *(template(kind, kind) for kind in ("auth", "account", "password", "session")),
    template("session-noninteractive", "session_nonint"),
]


def made(**profiles: bytes) -> dict[str, str]:
    runtime = debs.package("libpam-runtime", TEMPLATES)
    rows = [Row(f"./usr/share/pam-configs/{name}", text) for name, text in profiles.items()]
    entries = pam.entries(Tree.of([runtime, debs.package("profiles", rows)]))
    return {entry.path: debs.content(entry).decode() for _, entry in entries}


def test_jumps_lead_to_the_end_of_the_stack() -> None:
    assert made(unix=UNIX, ldap=LDAP)["etc/pam.d/common-auth"] == (
        "# head\n"
        "auth\t[success=2 default=ignore]\tpam_unix.so nullok\n"
        "auth\t[success=1 default=ignore]\tpam_ldap.so use_first_pass\n"
        "auth\trequisite\tpam_deny.so\n"
    )


def test_a_stack_without_primary_modules_permits() -> None:
    assert made(unix=UNIX)["etc/pam.d/common-session"] == (
        "# head\n"
        "session\t[default=1]\t\t\tpam_permit.so\n"
        "session\trequisite\tpam_deny.so\n"
        "session\trequired\tpam_unix.so \n"
    )


def test_a_jump_in_the_additional_block_stays_on_the_stack() -> None:
    lines = "\t[success=end] pam_a.so\n\trequired pam_b.so\n"
    profile = f"Default: yes\nPriority: 1\nSession-Type: Additional\nSession:\n{lines}"
    stack = made(x=profile.encode())["etc/pam.d/common-session"]
    assert stack.endswith("session\t[success=1] pam_a.so \nsession\trequired pam_b.so \n")


def test_profiles_for_people_are_left_out_of_the_noninteractive_stack() -> None:
    files = made(unix=UNIX, home=HOME)
    assert "pam_home.so" in files["etc/pam.d/common-session"]
    assert "pam_home.so" not in files["etc/pam.d/common-session-noninteractive"]
    assert "pam_unix.so" in files["etc/pam.d/common-session-noninteractive"]


def test_profiles_that_are_off_or_in_conflict_are_left_out_but_seen() -> None:
    files = made(unix=UNIX, ldap=LDAP, other=OTHER, off=OFF)
    assert "pam_off.so" not in files["etc/pam.d/common-auth"]
    assert "pam_x.so" not in files["etc/pam.d/common-auth"]
    assert files["var/lib/pam/seen"] == "off\nunix\nldap\nother\n"


def test_the_state_has_the_lines_as_the_profiles_have_them() -> None:
    assert made(unix=UNIX)["var/lib/pam/session"] == (
        "Module: null\n[default=1]\t\t\tpam_permit.so\nModule: unix\nrequired\tpam_unix.so\n"
    )


def test_nothing_is_made_without_libpam_runtime() -> None:
    assert list(pam.entries(Tree.of([debs.package("other", TEMPLATES)]))) == []
