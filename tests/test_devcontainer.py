"""The reference implementation of devcontainers reads what is exported, and starts it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from engines import place, reach
from images import require, succeed
from values import a_lock

from ds01build.exporting.devcontainer import render

if TYPE_CHECKING:
    from pathlib import Path

    from standin_fixtures import StandIns

    from ds01build.lock import Lock

pytest_plugins = ("standin_fixtures", "engine_fixtures")
pytestmark = pytest.mark.network

SECONDS = 120


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the command of @devcontainers/cli, installed for these tests alone."""
    require("node", "npm")
    root = tmp_path_factory.mktemp("npm")
    words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(
        [*words, "--prefix", str(root), "@devcontainers/cli@0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    if done.returncode:
        pytest.skip(f"npm cannot install @devcontainers/cli: {done.stderr[-300:]}")
    return root / "node_modules/.bin/devcontainer"


def workspace(root: Path, text: str) -> Path:
    path = root / "project/.devcontainer/devcontainer.json"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return root / "project"


def run(tool: Path, *words: str | Path, host: str = "") -> str:
    done = subprocess.run(
        [str(tool), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        env={**os.environ, "DOCKER_HOST": host or os.environ.get("DOCKER_HOST", "")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def plain() -> Lock:
    return replace(a_lock(), image=replace(a_lock().image, user="", ports=("8888/tcp",)))


def test_the_reference_implementation_reads_every_word_as_it_was_meant(
    tool: Path, tmp_path: Path
) -> None:
    text = render(plain(), "ds01-1000/thesis-cv:latest", 1000, 1000)
    folder = workspace(tmp_path, text)
    read = json.loads(run(tool, "read-configuration", "--workspace-folder", folder))
    found: dict[str, Any] = read["configuration"]
    found.pop("configFilePath")
    source = f"type=bind,source={folder},target=/workspace"
    assert found == {**json.loads(text), "workspaceMount": source}
    assert read["workspace"] == {"workspaceFolder": "/workspace", "workspaceMount": source}


def test_a_container_of_it_runs_as_who_exported_it_and_has_a_home(
    tool: Path, tmp_path: Path, stand_ins: StandIns
) -> None:
    reach("graph").close()
    host = place("graph")
    uid, gid = (1000, 1000) if os.getuid() == 0 else (os.getuid(), os.getgid())
    document = json.loads(render(plain(), stand_ins.load("c-light", host), uid, gid))
    document["runArgs"] = ["--network=none"]  # an engine for tests may have no other
    folder = workspace(tmp_path, json.dumps(document))
    os.chown(folder, uid, gid)
    label = f"ds01.test={secrets.token_hex(8)}"
    which = ("--workspace-folder", folder, "--id-label", label)
    try:
        assert json.loads(run(tool, "up", *which, host=host))["outcome"] == "success"
        script = 'id -u; id -g; pwd; echo "$HOME"; touch "$HOME/a" /workspace/b'
        said = run(tool, "exec", *which, "sh", "-euc", script, host=host)
        assert said.splitlines() == [str(uid), str(gid), "/workspace", "/tmp/home"]
        made = (folder / "b").stat()
        assert (made.st_uid, made.st_gid) == (uid, gid)
    finally:
        docker = ("docker", "--host", host)
        found = succeed(*docker, "ps", "--all", "--quiet", "--filter", f"label={label}").split()
        if found:
            succeed(*docker, "rm", "--force", *found)
