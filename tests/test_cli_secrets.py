"""A password for the package index: it works, and it is nowhere afterwards."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import sqlite3
import threading
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers import content, status
from world import SIMPLE_JSON, ended, files_below, secret_index, typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world import Outcome, World

pytest_plugins = ("world_fixtures",)

PASSWORD = "hunter2-and-more"
FORMS = (PASSWORD.encode(), base64.b64encode(f"user:{PASSWORD}".encode()))
OTHER = "other-1.0-py3-none-any.whl"


def from_variable(world: World) -> World:
    url = world.index.url.replace("://", f"://user:{PASSWORD}@")
    return replace(world, variables={"DS01_INDEX_URL": url, "DS01_DEBUG": "1"})


def from_netrc(world: World) -> World:
    netrc = world.root / "home" / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login user password {PASSWORD}\n")
    netrc.chmod(0o600)
    return replace(world, variables={"DS01_DEBUG": "1"})


def watched(world: World, *arguments: str) -> tuple[Outcome, set[bytes]]:
    """Run ds01 and return the arguments of every process that was there meanwhile."""
    seen: set[bytes] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            for path in Path("/proc").iterdir():
                with contextlib.suppress(OSError):
                    seen.add((path / "cmdline").read_bytes() if path.name.isdigit() else b"")

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        return ended(world.start(*arguments)), seen
    finally:
        over.set()
        watcher.join()


def contents(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, and what is packed in them."""
    raw = path.read_bytes()
    yield raw
    if raw[:2] == b"\x1f\x8b":
        yield gzip.decompress(raw)
    if path.name == "cache.db":
        with contextlib.closing(sqlite3.connect(path)) as connection:
            for key, value in connection.execute("SELECT key, value FROM Cache"):
                yield str(key).encode() + zlib.decompress(value)


def holders(world: World) -> list[Path]:
    """Return the files in which the password stands, apart from the one it comes from."""
    roots = (world.store, world.root / "home", world.recipe.parent)
    files = [path for path in files_below(*roots) if path.name != ".netrc"]
    assert any(path.name == "cache.db" for path in files)
    return [p for p in files if any(form in part for part in contents(p) for form in FORMS)]


def says_it(outcome: Outcome) -> bool:
    return PASSWORD in outcome.out + outcome.err


@pytest.mark.parametrize("source", [from_variable, from_netrc])
@pytest.mark.parametrize("relative", [False, True])
def test_a_password_works_and_stays_nowhere(
    world: World,
    source: object,
    relative: bool,  # noqa: FBT001
) -> None:
    world = secret_index(world, PASSWORD)
    world = from_netrc(world) if source is from_netrc else from_variable(world)
    if relative:
        row = {**world.index.offers["other"][OTHER], "url": f"../../files/{OTHER}"}
        page = {"meta": {"api-version": "1.0"}, "name": "other", "files": [row]}
        world.index.route("simple/other/", typed(json.dumps(page).encode(), SIMPLE_JSON))
    world.ask_for("app", "other")
    outcome, arguments = watched(world, "build", "--json", "demo.toml")
    assert outcome.code == 0, outcome.err
    assert any(b"compile" in each for each in arguments), "uv was not seen"
    assert not [each for each in arguments if any(form in each for form in FORMS)]
    assert not says_it(outcome)
    assert holders(world) == []


def test_a_password_is_not_told_when_things_go_wrong(world: World) -> None:
    world = from_variable(secret_index(world, PASSWORD))
    made = world.index.offer("other")
    world.ask_for("app", "nosuch")
    outcomes = [world.build()]
    world.ask_for("app", "other")
    assert world.ds01("lock", "demo.toml").code == 0
    world.index.route(f"files/{OTHER}", content(bytes(len(made))))
    outcomes.append(world.build())
    world.index.route(f"files/{OTHER}", status(404))
    outcomes.append(world.build())
    world.index.route(f"files/{OTHER}", status(403))
    outcomes.append(world.build())
    assert [outcome.code for outcome in outcomes] == [1, 1, 1, 4], [o.err for o in outcomes]
    assert not any(map(says_it, outcomes))
    assert holders(world) == []


def test_a_wrong_password_is_told_without_it(world: World) -> None:
    world = from_variable(secret_index(world, "another-one"))
    world.ask_for("app", "other")
    outcome = world.build()
    assert outcome.code == 4, outcome.err
    assert "401 Unauthorized" in outcome.complaint[0]
    assert not says_it(outcome)
    assert holders(world) == []
