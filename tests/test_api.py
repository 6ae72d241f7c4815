"""What docs/api.md promises to programs is there, as it says, and its examples run."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from docks import Dock
from world import RECIPE

from ds01build import cli, errors
from ds01build.cli import programs
from ds01build.gpus import Gpu, Inventory
from ds01build.workflow import containers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from quays import Quay
    from world import World

    from ds01build.workflow.containers import Host

pytest_plugins = ("world_fixtures", "engine_fixtures", "container_fixtures")

TEXT = (Path(__file__).parents[1] / "docs/api.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (`[^|]*`) \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)
SIGNATURE = re.compile(r"`([a-z0-9_.]+)\.([A-Za-z_]+)\(([a-z_, *]*)\)`")
COMMAND = re.compile(r"`(ds01 [a-z ]+|(?:container|image|project|user)-[a-z]+)`")
ROWS = ROW.findall(TEXT)
PROMISED = [each for row in ROWS for each in SIGNATURE.findall(row[0])]

# What commands call, and programs need not: why.
_ASKING = "it is about what a person is asked"
_WRITING = "it writes an answer to a file"
UNNAMED = {
    "collecting.freed": "it is a remark of image-delete",
    "containers.loading": "it says what a person could type",
    "creating.is_taken": _ASKING,
    "creating.offers": _ASKING,
    "creating.package_files": _ASKING,
    "creating.recipe_of": "it is recipe.toml in the directory of project_of",
    "creating.take": _ASKING,
    "deleting.outlook": "it is what delete comes to without an error",
    "deploying.require_free": "deploying.there says the same",
    "editing.edited": _ASKING,
    "editing.recipe_text": _ASKING,
    "edits.bundling": _ASKING,
    "edits.rewriting": "it is for an editor that a person has open",
    "export.recompressed": "it is for readers that stop after the first member of a gzip file",
    "generations.numbered": "it reads an argument",
    "importing.left_by_adding": "it is a remark of ds01 import",
    "inspecting.commands": "it says what a person could type",
    "inspecting.over_what_it_was_made_of": "it is a remark of ds01 import",
    "looking.seen": _ASKING,
    "owned.of_image": _ASKING,
    "ports.require_usable": "ports.port_for does it",
    "projects.declared": _ASKING,
    "projects.is_there": _ASKING,
    "quick.find": "it makes ds01 build fast, and building.build comes to the same",
    "quick.follow": "it makes ds01 build fast, and building.build comes to the same",
    "quick.lock_path": "the path is in what steps.make_lock returns",
    "removing.foreseen": "removing.plan says the same",
    "removing.images_of": _ASKING,
    "replacing.create_file": _WRITING,
    "replacing.refuse_existing": _WRITING,
    "replacing.refuse_replacing": _WRITING,
    "replacing.replace_file": _WRITING,
    "request.read_request": "the request is in what steps.make_lock returns",
    "selecting.default_name": _ASKING,
    "selecting.full_reference": "it reads an argument",
    "selecting.image_of": "it reads an argument",
    "selecting.is_name": "it reads an argument",
    "selecting.on_framework": "selecting.meant takes a framework, too",
    "steps.read_lock": _ASKING,
    "steps.require_base": "make_lock does it",
}


def module_of(name: str) -> str:
    return name if name.startswith("ds01build.") else f"ds01build.workflow.{name}"


def example(name: str) -> str:
    part = TEXT.partition(f"<!-- {name} -->\n```python\n")[2]
    assert part, f"there is no example {name}"
    return part.partition("```\n")[0]


def ran(
    code: str, environment: Mapping[str, str], directory: Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def printed(name: str, call: str, environment: Mapping[str, str], directory: Path) -> str:
    """Return the last line that an example prints, whose last line prints what ``call`` returns."""
    done = ran(f"{example(name)}\nprint({call})\n", environment, directory)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_there_is_something_promised() -> None:
    assert len(PROMISED) > 100


@pytest.mark.parametrize(("module", "name", "parameters"), PROMISED)
def test_what_is_named_is_public_and_has_the_parameters_that_are_written_down(
    module: str, name: str, parameters: str
) -> None:
    home = importlib.import_module(module_of(module))
    assert name in home.__all__
    there = inspect.signature(getattr(home, name)).parameters.values()
    words = [each for each in parameters.split(", ") if each]
    written = [each.lstrip("*") for each in words if each != "*"]
    optional = {
        each.name
        for each in there
        if each.default is not inspect.Parameter.empty or each.kind is each.VAR_POSITIONAL
    }
    assert [each.name for each in there][: len(written)] == written
    assert optional | set(written) == {each.name for each in there}
    named = {each.name for each in there if each.kind is inspect.Parameter.KEYWORD_ONLY}
    assert named & set(written) == set(written[words.index("*") :] if "*" in words else ())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].partition("(")[0][1:])
def test_a_row_names_functions_and_errors_that_there_are(row: tuple[str, str, str]) -> None:
    functions, _, raises = row
    if functions != "`function`":
        assert ", ".join(f"`{a}.{b}({c})`" for a, b, c in SIGNATURE.findall(functions)) == functions
    for each in re.findall(r"`([^`]*)`", raises):
        assert each in errors.__all__


def leaves(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for each in command.list_commands(context):
        found = command.get_command(context, each)
        assert found is not None
        yield from leaves(f"{name} {each}", found)


COMMANDS = dict(each for name, top in programs().items() for each in leaves(name, top))


def place(command: click.Command) -> str:
    assert command.callback is not None
    return command.callback.__module__.removeprefix("ds01build.cli.")


@cache
def tree(part: str) -> ast.Module:
    return ast.parse(Path(cli.__file__).with_name(f"{part}.py").read_text(encoding="utf-8"))


def imports(part: str) -> Iterator[tuple[str, str, str]]:
    """Yield what a module of commands imports: from where, what, and what it calls that."""
    for node in ast.walk(tree(part)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module != "__future__":
            yield from ((node.module, each.name, each.asname or each.name) for each in node.names)


@cache
def used(part: str) -> frozenset[str]:
    """Return the functions, by their full names, that a module of commands has from others."""
    found: set[str] = set()
    modules: dict[str, set[str]] = {}
    for module, name, alias in imports(part):
        there = getattr(importlib.import_module(module), name, None)
        if inspect.isfunction(there):
            found.add(f"{module}.{name}")
        elif there is None or inspect.ismodule(there):
            modules.setdefault(alias, set()).add(f"{module}.{name}")
    for node in ast.walk(tree(part)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found |= {f"{each}.{node.attr}" for each in modules.get(node.value.id, ())}
    return frozenset(filter(is_function, found))


def is_function(name: str) -> bool:
    module, _, last = name.rpartition(".")
    return inspect.isfunction(getattr(importlib.import_module(module), last, None))


@cache
def neighbours(part: str) -> frozenset[str]:
    """Return a module of commands, those that it imports, and so on."""
    found, left = {part}, [part]
    while left:
        names = {
            f"{module}.{name}".split(".")[2]
            for module, name, _ in imports(left.pop())
            if module.startswith("ds01build.cli")
        }
        more = {
            name for name in names - found if Path(cli.__file__).with_name(f"{name}.py").exists()
        }
        found |= more
        left += more
    return frozenset(found)


def named_by(command: str) -> list[str]:
    """Return the functions that rows of the page name for a command."""
    rows = [row for row in ROWS if command in COMMAND.findall(row[1])]
    promised = [each for row in rows for each in SIGNATURE.findall(row[0])]
    return [f"{module_of(module)}.{name}" for module, name, _ in promised]


def test_the_page_names_a_function_for_each_command_that_answers_programs() -> None:
    answering = [
        each for each in COMMANDS.values() if any("--json" in one.opts for one in each.params)
    ]
    named = {COMMANDS[name] for row in ROWS for name in COMMAND.findall(row[1])}
    silent = {name for name, each in COMMANDS.items() if each in answering and each not in named}
    assert not silent


@pytest.mark.parametrize(
    "command", sorted({name for row in ROWS for name in COMMAND.findall(row[1])})
)
def test_a_command_calls_what_the_page_names_for_it(command: str) -> None:
    calls = {each for part in neighbours(place(COMMANDS[command])) for each in used(part)}
    assert calls.intersection(named_by(command))


def test_what_commands_call_is_named_or_there_is_a_reason() -> None:
    parts = [path.stem for path in Path(cli.__file__).parent.glob("[a-z]*.py")]
    called = {
        each.removeprefix("ds01build.workflow.")
        for part in parts
        for each in used(part)
        if each.startswith("ds01build.workflow.")
    }
    named = {f"{module}.{name}" for module, name, _ in PROMISED}
    assert called - named == set(UNNAMED)


def test_the_example_locks_plans_and_builds(world: World) -> None:
    assert world.build().code == 0
    code = f"{example('example')}\nprint(image_of(Path({str(world.recipe)!r})))\n"
    done = ran(code, world.environment, world.root)
    assert done.returncode == 0, done.stderr
    *steps, reference = done.stdout.splitlines()
    assert steps
    assert all(step.startswith("reuse ") for step in steps)
    assert reference == f"oci:{world.store}:demo@{world.images()['demo']}"


def test_the_example_edits_an_image_and_goes_back(world: World) -> None:
    assert world.build().code == 0  # after which it is known where the recipe lies
    before, lock = world.images()["demo"], world.lock.read_text()
    call = f"repr(with_packages(Path({str(world.recipe)!r}), 'other'))"
    diff = printed("editing", call, world.environment, world.root)
    assert '+packages = ["app", "other"]' in diff
    assert world.images()["demo"] != before
    assert printed("editing", "as_before('demo')", world.environment, world.root) == "1"
    assert world.images()["demo"] == before
    assert (world.recipe.read_text(), world.lock.read_text()) == (RECIPE, lock)


def test_the_example_runs_a_command_in_a_container_of_its_own(quay: Quay) -> None:
    dock = Dock(quay)
    call = f"said_in({dock.name('thesis')!r}, {quay.tag!r}, 'bash', '-c', 'echo $PWD $0').strip()"
    (dock.home / "workspace").mkdir(parents=True)
    assert printed("containers", call, dock.environment, quay.root) == "/workspace bash"
    assert dock.containers == {}
    assert (dock.home / "workspace" / dock.name("thesis")).is_dir()


def test_the_example_of_containers_fails_as_a_command_would(world: World) -> None:
    code = (
        f"{example('containers')}\nfrom ds01build.errors import Ds01Error\n"
        "try:\n    said_in('thesis', 'ds01-0/x:latest', 'true')\n"
        "except Ds01Error as error:\n    print(error.exit_code)\n"
    )
    done = ran(code, world.environment, world.root)
    assert (done.returncode, done.stdout) == (0, "4\n"), done.stderr


def test_the_example_begins_a_project(world: World) -> None:
    assert printed("projects", "begun('thesis')", world.environment, world.root) == "missing"
    outcome = world.ds01("project", "list", "--json")
    (found,) = outcome.answer["projects"]
    assert (found["name"], found["type"], found["state"]) == ("thesis", "nlp", "missing")


def test_the_example_writes_the_recipe_that_the_command_would(world: World) -> None:
    printed("projects", "begun('thesis-a')", world.environment, world.root)
    words = ("thesis-b", "--type", "nlp", "--debian", "bookworm", "--no-git", "--quick")
    assert world.ds01("project", "init", *words).code == 0
    workspace = Path(world.environment["HOME"]) / "workspace"
    ours, theirs = (
        {
            path.relative_to(workspace / name): path.read_text().replace(name, "")
            for path in (workspace / name).rglob("*")
            if path.is_file()
        }
        for name in ("thesis-a", "thesis-b")
    )
    assert ours == theirs


def test_the_example_launches_a_project(quay: Quay) -> None:
    dock, name = Dock(quay), Dock(quay).name("thesis")
    tag = dock.offer("thesis")
    try:
        (dock.home / "workspace").mkdir(parents=True)
        call = f"[begun({name!r}), launched(creating.project_of({name!r}, Path.home()), {tag!r})]"
        said = printed("projects", call, dock.environment, quay.root)
        assert said == f"['missing', '{dock.full('thesis')}']"
        found = quay.described(dock.full("thesis"))
        assert found["State"]["Running"]
        assert found["Config"]["Labels"]["ds01.project"] == name
    finally:
        dock.clean("thesis")


def test_the_example_says_what_a_user_may_have(world: World) -> None:
    limits = world.root / "limits.yaml"
    limits.write_text("defaults:\n  max_containers_per_user: 3\n")
    environment = {**world.environment, "DS01_LIMITS": str(limits)}
    said = printed("machines", "most_containers('anna')", environment, world.root)
    assert said == "(3, 'defaults.max_containers_per_user')"


def test_the_example_knows_which_gpus_nobody_holds(quay: Quay) -> None:
    gpus = tuple(
        Gpu(index=number, uuid=f"GPU-{quay.token}-{number}", name="A100") for number in range(3)
    )
    host = replace(quay.host(), inventory=lambda: Inventory(vendor="nvidia", gpus=gpus))
    containers.create(quay.wish(host, devices=("1",)), host)
    functions: dict[str, Callable[[Host], list[str]]] = {}
    exec(example("machines"), functions)  # here, since another process has no such GPUs
    assert functions["free_gpus"](host) == ["0", "2"]


def test_the_example_finds_what_doctor_finds(world: World) -> None:
    (world.store / "index.json").write_text("{")
    found = world.ds01("doctor", "--offline", "--json").answer["checks"]
    wrong = {each["says"]: each["remedy"] or "" for each in found if each["state"] == "problem"}
    assert wrong
    said = printed("machines", "problems()", world.environment, world.root)
    assert ast.literal_eval(said) == wrong
