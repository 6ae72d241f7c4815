from __future__ import annotations

import random
import shutil
import subprocess
from typing import TYPE_CHECKING

import debs
import pytest
from debs import Row

from ds01build.layers.root import alternatives
from ds01build.layers.root.tree import Tree

if TYPE_CHECKING:
    from pathlib import Path

    from ds01build.layers.deb import DebFacts

AWK = """#!/bin/sh
update-alternatives --install /usr/bin/awk awk /usr/bin/{name} {priority} \\
  --slave /usr/share/man/man1/awk.1.gz awk.1.gz /usr/share/man/man1/{name}.1.gz \\
  --slave /usr/bin/nawk nawk /usr/bin/{name}
"""


def awk(name: str, priority: int, *, manual: bool = True) -> DebFacts:
    rows = [Row(f"./usr/bin/{name}", name.encode(), mode=0o755)]
    if manual:
        rows.append(Row(f"./usr/share/man/man1/{name}.1.gz", b"x"))
    return debs.package(name, rows, {"postinst": AWK.format(name=name, priority=priority)})


def made(*facts: DebFacts) -> dict[str, str]:
    entries = list(alternatives.entries(Tree.of(facts)))
    links = debs.link_targets(entries)
    return links | {e.path: debs.content(e).decode() for _, e in entries if e.body}


def test_the_choice_with_the_highest_priority_is_linked() -> None:
    found = made(awk("mawk", 5), awk("gawk", 10, manual=False))
    assert found["usr/bin/awk"] == "/etc/alternatives/awk"
    assert found["etc/alternatives/awk"] == "/usr/bin/gawk"
    assert found["etc/alternatives/nawk"] == "/usr/bin/gawk"
    assert "etc/alternatives/awk.1.gz" not in found  # gawk here has no manual


def test_the_state_lists_all_choices_and_slaves() -> None:
    state = made(awk("mawk", 5), awk("gawk", 10, manual=False))["var/lib/dpkg/alternatives/awk"]
    assert state == (
        "auto\n/usr/bin/awk\n"
        "awk.1.gz\n/usr/share/man/man1/awk.1.gz\nnawk\n/usr/bin/nawk\n\n"
        "/usr/bin/gawk\n10\n/usr/share/man/man1/gawk.1.gz\n/usr/bin/gawk\n"
        "/usr/bin/mawk\n5\n/usr/share/man/man1/mawk.1.gz\n/usr/bin/mawk\n\n"
    )


def test_the_order_of_packages_does_not_matter() -> None:
    facts = [awk(name, 5) for name in ("a1", "b2", "c3", "d4")]
    shuffled = random.Random(1).sample(facts, 4)
    assert made(*facts) == made(*shuffled)
    assert made(*facts)["etc/alternatives/awk"] == "/usr/bin/a1"


def test_a_choice_that_does_not_exist_is_left_out() -> None:
    script = "update-alternatives --install /usr/bin/x x /usr/bin/none 1\n"
    assert made(debs.package("x", [], {"postinst": script})) == {}


def test_a_choice_may_be_an_alternative_itself() -> None:
    script = (
        "update-alternatives --install /usr/bin/editor editor /usr/bin/emacs 0\n"
        "update-alternatives --install /usr/bin/emacs emacs /usr/bin/emacs-nox 28\n"
    )
    facts = debs.package("emacs", [Row("./usr/bin/emacs-nox", b"x")], {"postinst": script})
    assert made(facts)["etc/alternatives/editor"] == "/usr/bin/emacs"


def test_a_link_is_put_on_a_merged_usr() -> None:
    script = "update-alternatives --install /bin/nc nc /bin/nc.openbsd 50\n"
    found = made(debs.package("nc", [Row("./bin/nc.openbsd", b"x")], {"postinst": script}))
    assert found["usr/bin/nc"] == "/etc/alternatives/nc"
    assert found["etc/alternatives/nc"] == "/bin/nc.openbsd"


@pytest.mark.parametrize(
    "line",
    [
        "/usr/bin/x x /usr/bin/tool $priority",
        "/usr/bin/x ../x /usr/bin/tool 1",
        "/usr/bin/../x x /usr/bin/tool 1",
        "/usr/bin/x x usr/bin/tool 1",
        "/usr/bin/x .. /usr/bin/tool 1",
        "/usr/bin/x x /usr/bin/tool",
    ],
)
def test_what_is_not_literal_or_plain_is_left_alone(line: str) -> None:
    script = f"update-alternatives --install {line}\n"
    assert made(debs.package("x", [Row("./usr/bin/tool", b"x")], {"postinst": script})) == {}


def test_what_only_the_script_knows_is_said() -> None:
    assert alternatives.unread("update-alternatives --install /a a /b $(cat x)\n")
    assert not alternatives.unread(AWK.format(name="mawk", priority=1))


@pytest.mark.skipif(not shutil.which("update-alternatives"), reason="needs update-alternatives")
def test_links_and_state_equal_those_of_update_alternatives(tmp_path: Path) -> None:
    facts = [awk("mawk", 5), awk("gawk", 10, manual=False), awk("original-awk", 10)]
    tree = Tree.of(facts)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for root in (ours, theirs):
        for path in tree.stats:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
        for folder in ("etc/alternatives", "var/lib/dpkg/alternatives"):
            (root / folder).mkdir(parents=True)
    debs.write(ours, [entry for _, entry in alternatives.entries(tree)])
    for deb in facts:
        script = deb.scripts["postinst"].replace("\\\n", "").split("\n")[1].split()
        options = ["--root", str(theirs), "--log", "/log"]
        subprocess.run([script[0], *options, *script[1:]], check=True, capture_output=True)
    (theirs / "log").unlink()
    assert _tree(ours) == _tree(theirs)


def _tree(root: Path) -> dict[str, str]:
    paths = [path for path in root.rglob("*") if path.is_symlink() or path.is_file()]
    return {
        str(path.relative_to(root)): str(path.readlink()) if path.is_symlink() else path.read_text()
        for path in paths
    }
