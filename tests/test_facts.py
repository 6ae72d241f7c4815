from __future__ import annotations

import contextlib
import json
import os
import pickle
import sqlite3
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import diskcache
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds01build.errors import StoreError
from ds01build.store.facts import LIMIT, Facts, open_facts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "facts"


@pytest.fixture
def facts(directory: Path) -> Iterator[Facts]:
    opened = open_facts(directory)
    yield opened
    opened.close()


def change(directory: Path, statement: str, *values: object) -> None:
    """Change the file as a hostile or broken program would."""
    with contextlib.closing(sqlite3.connect(directory / "cache.db")) as connection:
        connection.execute(statement, values)
        connection.commit()


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return os.mkdir, (str(self.path), 0o700)


def test_a_fact_is_kept_by_kind_and_key(facts: Facts, directory: Path) -> None:
    assert facts.get("deb", "sha256:1") is None
    facts.put("deb", "sha256:1", {"name": "git", "paths": ["usr", "bin"], "size": 3})
    facts.put("listing", "sha256:1", [1, None, True])
    assert facts.get("deb", "sha256:1") == {"name": "git", "paths": ["usr", "bin"], "size": 3}
    assert facts.get("listing", "sha256:1") == [1, None, True]
    again = open_facts(directory)
    assert again.get("listing", "sha256:1") == [1, None, True]
    again.close()


@given(value=VALUES)
@settings(max_examples=15, deadline=None)
def test_any_json_comes_back_equal(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    facts = open_facts(tmp_path_factory.mktemp("f") / "facts")
    facts.put("any", "key", value)
    assert facts.get("any", "key") == value
    facts.close()


def test_everything_is_private_and_in_one_file(facts: Facts, directory: Path) -> None:
    facts.put("deb", "large", {str(number): "text " * 20 for number in range(50_000)})
    assert facts.get("deb", "large") is not None
    assert {path.name for path in directory.iterdir()} <= {
        "cache.db",
        "cache.db-shm",
        "cache.db-wal",
    }
    assert directory.stat().st_mode & 0o7777 == 0o700
    assert all(path.stat().st_mode & 0o7777 == 0o600 for path in directory.iterdir())


def test_nothing_is_evicted(facts: Facts) -> None:
    for number in range(300):
        facts.put("deb", str(number), "x" * 100)
    assert all(facts.get("deb", str(number)) for number in range(300))


def test_what_is_not_json_or_too_large_is_refused(facts: Facts) -> None:
    with pytest.raises(TypeError):
        facts.put("deb", "a", {b"bytes"})
    with pytest.raises(ValueError, match="more than"):
        facts.put("deb", "a", "x" * LIMIT)
    assert facts.get("deb", "a") is None


def test_the_plain_library_runs_a_planted_pickle(directory: Path, tmp_path: Path) -> None:
    """The attack works on diskcache's own JSONDisk: the tests below would see it."""
    with diskcache.Cache(str(directory), disk=diskcache.JSONDisk) as cache:
        cache["key"] = 1
        change(
            directory,
            "UPDATE Cache SET mode = 4, value = ?",
            pickle.dumps(Bomb(tmp_path / "ran")),
        )
        with contextlib.suppress(TypeError):
            cache.get("key")
    assert (tmp_path / "ran").exists()


def test_a_planted_pickle_is_a_miss_and_does_not_run(
    facts: Facts, directory: Path, tmp_path: Path
) -> None:
    facts.put("deb", "key", 1)
    bomb = pickle.dumps(Bomb(tmp_path / "ran"))
    change(directory, "UPDATE Cache SET mode = 4, value = ?", bomb)
    assert facts.get("deb", "key") is None
    change(directory, "UPDATE Cache SET key = ?, raw = 0", bomb)
    assert facts.get("deb", "key") is None
    facts.put("deb", "key", 2)
    assert facts.get("deb", "key") == 2
    assert not (tmp_path / "ran").exists()


def test_a_planted_pickle_in_a_file_is_a_miss_and_does_not_run(
    facts: Facts, directory: Path, tmp_path: Path
) -> None:
    facts.put("deb", "key", 1)
    (directory / "x.val").write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    change(directory, "UPDATE Cache SET mode = 4, value = NULL, filename = 'x.val'")
    assert facts.get("deb", "key") is None
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("mode", [0, 2, 3, 4, None, "x"])
def test_a_row_that_another_program_made_is_a_miss(
    mode: object, facts: Facts, directory: Path
) -> None:
    facts.put("deb", "key", 1)
    change(directory, "UPDATE Cache SET mode = ?", mode)
    assert facts.get("deb", "key") is None


@pytest.mark.parametrize("expires", [None, 1])
@pytest.mark.parametrize("mode", [1, 2, 3, 4])
def test_a_planted_file_name_is_neither_read_nor_deleted(
    mode: int, expires: int | None, facts: Facts, directory: Path, tmp_path: Path
) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_bytes(zlib.compress(b'"secret"'))
    facts.put("deb", "key", 1)
    planted = "UPDATE Cache SET mode = ?, filename = '../victim.txt', expire_time = ?"
    change(directory, planted, mode, expires)
    assert facts.get("deb", "key") is None
    facts.put("deb", "key", 2)
    facts.put("deb", "other", 3)
    assert facts.get("deb", "key") == 2
    assert victim.exists()


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "text",
        b"not compressed",
        zlib.compress(b"{"),
        zlib.compress(b"[" * 200_000),
        zlib.compress(b'"x"')[:-1],
        zlib.compress(b'"x"') + b"more",
        zlib.compress(b'"' + b"x" * (LIMIT + 10) + b'"', 9),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_damaged_value_is_a_miss(value: object, facts: Facts, directory: Path) -> None:
    facts.put("deb", "key", 1)
    change(directory, "UPDATE Cache SET value = ?", value)
    assert facts.get("deb", "key") is None


def test_a_planted_setting_never_becomes_sql(directory: Path) -> None:
    open_facts(directory).close()
    change(directory, "INSERT INTO Settings VALUES ('sqlite_user_version', 7)")
    facts = open_facts(directory)
    facts.put("deb", "key", 1)
    assert facts.get("deb", "key") == 1
    facts.close()
    with contextlib.closing(sqlite3.connect(directory / "cache.db")) as connection:
        found = connection.execute("SELECT key FROM Settings WHERE key LIKE '%user%'").fetchall()
        version = connection.execute("PRAGMA user_version").fetchone()
    assert (found, version) == ([], (0,))


def test_a_damaged_file_is_replaced(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    (directory / "cache.db").write_bytes(b"not a database" * 500)
    facts = open_facts(directory)
    facts.put("deb", "key", 1)
    assert facts.get("deb", "key") == 1
    facts.close()


def test_a_file_that_is_damaged_while_in_use_loses_facts_and_no_more(directory: Path) -> None:
    facts = open_facts(directory)
    for number in range(200):
        facts.put("deb", str(number), os.urandom(2000).hex())
    facts.close()
    path = directory / "cache.db"
    content = bytearray(path.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    facts = open_facts(directory)
    path.write_bytes(content)
    found = [facts.get("deb", str(number)) for number in range(200)]
    assert None in found
    facts.put("deb", "new", 1)
    assert facts.get("deb", "new") == 1
    facts.close()
    with contextlib.closing(open_facts(directory)) as again:
        again.put("deb", "new", 2)
        assert again.get("deb", "new") == 2


def test_a_link_in_the_place_of_the_file_is_not_followed(directory: Path, tmp_path: Path) -> None:
    directory.mkdir(mode=0o700)
    victim = tmp_path / "victim.db"
    victim.write_bytes(b"")
    (directory / "cache.db").symlink_to(victim)
    facts = open_facts(directory)
    facts.put("deb", "key", 1)
    facts.close()
    assert victim.read_bytes() == b""


def test_a_directory_that_others_can_write_is_refused(directory: Path) -> None:
    directory.mkdir()
    directory.chmod(0o770)
    with pytest.raises(StoreError, match="is not a directory of yours alone"):
        open_facts(directory)


def test_a_directory_that_the_library_would_expand_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="for a variable"):
        open_facts(tmp_path / "$HOME")


def test_processes_and_threads_share_facts(facts: Facts, directory: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from ds01build.store.facts import open_facts\n"
        "facts = open_facts(Path(sys.argv[1]))\n"
        "for n in range(50): facts.put(sys.argv[2], str(n), n)"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(directory), kind]) for kind in "ab"
    ]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: facts.put("c", str(number), number), range(50)))
    assert [process.wait() for process in processes] == [0, 0]
    found = [[facts.get(kind, str(number)) for number in range(50)] for kind in "abc"]
    assert json.dumps(found) == json.dumps([list(range(50))] * 3)
