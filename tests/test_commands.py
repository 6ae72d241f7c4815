"""Commands share functions of the library, and none of them runs another."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from ds01build import cli

if TYPE_CHECKING:
    from types import ModuleType

MODULES = {
    found.name: importlib.import_module(f"ds01build.cli.{found.name}")
    for found in pkgutil.iter_modules(cli.__path__)
}


def commands(module: ModuleType) -> dict[str, click.Command]:
    return {name: one for name, one in vars(module).items() if isinstance(one, click.Command)}


def tree(module: ModuleType) -> ast.Module:
    assert module.__file__ is not None
    return ast.parse(Path(module.__file__).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", MODULES)
def test_no_command_has_another_ones(name: str) -> None:
    module = MODULES[name]
    for one in commands(module).values():
        home = getattr(one.callback, "__module__", module.__name__)
        assert home == module.__name__, f"{name} has {one.name}, which is another module's"
    for node in ast.walk(tree(module)):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        other = MODULES.get(node.module.removeprefix("ds01build.cli."))
        taken = {alias.name for alias in node.names} & set(commands(other) if other else ())
        assert not taken, f"{name} imports the command {', '.join(taken)}"


@pytest.mark.parametrize("name", MODULES)
def test_no_command_is_run_by_another(name: str) -> None:
    runners = {"invoke", "forward", "callback", "main", "make_context"}
    called = {
        node.func.attr
        for node in ast.walk(tree(MODULES[name]))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not called & runners


def test_the_command_line_starts_an_editor_and_no_other_program() -> None:
    def starts(module: ModuleType) -> bool:
        imports = [node for node in ast.walk(tree(module)) if isinstance(node, ast.ImportFrom)]
        return any(node.module == "ds01build.process" for node in imports)

    assert {name for name, module in MODULES.items() if starts(module)} <= {"update"}


def test_every_failure_of_before_names_a_test_that_is_there() -> None:
    table = (Path(__file__).parent.parent / "docs" / "failures.md").read_text(encoding="utf-8")
    named = re.findall(r"`(test_[a-z_]+\.py)::(test_[a-z0-9_]+)`", table)
    assert len(named) == table.count("\n|") - 2
    for file, test in named:
        assert f"def {test}(" in (Path(__file__).parent / file).read_text(encoding="utf-8")


def test_all_failures_of_before_are_in_the_table() -> None:
    table = (Path(__file__).parent.parent / "docs" / "failures.md").read_text(encoding="utf-8")
    numbers = [int(number) for number in re.findall(r"^\| ([0-9]+) \|", table, re.MULTILINE)]
    assert numbers == sorted(numbers)
    assert {*numbers} == {*range(1, 26)}
