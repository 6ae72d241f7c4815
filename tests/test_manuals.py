"""What is made of the commands for the documentation and for man."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ds01build import guide
from ds01build.cli import ds01, programs, run
from ds01build.cli.reference import contexts, manuals, markdown, page
from ds01build.guide.page import Block, Page, blocks
from ds01build.guide.roff import manual

DOCS = Path(__file__).parents[1] / "docs"
PAGES = manuals(ds01, "1.0")


def test_the_reference_in_the_documentation_is_that_of_the_commands() -> None:
    assert (DOCS / "commands.md").read_text() == markdown(ds01), "run python docs/commands.py"


def test_every_link_in_the_reference_leads_to_a_heading() -> None:
    text = markdown(ds01)
    headings = re.findall(r"(?m)^##+ (.*)$", text)
    anchors = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
    links = re.findall(r"\]\(#([^)]*)\)", text)
    assert len(links) > 50
    assert set(links) <= anchors


def test_every_command_has_a_manual_page() -> None:
    assert len(PAGES) == len(list(contexts(ds01)))
    assert {"ds01.1", "ds01-build.1", "ds01-image-export.1", "image-update.1"} <= PAGES.keys()
    assert {f"{name}.1" for name in programs()} <= PAGES.keys(), "each by the name of its program"


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_has_nothing_to_say_about_a_manual_page() -> None:
    for name, text in PAGES.items():
        done = subprocess.run(
            ["groff", "-ww", "-man", "-Tutf8", "-z"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        assert done.stderr == "", name


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
def test_man_shows_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["man", str(tmp_path / "man1")]) == 0
    paths = capsys.readouterr().out.splitlines()
    assert sorted(Path(path).name for path in paths) == sorted(PAGES)
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", str(tmp_path / "man1" / "ds01-store-gc.1")],
        env={"MANWIDTH": "80", "PATH": "/usr/bin:/bin", "MAN_KEEP_FORMATTING": "", "PAGER": "cat"},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stderr == ""
    shown = " ".join(re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout).split())
    assert "ds01-store-gc - Delete what nothing needs" in shown
    assert "ds01 store gc --older-than 90d" in shown


def test_a_text_cannot_give_roff_an_order() -> None:
    entry = guide.Entry(about=".sy touch x\n'ab\n\\*[x] a-b", exits={}, topics={})
    made = Page(name="x", usage="x", summary="S.", options=(("-x", ".so y"),), entry=entry)
    lines = manual(made, "1").splitlines()
    assert "\\&.sy touch x" in lines
    assert "\\(aqab" in lines
    assert "\\e*[x] a\\-b" in lines
    assert "\\&.so y" in lines
    assert all(re.match(r"\.(TH|SH|B|TP|PP|IP|nf|fi)\b", each) for each in lines if each[0] == ".")


def test_a_text_is_taken_apart_by_empty_lines_indentation_and_marks() -> None:
    text = "One\ntwo:\n- a\n  b\n- c\n\n  code\n\n    more\n\n1. x\n2. y"
    found = list(blocks(text))
    assert found == [
        Block("prose", ("One", "two:")),
        Block("list", ("- a", "  b", "- c")),
        Block("verbatim", ("  code", "", "    more")),
        Block("list", ("1. x", "2. y")),
    ]
    assert found[1].items == ("a b", "c")
    assert found[3].items == ("x", "y")


def test_what_a_command_may_end_with_is_what_all_may_and_its_own() -> None:
    found = {page(each).name: dict(page(each).exits) for each in contexts(ds01)}
    assert found["ds01 store path"].keys() == {"0", "1", "2", "70", "130"}
    assert found["ds01 lock"]["3"] == "the lock is stale, with --check or --locked"
    assert list(found["image-update"]) == ["0", "1", "2", "4", "70", "130"]
