from __future__ import annotations

import random
from typing import TYPE_CHECKING

import debs
import pytest
from debs import Row, directory, link

from ds01build.errors import CollisionError, Ds01Error
from ds01build.layers import root
from ds01build.layers.tree import complete
from ds01build.stack import check
from ds01build.target import Directory, Link

if TYPE_CHECKING:
    from ds01build.layers.deb import DebFacts
    from ds01build.layers.entry import Entry


def packages() -> list[DebFacts]:
    files = [
        directory("./"),
        directory("./tmp/", 0o1777),
        directory("./root/", 0o700),
        directory("./var/local/", 0o2775, 0, 50),
        directory("./var/lock/", 0o1777),
        directory("./usr/share/info/"),
        Row("./etc/dpkg/origins/debian", b"Vendor: Debian\n"),
        Row("./usr/share/base-files/dot.bashrc", b"# bash\n"),
        Row("./usr/share/base-files/info.dir", b"info\n"),
    ]
    passwd = [
        Row("./usr/share/base-passwd/passwd.master", b"root:*:0:0:root:/root:/bin/bash\n"),
        Row("./usr/share/base-passwd/group.master", b"root:*:0:\n"),
    ]
    libc = [
        Row("./etc/ld.so.conf", b"include /etc/ld.so.conf.d/*.conf\n"),
        Row("./lib/x86_64-linux-gnu/libc.so.6", debs.shared_object("libc.so.6")),
        link("./lib64/ld-linux-x86-64.so.2", "../lib/x86_64-linux-gnu/ld.so"),
        Row("./usr/share/libc-bin/nsswitch.conf", b"passwd: files\n"),
    ]
    shells = [
        Row("./usr/share/debianutils/shells", b"# shells\n/bin/sh\n"),
        Row("./usr/share/debianutils/shells.d/bash", b"/bin/bash\n"),
    ]
    return [
        debs.package("base-files", files),
        debs.package("base-passwd", passwd),
        debs.package("debianutils", shells),
        debs.package("libc-bin", libc, Version="2.36-9"),
        debs.package("netbase"),
        debs.package("python3"),
        debs.package("python3.11-minimal"),
        debs.package("tzdata"),
    ]


def test_the_order_of_packages_does_not_matter() -> None:
    facts = packages()
    shuffled = random.Random(2).sample(facts, len(facts))
    one, other = ([_plain(e) for e in root.entries(f, "amd64")] for f in (facts, shuffled))
    assert sorted(one) == sorted(other)


def _plain(owned: tuple[str, Entry]) -> tuple[str, str, bytes]:
    owner, entry = owned
    return owner, f"{entry.path} {entry.stat}", debs.content(entry)


def test_the_last_layer_agrees_with_the_packages_and_has_each_path_once() -> None:
    facts = packages()
    made = root.entries(facts, "amd64")
    layer = complete(made, root.directories(facts, ()))
    listing = {entry.path: entry.stat for entry in layer}
    check([*((deb.name, deb.listing) for deb in facts), ("system", listing)])
    paths = [entry.path for _, entry in made]
    assert len(paths) == len(set(paths))


def test_the_merged_usr_has_the_links_that_packages_need() -> None:
    links = debs.link_targets(root.entries(packages(), "amd64"))
    top = {path: to for path, to in links.items() if "/" not in path}
    assert top == {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin"}


def test_base_files_tree_is_made() -> None:
    entries = root.entries(packages(), "amd64")
    stats = {entry.path: entry.stat for _, entry in entries}
    assert stats["var/mail"][:4] == ("directory", 0o2775, 0, 8)
    assert stats["var/log/btmp"][:4] == ("file", 0o660, 0, 43)
    assert stats["var/run"].content == "/run"
    assert stats["etc/dpkg/origins/default"].content == "debian"
    assert "run/lock" not in stats  # as the package's own /var/lock is
    assert debs.text(entries, "root/.bashrc") == "# bash\n"
    assert debs.text(entries, "etc/nsswitch.conf") == "passwd: files\n"
    assert debs.text(entries, "etc/timezone") == "Etc/UTC\n"
    assert debs.text(entries, "etc/hosts").startswith("127.0.0.1\tlocalhost\n")


def test_shells_are_listed_at_both_of_their_paths() -> None:
    entries = root.entries([*packages(), debs.package("tmux")], "amd64")
    assert debs.text(entries, "etc/shells").splitlines()[1:] == [
        *("/bin/sh", "/usr/bin/sh", "/bin/bash", "/usr/bin/bash", "/usr/bin/tmux")
    ]


def test_a_file_that_a_package_ships_is_not_written_over() -> None:
    facts = [*packages(), debs.package("own", [Row("./etc/nsswitch.conf", b"own\n")])]
    assert "etc/nsswitch.conf" not in {e.path for _, e in root.entries(facts, "amd64")}


def test_a_package_that_ships_a_file_of_the_system_is_named() -> None:
    facts = [*packages(), debs.package("evil", [Row("./etc/passwd", b"evil::0:0::/:/bin/sh\n")])]
    layer = complete(root.entries(facts, "amd64"), root.directories(facts, ()))
    listing = {entry.path: entry.stat for entry in layer}
    with pytest.raises(CollisionError, match="/etc/passwd: evil and system disagree"):
        check([*((deb.name, deb.listing) for deb in facts), ("system", listing)])


def test_refused_packages_stop_it() -> None:
    with pytest.raises(Ds01Error, match="grub-pc boots a machine"):
        root.entries([debs.package("grub-pc")], "amd64")


def test_directories_and_links_are_those_of_the_whole_base() -> None:
    facts = packages()
    made = [entry for _, entry in root.entries(facts, "amd64")]
    found = {each.path: each for each in root.directories(facts, made)}
    assert found["tmp"] == Directory("tmp", 0o1777)
    assert found["root"] == Directory("root", 0o700)
    assert found["var/mail"] == Directory("var/mail", 0o2775, 0, 8)
    assert found["run/lock"] == Directory("run/lock", 0o1777)
    assert found["etc/dpkg"] == Directory("etc/dpkg")  # above a file, and in no package
    links = root.links(facts, made)
    assert {Link("bin", "usr/bin"), Link("var/run", "/run"), Link("lib64", "usr/lib64")} <= {*links}
    assert "lib64/ld-linux-x86-64.so.2" not in {each.path for each in links}


def test_the_target_agrees_with_the_base() -> None:
    facts = packages()
    made = [entry for _, entry in root.entries(facts, "amd64")]
    target = root.target("3.11.2")
    base = {each.path: each for each in root.directories(facts, made)}
    for each in target.directories:
        assert base.get(each.path, each) == each
    below = {each for each in root.links(facts, made) if each.path.startswith("usr/local")}
    assert set(target.links) == below
    assert target.schemes.purelib == "/usr/local/lib/python3.11/dist-packages"
    assert target.schemes.headers == "/usr/include/python3.11"


def test_the_base_has_what_dpkg_calls_essential_and_no_name_twice() -> None:
    assert len(set(root.BASE_PACKAGES)) == len(root.BASE_PACKAGES)
    assert {"base-files", "libc-bin", "usr-is-merged", "python3-pip"} <= set(root.BASE_PACKAGES)
    assert "perl" not in root.BASE_PACKAGES
