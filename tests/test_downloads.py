from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from values import digest

from ds01build.events import Note
from ds01build.fetch import Download, Retrying, Waiting
from ds01build.workflow.transfers import telling

if TYPE_CHECKING:
    from world import World

    from ds01build.events import Event

pytest_plugins = ("world_fixtures",)


def test_debs_are_asked_for_before_the_index_and_its_wheels(world: World) -> None:
    shutil.rmtree(world.store)
    seen = len(world.index.server.paths())
    assert world.build("--frozen").code == 0
    asked = world.index.server.paths()[seen:]
    wheels = [place for place, path in enumerate(asked) if path.endswith(".whl")]
    debs = [place for place, path in enumerate(asked) if path.endswith(".deb")]
    assert len(wheels) == 2
    assert len(debs) > 20
    pages = [place for place, path in enumerate(asked) if "/simple/" in path]
    assert debs[0] < pages[0]
    assert max(debs) < min(wheels)


def test_a_missing_deb_is_told_before_any_wheel_is_fetched(world: World) -> None:
    shutil.rmtree(world.store)
    seen = len(world.index.server.paths())
    (path,) = world.archive.root.rglob("bash_*.deb")
    route = f"{world.archive.prefix}/{path.relative_to(world.archive.root)}"
    gone = world.index.server.routes.pop(route)
    try:
        outcome = world.build("--frozen")
    finally:
        world.index.server.routes[route] = gone
    assert outcome.code == 1
    assert outcome.complaint[0] == "error: the mirror no longer has bash=5.2.15-2"
    assert not [path for path in world.index.server.paths()[seen:] if path.endswith(".whl")]


def test_another_build_that_downloads_is_told_of_once() -> None:
    said: list[Event] = []
    report = telling(said.append, [])
    files = [Download(digest=digest(name), size=1, urls=(), name=name) for name in "abc"]
    for file in files:
        report(Waiting(file, "process 7"))
        report(Retrying(file, "it broke", 2.0))
    report(Waiting(files[0], "process 8"))
    assert [event.text for event in said if isinstance(event, Note)] == [
        "waiting for what process 7 downloads",
        *(f"{name}: it broke; once more in 2 s" for name in "abc"),
        "waiting for what process 8 downloads",
    ]
