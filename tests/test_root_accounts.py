from __future__ import annotations

from typing import TYPE_CHECKING

import debs
import pytest
from debs import Row

from ds01build.errors import Ds01Error
from ds01build.layers.root import accounts
from ds01build.layers.root.tree import Tree

if TYPE_CHECKING:
    from ds01build.layers.deb import DebFacts

PASSWD = b"root:*:0:0:root:/root:/bin/bash\nnobody:*:65534:65534:nobody:/nonexistent:/bin/false\n"
GROUP = b"root:*:0:\nstaff:*:50:\nusers:*:100:\nnogroup:*:65534:\n"


def base(passwd: bytes = PASSWD) -> DebFacts:
    rows = [
        Row("./usr/share/base-passwd/passwd.master", passwd),
        Row("./usr/share/base-passwd/group.master", GROUP),
    ]
    return debs.package("base-passwd", rows)


def asking(name: str, *lines: str, rows: tuple[Row, ...] = ()) -> DebFacts:
    return debs.package(name, rows, {"postinst": "\n".join(["#!/bin/sh", *lines, ""])})


def added(*facts: DebFacts) -> tuple[list[str], list[str]]:
    """Return the lines of passwd and group that packages add."""
    entries = list(accounts.entries(Tree.of([base(), *facts])))
    passwd, group = (debs.text(entries, f"etc/{name}") for name in ("passwd", "group"))
    return passwd.splitlines()[2:], group.splitlines()[4:]


def test_the_static_accounts_are_base_passwds() -> None:
    entries = list(accounts.entries(Tree.of([base()])))
    assert debs.text(entries, "etc/passwd").splitlines()[0] == "root:x:0:0:root:/root:/bin/bash"
    assert debs.text(entries, "etc/group").splitlines()[1] == "staff:x:50:"
    assert debs.text(entries, "etc/shadow").splitlines()[0] == "root:*:3653:0:99999:7:::"
    assert debs.text(entries, "etc/gshadow").splitlines()[0] == "root:*::"
    stats = {entry.path: entry.stat for _, entry in entries}
    assert stats["etc/shadow"][1:4] == (0o640, 0, 42)
    assert stats["etc/passwd"][1:4] == (0o644, 0, 0)


def test_nothing_is_made_without_base_passwd() -> None:
    assert list(accounts.entries(Tree.of([asking("x", "addgroup --system x")]))) == []


@pytest.mark.parametrize(
    ("line", "passwd", "group"),
    [
        (
            "adduser --system --group --home /var/lib/x --gecos 'the x' --quiet x || true",
            ["x:x:100:104:the x:/var/lib/x:/usr/sbin/nologin"],
            ["x:x:104:"],
        ),
        (
            "adduser --system --no-create-home --home=/run/x --shell /bin/sh x",
            ["x:x:100:65534::/run/x:/bin/sh"],
            [],
        ),
        (
            "adduser --system --ingroup staff x",
            ["x:x:100:50::/nonexistent:/usr/sbin/nologin"],
            [],
        ),
        ("addgroup --system --gid 200 x", [], ["x:x:200:"]),
        ("addgroup --system _ssh", [], ["_ssh:x:101:"]),
        (
            "NAME=x\nin_root adduser --system $NAME",
            ["x:x:100:65534::/nonexistent:/usr/sbin/nologin"],
            [],
        ),
        ("adduser --system $NAME", [], []),
        ("adduser x", [], []),
        ("adduser --system 'x:0:0:'", [], []),
        ("adduser --system --uid 0 x", ["x:x:100:65534::/nonexistent:/usr/sbin/nologin"], []),
        (
            "adduser --system --home '/x:/y' --gecos 'a:b' x",
            ["x:x:100:65534::/nonexistent:/usr/sbin/nologin"],
            [],
        ),
    ],
)
def test_what_a_script_asks_for_is_added(line: str, passwd: list[str], group: list[str]) -> None:
    assert added(asking("x", line)) == (passwd, group)


def test_a_user_joins_a_group() -> None:
    passwd, group = added(asking("x", "addgroup --system g", "adduser --system x", "adduser x g"))
    assert group == ["g:x:104:x"]
    assert len(passwd) == 1


def test_sysusers_lines_of_the_package_are_read_when_its_script_asks() -> None:
    lines = b'# note\nu x - "the x" /var/lib/x /bin/sh\ng y 300 -\nm x y\nu bad:name -\n'
    rows = (Row("./usr/lib/sysusers.d/x.conf", lines),)
    script = 'systemd-sysusers ${DPKG_ROOT:+--root="$DPKG_ROOT"} x.conf'
    assert added(asking("x", script, rows=rows)) == (
        ["x:x:100:104:the x:/var/lib/x:/bin/sh"],
        ["x:x:104:", "y:x:300:x"],
    )
    assert added(asking("x", "true", rows=rows)) == ([], [])


def test_ids_depend_on_the_set_of_packages_alone() -> None:
    facts = [asking(name, f"adduser --system --group {name}") for name in ("b", "a", "c")]
    assert added(*facts) == added(*reversed(facts))
    assert [line.split(":")[0] for line in added(*facts)[0]] == ["a", "b", "c"]


def test_reserved_groups_keep_their_ids_whoever_comes_first() -> None:
    facts = [asking(f"a{i}", f"addgroup --system a{i}") for i in range(5)]
    ssh = asking("openssh-client", "addgroup --system _ssh")
    assert "_ssh:x:101:" in added(*facts, ssh)[1]
    assert len({line.split(":")[2] for line in added(*facts, ssh)[1]}) == 6


def test_no_id_is_given_out_twice_or_beyond_the_range() -> None:
    lines = [f"adduser --system u{i}" for i in range(901)]
    with pytest.raises(Ds01Error, match="no system user or group id is left"):
        added(asking("x", *lines))


def test_a_damaged_master_is_an_error() -> None:
    with pytest.raises(Ds01Error, match="base-passwd's tables"):
        list(accounts.entries(Tree.of([base(b"root\n")])))
