from __future__ import annotations

import random
import shutil
import subprocess
from typing import TYPE_CHECKING

import debs
import pytest
from debs import Row

from ds01build.layers.root import dpkg
from ds01build.layers.root.tree import Tree

if TYPE_CHECKING:
    from pathlib import Path

    from ds01build.layers.deb import DebFacts


def made(*facts: DebFacts) -> dict[str, str]:
    entries = dpkg.entries(Tree.of(facts))
    return {entry.path: debs.content(entry).decode() for _, entry in entries}


def test_a_stanza_has_the_order_of_dpkg_and_all_fields() -> None:
    rows = [Row("./etc/tool.conf", b"")]
    facts = debs.package(
        "tool", rows, {"conffiles": "/etc/tool.conf\n"}, Homepage="x", Priority="optional", Tag="t"
    )
    assert made(facts)["var/lib/dpkg/status"] == (
        "Package: tool\n"
        "Status: install ok installed\n"
        "Priority: optional\n"
        "Maintainer: Nobody <nobody@localhost>\n"
        "Architecture: amd64\n"
        "Version: 1.0-1\n"
        "Conffiles:\n"
        " /etc/tool.conf d41d8cd98f00b204e9800998ecf8427e\n"
        "Description: the tool\n"
        "Homepage: x\n"
        "Tag: t\n"
        "\n"
    )


def test_stanzas_are_sorted_whatever_the_order_of_packages() -> None:
    names = ["libpam-modules-bin", "libpam-modules", "a", "z"]
    facts = [debs.package(name, Multi_Arch="same") for name in names]
    status = made(*facts)["var/lib/dpkg/status"]
    found = [line[9:] for line in status.splitlines() if line.startswith("Package: ")]
    assert found == ["a", "libpam-modules", "libpam-modules-bin", "z"]
    assert made(*random.Random(1).sample(facts, 4)) == made(*facts)


def test_triggers_are_registered_for_paths_and_names() -> None:
    triggers = (
        "# note\ninterest-noawait /usr/share/info\ninterest update-x\n"
        "interest-await ../evil\nactivate y\ninterest-await /usr/share/z\n"
    )
    found = made(debs.package("tool", [], {"triggers": triggers}, Multi_Arch="same"))
    assert found["var/lib/dpkg/triggers/File"] == (
        "/usr/share/info tool:amd64/noawait\n/usr/share/z tool:amd64\n"
    )
    assert found["var/lib/dpkg/triggers/update-x"] == "tool:amd64\n"
    assert not [path for path in found if "evil" in path or path.endswith("/y")]


def test_diversions_and_overrides_are_registered() -> None:
    dash = debs.package("dash", [], {"postinst": "claim_binsh /bin/sh dash\n"})
    divert = "dpkg-divert --package vim --add --rename --divert /usr/a.vim /usr/a\n"
    vim = debs.package("vim", [], {"preinst": divert})
    found = made(dash, vim, debs.package("cron"))
    assert found["var/lib/dpkg/diversions"] == (
        "/usr/share/man/man1/sh.1.gz\n/usr/share/man/man1/sh.distrib.1.gz\ndash\n"
        "/bin/sh\n/bin/sh.distrib\ndash\n"
        "/usr/a\n/usr/a.vim\nvim\n"
    )
    assert found["var/lib/dpkg/statoverride"] == "root crontab 2755 /usr/bin/crontab\n"


@pytest.mark.skipif(not shutil.which("dpkg"), reason="needs dpkg")
def test_dpkg_reads_the_database_and_finds_nothing_wrong(tmp_path: Path) -> None:
    paragraph = debs.control("tool", Multi_Arch="same", Depends="other")
    rows = [debs.directory("./"), debs.directory("./etc"), Row("./etc/tool.conf", b"x")]
    files = {"conffiles": "/etc/tool.conf\n", "triggers": "interest x\n"}
    entries, facts = debs.unpacked(debs.deb(paragraph, rows, files), paragraph)
    other, more = debs.unpacked(debs.deb(debs.control("other")), debs.control("other"))
    state = [entry for _, entry in dpkg.entries(Tree.of([facts, more]))]
    debs.write(tmp_path, [*entries, *other, *state])

    def ask(*words: str) -> str:
        command = ["dpkg", "--root", str(tmp_path), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert ask("--audit") == ask("--verify") == ""
    assert ask("-L", "tool").splitlines() == ["/.", "/etc", "/etc/tool.conf"]
    assert ask("-S", "/etc/tool.conf") == "tool:amd64: /etc/tool.conf\n"
    (tmp_path / "etc/tool.conf").write_text("changed")
    command = ["dpkg", "--root", str(tmp_path), "--verify"]
    assert subprocess.run(command, check=False, capture_output=True).stdout == (
        b"??5?????? c /etc/tool.conf\n"
    )
