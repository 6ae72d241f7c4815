"""What is derived of an interpreter is what the interpreter itself and its pip say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pip as pip_module
import pytest
from layered import config

from ds01build.base.derive import derive
from ds01build.base.tree import Node, Tree
from ds01build.base.wanted import excerpt, wanted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from images import Gallery

    from ds01build.base.facts import BaseFacts

# pip goes by sysconfig, but for the headers of a virtual environment.
QUESTION = """
import json, os, platform, site, sys, warnings
warnings.simplefilter("ignore")
from pip._internal.locations import get_scheme
scheme = get_scheme("x")
names = ("purelib", "platlib", "scripts", "data", "headers")
print(json.dumps({
    "schemes": {name: getattr(scheme, name) for name in names},
    "prefix": sys.prefix,
    "version": platform.python_version(),
    "directories": [path for path in site.getsitepackages() if os.path.isdir(path)],
}))
"""


def seen(root: Path, starts: Iterable[str]) -> Tree:
    """Return the tree of the directories ``starts`` below ``root`` and what is on their way."""
    nodes: dict[str, Node] = {}
    contents: dict[str, bytes | None] = {}
    todo = [root / start for start in starts]
    for start in starts:
        todo.extend(path for path in (root / start).parents if root in path.parents)
    found = [*todo, *(path for start in starts for path in (root / start).rglob("*"))]
    for path in found:
        name = str(path.relative_to(root))
        status = path.lstat()
        mode, owner = status.st_mode & 0o7777, (status.st_uid, status.st_gid)
        if path.is_symlink():
            nodes[name] = Node("symlink", 0o777, *owner, 0, str(path.readlink()))
        elif path.is_dir():
            nodes[name] = Node("directory", mode, *owner)
        else:
            nodes[name] = Node("file", mode, *owner, status.st_size)
            want = wanted(name)
            if want is not None:
                contents[name] = excerpt(want, path.read_bytes())
    return Tree.of(nodes, contents)


def answered(facts: BaseFacts) -> dict[str, object]:
    assert facts.target is not None
    assert facts.interpreter is not None
    schemes = facts.target.schemes
    return {
        "schemes": {
            "purelib": schemes.purelib,
            "platlib": schemes.platlib,
            "scripts": schemes.scripts,
            "data": schemes.data,
            "headers": f"{schemes.headers}/x",
        },
        "prefix": facts.interpreter.prefix,
        "version": facts.interpreter.version,
        "directories": list(facts.interpreter.directories),
    }


@pytest.mark.parametrize("is_venv", [0, 1])
def test_the_interpreter_of_these_tests_is_where_it_says(is_venv: int) -> None:
    prefix = sys.prefix if is_venv else sys.base_prefix
    program = Path(prefix) / "bin/python3"
    if not program.exists() or (is_venv and sys.prefix == sys.base_prefix):
        pytest.skip(f"{program} is not there, or no virtual environment")
    pip = Path(str(pip_module.__file__)).parent.parent
    code = f"import sys; sys.path.append({str(pip)!r})\n{QUESTION}"
    asked = subprocess.run(
        [program, "-Ic", code], capture_output=True, text=True, check=True, timeout=60
    )
    starts = {f"{each}/{name}" for each in (prefix, sys.base_prefix) for name in ("bin", "include")}
    library = f"lib/python3.{sys.version_info.minor}"
    starts |= {f"{each}/{library}" for each in (prefix, sys.base_prefix)}
    starts |= {str(path) for path in Path(sys.base_prefix, "lib").glob("libpython3*.so*")}
    starts |= {str(Path(prefix, "pyvenv.cfg"))} if is_venv else set()
    starts.add("/var/lib/dpkg/status")
    tree = seen(Path("/"), sorted(path[1:] for path in starts if os.path.lexists(path)))
    facts = derive(tree, config({"PATH": f"{prefix}/bin"}))
    assert answered(facts) == json.loads(asked.stdout)


@pytest.mark.network
@pytest.mark.parametrize("is_venv", [0, 1])
def test_debians_interpreter_is_where_it_says(gallery: Gallery, is_venv: int) -> None:
    image = gallery.unpacked("slim")
    program, path = "/usr/bin/python3", "/usr/bin"
    made = image.root / "facts-venv"
    if is_venv:
        (made / "bin").mkdir(parents=True)
        (made / "lib/python3.11/site-packages").mkdir(parents=True)
        (made / "bin/python3").symlink_to("/usr/bin/python3")
        (made / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = true\n")
        program, path = "/facts-venv/bin/python3", "/facts-venv/bin"
    try:
        asked = json.loads(image.prints(program, "-c", QUESTION))
        starts = ["usr", "var/lib/dpkg", "bin", "lib", *(["facts-venv"] if is_venv else [])]
        facts = derive(seen(image.root, starts), config({"PATH": path}))
    finally:
        if is_venv:
            subprocess.run(["rm", "-r", "--", made], check=True)
    assert answered(facts) == asked
    shown = image.prints("/usr/bin/python3", "-m", "pip", "list", "--format=freeze")
    names = {f"{each.name}=={each.version}" for each in facts.distributions}
    assert {line.lower().replace("_", "-") for line in shown.split()} == names
