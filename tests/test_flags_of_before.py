"""Every flag that people know from before is there, or the table of its command says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ds01build.cli import programs

DOCS = Path(__file__).parent.parent / "docs"
ALL = "-h --help --info --concepts --guided"
FLAGS = {  # spec sections 2.5 to 2.14
    "container-create": "--cpu-only --num-gpus -w --workspace -d --data --dry-run --prefer-full",
    "container-run": "",
    "container-start": "",
    "container-attach": "",
    "container-stop": "-f --force -t --timeout -a --all -v --verbose --keep-container",
    "container-list": "-a --all -d --detailed --format",
    "container-stats": "-w --watch -g --gpu --no-trunc",
    "container-exit": "",
    "container-pause": "-a --all",
    "container-unpause": "-a --all",
    "container-remove": (
        "-a --all -i --images -v --volumes -f --force --skip-removal-confirm --dry-run"
    ),
    "container-deploy": (
        "--framework --image --project -w --workspace -d --cpu-only --background --open --dry-run"
    ),
    "container-retire": "-f --force --save-packages --images --dry-run --skip-initial-confirm",
    "project-init": "--type --quick --desc --no-git --blank",
    "project-launch": "--background --open --rebuild",
    "user-setup": "--quick",
}
GONE = [("containers.md", "remove: `--skip-save-prompt`")]


@pytest.mark.parametrize("name", FLAGS)
def test_every_flag_of_before_is_taken(name: str) -> None:
    parameters = programs()[name].params
    taken = {each for one in parameters for each in (*one.opts, *one.secondary_opts)}
    taken |= {"-h", "--help"}  # which every command has by its settings
    assert set(f"{FLAGS[name]} {ALL}".split()) <= taken


@pytest.mark.parametrize(("page", "flag"), GONE)
def test_a_flag_that_is_gone_is_in_the_table(page: str, flag: str) -> None:
    assert flag in (DOCS / page).read_text(encoding="utf-8").partition("## Every option")[2]
