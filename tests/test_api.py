"""What docs/api.md promises to programs is there, as it says, and its examples run."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from world import World

pytest_plugins = ("world_fixtures",)

TEXT = (Path(__file__).parents[1] / "docs/api.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (`.*?`) \|", re.MULTILINE)
SIGNATURE = re.compile(r"`([a-z]+)\.([a-z_]+)\(([a-z_, *]*)\)`")
PROMISED = [each for row in ROW.findall(TEXT) for each in SIGNATURE.findall(row)]


def example(name: str) -> str:
    part = TEXT.partition(f"<!-- {name} -->\n```python\n")[2]
    return part.partition("```\n<!-- end -->")[0]


def ran(world: World, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=world.environment,
        cwd=world.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_there_is_something_promised() -> None:
    assert len(PROMISED) > 15


@pytest.mark.parametrize(("module", "name", "parameters"), PROMISED)
def test_a_function_has_the_parameters_that_are_written_down(
    module: str, name: str, parameters: str
) -> None:
    found = getattr(importlib.import_module(f"ds01build.workflow.{module}"), name)
    there = inspect.signature(found).parameters.values()
    written = [each for each in parameters.split(", ") if each not in ("", "*")]
    optional = [each.name for each in there if each.default is not inspect.Parameter.empty]
    assert [each.name for each in there][: len(written)] == written
    assert set(optional) | set(written) == {each.name for each in there}
    if "*" in parameters.split(", "):
        first = written[parameters.split(", ").index("*")]
        assert next(each for each in there if each.name == first).kind is (
            inspect.Parameter.KEYWORD_ONLY
        )


def test_the_example_locks_plans_and_builds(world: World) -> None:
    assert world.build().code == 0
    done = ran(world, f"{example('example')}\nprint(image_of(Path({str(world.recipe)!r})))\n")
    assert done.returncode == 0, done.stderr
    *steps, reference = done.stdout.splitlines()
    assert steps
    assert all(step.startswith("reuse ") for step in steps)
    assert reference == f"oci:{world.store}:demo@{world.images()['demo']}"


def test_the_example_of_containers_fails_as_a_command_would(world: World) -> None:
    code = (
        f"{example('containers')}\nfrom ds01build.errors import Ds01Error\n"
        "try:\n    asked_of_the_engine('ds01-0/x:latest')\n"
        "except Ds01Error as error:\n    print(error.exit_code)\n"
    )
    done = ran(world, code)
    assert (done.returncode, done.stdout) == (0, "4\n"), done.stderr
