"""A base is looked for in an engine by its name, and taken for what its layers are."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from engines import Names, Tars, image, plain_layer, tar

from ds01build.engine.load import load
from ds01build.engine.site import Site
from ds01build.workflow.probing import EngineProbes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from requests import Response

    from ds01build.digest import DiffId
    from ds01build.engine.api import Engine

pytest_plugins = ("engine_fixtures",)

LIST = "/images/json"


@dataclass(frozen=True)
class Probed:
    """An engine, what it is asked for, and the probes that ask."""

    engine: Engine
    names: Names
    asked: list[str]  # paths of the API, in order
    probes: EngineProbes

    def put(self, name: str) -> tuple[tuple[DiffId, ...], str]:
        """Load an image under a name, and return its layers and the path of its only file."""
        file = f"file-{secrets.token_hex(4)}"
        content = [tar({file: b"content"})]
        load(self.engine, image(content), Tars.of(content), [self.names.tag(name)])
        self.asked.clear()
        return (plain_layer(content[0]).diff_id,), file

    def finds(self, layers: tuple[DiffId, ...], name: str) -> frozenset[str] | None:
        """Return the paths of the tree that is found, None where none is."""
        tree = self.probes.tree(layers, self.names.tag(name))
        return None if tree is None else frozenset(tree.nodes)

    @property
    def lists(self) -> int:
        """How often the engine was asked for all its images."""
        return sum(path.endswith(LIST) for path in self.asked)


@pytest.fixture
def probed(engine: Engine, names: Names) -> Iterator[Probed]:
    asked: list[str] = []

    def note(answer: Response, **_: object) -> None:
        asked.append(answer.request.path_url.partition("?")[0])

    hooks = engine.client.hooks["response"]
    hooks.append(note)
    probes = EngineProbes(
        engine=lambda: engine,
        report=lambda _: None,
        site=Site(),
        network="host",
        diff_ids=lambda _: (),
    )
    yield Probed(engine, names, asked, probes)
    hooks.remove(note)


def test_a_base_that_has_its_name_is_found_before_any_list_is_asked_for(probed: Probed) -> None:
    layers, file = probed.put("base")
    found = probed.finds(layers, "base")
    assert found is not None
    assert file in found
    assert probed.lists == 0


def test_another_image_of_that_name_is_not_taken_for_the_base(probed: Probed) -> None:
    layers, file = probed.put("base")
    others, other = probed.put("other")
    found = probed.finds(layers, "other")
    assert found is not None
    assert file in found
    assert other not in found
    assert probed.lists == 1
    absent, _ = probed.put("absent")
    probed.engine.remove(probed.names.tag("absent"))
    assert probed.finds(absent, "other") is None
    assert probed.finds(others, "nothing") is not None
