"""The direction of imports: the table below is the architecture, and this test enforces it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ds01build

ROOT = Path(ds01build.__file__).parent

# Lowest first: a part may import those above it in this table, and its own modules.
VALUES = (
    *(
        "errors",
        "versions",
        "quantities",
        "digest",
        "change",
        "reference",
        "events",
        "asking",
        "location",
        "fields",
        "grammar",
        "catalogue",
        "guide",
        "platform",
    ),
    *(
        "target",
        "pin",
        "direct",
        "layer",
        "stack",
        "recipe",
        "layers",
        "base",
        "lock",
        "spec",
        "grouping",
    ),
    *(
        "lockcheck",
        "lockfile",
        "graph",
        "plan",
        "image",
        "labels",
        "drawing",
        "placed",
        "difference",
        "cause",
        "explanation",
        "origin",
        "dockerfile",
        "exporting",
        "configuration",
        "container",
        "gpus",
        "limits",
        "wizard",
        "project",
        "importing",
    ),
)
SYSTEM = ("process", "beneath", "flock", "once", "http")
EDGES = ("store", "fetch", "registry", "resolve", "realise", "engine", "driver")

# What only one place may import, and what is never imported.
OWNERS = {
    "click": ("cli",),
    "rich": ("cli",),
    "questionary": ("cli.terminal",),
    "prompt_toolkit": ("cli.terminal",),
    "networkx": ("graph",),
    "diskcache": ("store.facts",),
    "docker": ("engine",),
    "jinja2": ("dockerfile",),
    "sqlite3": ("store.facts",),
    "urllib3": ("http", "engine.frames"),
    "uv": ("workflow.machine",),
    "subprocess": ("process",),
    "deflate": ("layers.pack",),
    "isal": ("layers", "base.unpack", "workflow.export"),
    "backports": ("base.unpack",),
    "compression": ("base.unpack",),
    "tomlkit": ("recipe.located",),
    "debian": ("layers.deb", "resolve"),
    "pynvml": ("driver.nvidia",),
    "pickle": (),
    "marshal": (),
    "yaml": ("importing.documents", "limits.document"),
}


def _modules() -> dict[str, ast.Module]:
    paths = sorted(ROOT.rglob("*.py"))
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths}
    return {
        name.removesuffix(".__init__"): ast.parse(path.read_text()) for path, name in names.items()
    }


MODULES = _modules()


def _imports(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "ds01build":
            found |= {f"ds01build.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module != "__future__":
            found.add(node.module)
    return found


def _part(module: str) -> str:
    return module.partition(".")[0]


def _allowed(part: str) -> set[str]:
    if part in VALUES:
        return set(VALUES[: VALUES.index(part) + 1])
    if part in SYSTEM:
        return {"errors", "location", "once", part}
    if part in EDGES:
        return {*VALUES, *SYSTEM, part} - {"graph"}
    if part == "workflow":
        return {*VALUES, *SYSTEM, *EDGES, "workflow"}
    if part == "entry":
        return {"cli"}
    return {*VALUES, *SYSTEM, *EDGES, "workflow", "cli"}


@pytest.mark.parametrize("module", [name for name in MODULES if name != "__init__"])
def test_a_module_imports_only_what_lies_below_it(module: str) -> None:
    used = {
        name.partition(".")[2]
        for name in _imports(MODULES[module])
        if name.startswith("ds01build.")
    }
    ours = {_part(name) for name in used} - {"__version__", ""}
    wrong = sorted(ours - _allowed(_part(module)))
    assert not wrong, f"{module} -> {', '.join(wrong)}"


def test_every_part_stands_in_the_table() -> None:
    parts = {_part(module) for module in MODULES} - {"__init__"}
    assert parts == {*VALUES, *SYSTEM, *EDGES, "workflow", "cli", "entry"}


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_imported_only_by_its_owner(library: str) -> None:
    owners = OWNERS[library]
    users = {
        module
        for module, tree in MODULES.items()
        if any(name.partition(".")[0] == library for name in _imports(tree))
    }
    wrong = {user for user in users if not any(f"{user}.".startswith(f"{own}.") for own in owners)}
    assert not wrong


def test_the_environment_is_read_in_the_command_line_only() -> None:
    readers = {
        module
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}
    }
    assert {_part(reader) for reader in readers} <= {"cli"}


def test_what_an_edit_changes_is_told_without_the_graph_of_layers() -> None:
    code = "import sys, ds01build.difference; print('networkx' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n"


def test_a_build_that_changes_nothing_loads_no_heavy_module() -> None:
    code = (
        "import sys, ds01build.cli.build, ds01build.cli.wiring, ds01build.cli.output;"
        "import ds01build.workflow.quick, ds01build.store;"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    heavy = {
        "networkx",
        "rich",
        "diskcache",
        "urllib3",
        "tomli",
        "tomlkit",
        "packaging",
        "debian",
        "uv",
        "isal",
    }
    assert not heavy & set(done.stdout.split())


def test_a_command_is_imported_without_the_others() -> None:
    code = (
        "import sys; from ds01build.cli import run; run(['build', '--help']);"
        "print(*(name for name in sys.modules if name.startswith('ds01build.cli.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    others = {f"ds01build.cli.{name}" for name in ("create", "image", "lock", "store", "update")}
    assert "ds01build.cli.build" in loaded
    assert not others & loaded


def test_nothing_commits_a_container() -> None:
    """An image is what its lock says; a tag of a base never comes to stand for anything else."""
    committers = {
        module
        for module, tree in MODULES.items()
        if "engine" in module
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "commit"
    }
    assert not committers


@pytest.mark.parametrize("name", ["lives", "standing", "deploying", "renewing"])
def test_what_containers_do_needs_nothing_that_images_are_made_with(name: str) -> None:
    code = f"import sys, ds01build.workflow.{name}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"networkx", "jinja2", "diskcache", "uv"} & set(done.stdout.split())
