"""Downloads that go wrong: retried where that may help, refused where it cannot, never kept."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers import captive, content, slow, stalled, status, truncated
from world import RECIPE, copied, ended, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from world import Outcome, World

pytest_plugins = ("world_fixtures",)

BUILD = ("build", "demo.toml")
OTHER = "other-1.0-py3-none-any.whl"
APT_TIER = '\n[tiers.system]\nkind = "apt"\npackages = ["tool"]\n'


def locked(world: World) -> bytes:
    """Ask for one more wheel, lock it, and return its bytes, which nobody has fetched yet."""
    made = world.index.offer("other")
    world.ask_for("app", "other")
    outcome = world.ds01("lock", "demo.toml")
    assert outcome.code == 0, outcome.err
    return made


def test_a_wheel_whose_bytes_changed_since_the_lock_is_refused(world: World) -> None:
    made = locked(world)
    world.index.route(f"files/{OTHER}", content(made[:-1] + bytes([made[-1] ^ 1])))
    outcome = world.ds01(*BUILD)
    assert outcome.code == 1, outcome.err
    assert len(outcome.complaint) == 1
    expected = "error: other==1.0: expected sha256:"
    assert outcome.complaint[0].startswith(expected), outcome.err
    assert ", got sha256:" in outcome.complaint[0]
    assert outcome.out == ""
    assert world.images() == world.built


@pytest.mark.parametrize("grown", [b"", b"more"])
def test_a_wheel_of_another_size_is_refused(world: World, grown: bytes) -> None:
    made = locked(world)
    world.index.route(f"files/{OTHER}", content(made + grown if grown else made[:-7]))
    size = len(made) + len(grown) if grown else len(made) - 7
    world.refuses(
        1,
        *BUILD,
        says=[f"error: other==1.0: expected {len(made)} bytes, got {size} bytes"],
    )


def test_a_page_in_the_place_of_a_wheel_is_refused(world: World) -> None:
    made = locked(world)
    world.index.route(f"files/{OTHER}", captive())
    world.refuses(1, *BUILD, says=[f"error: other==1.0: expected {len(made)} bytes, got 26 bytes"])


def test_a_transfer_that_breaks_once_goes_on_where_it_broke(world: World) -> None:
    made = locked(world)
    path = f"{world.index.prefix}/files/{OTHER}"
    world.index.server.add(path, truncated(made, 100), content(made))
    outcome = world.build()
    assert outcome.code == 0, outcome.err
    assert "other==1.0: " in outcome.err
    assert "; once more in " in outcome.err
    asked = [each.offset for each in world.index.server.requests if each.path == path]
    assert asked == [0, 100]


def test_a_wheel_that_the_index_has_dropped_is_named_with_the_way_out(world: World) -> None:
    locked(world)
    world.index.route(f"files/{OTHER}", status(404))
    world.refuses(
        1,
        *BUILD,
        says=[
            "error: no package index offers the locked file of other==1.0 any more",
            "hint:  ds01 lock --upgrade-package other demo.toml",
        ],
    )


def test_offline_with_a_cold_store_names_what_is_missing(world: World) -> None:
    cold = replace(world, variables={"DS01_STORE": str(world.root / "cold")})
    outcome = cold.ds01("build", "--offline", "demo.toml")
    assert outcome.code == 4, outcome.err
    words = " files, and --offline forbids to fetch: base-files=12.4, "
    assert words in outcome.complaint[0]
    assert outcome.complaint[1:] == ["hint:  ds01 build demo.toml"]


def test_offline_with_a_warm_store_asks_nobody(world: World) -> None:
    world.ask_for("app", "other")
    assert world.build("--keep-sources").code == 0
    world.ask_for("other")
    world.index.server.requests.clear()
    outcome = world.build("--offline")
    assert outcome.code == 0, outcome.err
    assert world.index.server.paths() == []


def test_offline_with_a_package_nobody_has_seen_is_a_lack(world: World) -> None:
    world.ask_for("app", "other")
    outcome = world.refuses(
        4,
        "build",
        "--offline",
        "demo.toml",
        says=[
            "error: the package index was not asked (--offline) and its cache lacks what is needed",
            "hint:  run it once without --offline",
        ],
    )
    assert outcome.out == ""


def index_away(world: World) -> World:
    world.ask_for("app", "other")
    return replace(world, variables={"DS01_INDEX_URL": "http://127.0.0.1:9/simple"})


def mirror_away(world: World) -> World:
    world.write(RECIPE + APT_TIER)
    return replace(world, variables={"DS01_APT_MIRROR": "http://127.0.0.1:9/debian"})


def always_cut(world: World) -> World:
    made = locked(world)
    world.index.route(f"files/{OTHER}", truncated(made, 5))
    return world


def always_busy(world: World) -> World:
    locked(world)
    world.index.route(f"files/{OTHER}", status(503))
    return world


LASTING = {each.__name__: each for each in (index_away, mirror_away, always_cut, always_busy)}


@pytest.fixture(scope="module")
def patient(
    pristine: World, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[World, Outcome]]:
    """Builds that try again for seconds before they give up: all of them at once."""
    worlds = {
        name: prepare(copied(pristine, tmp_path_factory.mktemp(name)))
        for name, prepare in LASTING.items()
    }
    started = {name: world.start(*BUILD) for name, world in worlds.items()}
    return {name: (worlds[name], ended(process)) for name, process in started.items()}


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("index_away", "error: the package index cannot be reached: "),
        (
            "mirror_away",
            "error: cannot download the package index of http://127.0.0.1:9/debian",
        ),
        ("always_cut", "error: cannot download other==1.0 from "),
        ("always_busy", "error: cannot download other==1.0 from "),
    ],
)
def test_what_stays_away_is_a_lack(
    patient: dict[str, tuple[World, Outcome]], name: str, complaint: str
) -> None:
    world, outcome = patient[name]
    assert outcome.code == 4, outcome.err
    assert outcome.complaint[0].startswith(complaint), outcome.err
    assert len(outcome.complaint) <= 2
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
    assert world.images() == world.built


def resolving(world: World) -> str:
    """Let the index say nothing; return the path that shows that it was asked."""
    world.index.route("simple/other/", stalled(20))
    world.ask_for("app", "other")
    return f"{world.index.prefix}/simple/other/"


def fetching(world: World) -> str:
    """Let a wheel come in slowly; return the path that shows that it was asked for."""
    made = locked(world)
    world.index.route(f"files/{OTHER}", slow(made, piece=10, pause=0.2))
    return f"{world.index.prefix}/files/{OTHER}"


def _processes_of(home: Path) -> Iterator[int]:
    """Yield the processes that were started with this home directory."""
    wanted = f"HOME={home}".encode()
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                variables = (path / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(each.startswith(wanted) for each in variables):
                yield int(path.name)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("stage", [resolving, fetching])
def test_an_interrupt_ends_everything_at_once(
    world: World, stage: Callable[[World], str], number: signal.Signals
) -> None:
    asked = stage(world)
    before = world.lock.read_bytes()
    process = world.start(*BUILD)
    wait_until(lambda: asked in world.index.server.paths())
    begin = time.monotonic()
    os.kill(process.pid, number)
    outcome = ended(process)
    assert time.monotonic() - begin < 2
    assert outcome.code == 130, outcome.err
    assert outcome.err.splitlines()[-1] == "interrupted"
    assert outcome.out == ""
    assert list(_processes_of(world.root)) == []
    assert world.lock.read_bytes() == before
    assert world.images() == world.built
    if stage is fetching:
        assert world.verified() == ""
