"""An image that only an engine has is no base: what helps is said with the error."""

from __future__ import annotations

import io
import secrets
from typing import TYPE_CHECKING

import pytest
from engines import place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world import World

    from ds01build.engine.api import Engine

pytest_plugins = ("world_fixtures", "engine_fixtures")


@pytest.fixture
def own(engine: Engine, world: World) -> Iterator[str]:
    """Yield an image that was built in an engine, by a name that a registry of here could have."""
    world.variables["DOCKER_HOST"] = place(engine.kind)
    name = f"{world.index.server.url.partition('//')[2]}/{secrets.token_hex(6)}:1"
    list(engine.client.build(fileobj=io.BytesIO(b"FROM scratch\nENV A=1\n"), tag=name))
    yield name
    engine.remove(name)


def test_an_image_that_only_an_engine_has_can_be_pushed(own: str, world: World) -> None:
    help_ = f"docker tag {own} REGISTRY/NAME && docker push REGISTRY/NAME, and name that one"
    world.write(f'schema = 1\nname = "demo"\n[base]\nimage = "{own}"\n', "own.toml")
    create = ("image", "create", "demo", "--base", own, "-t", "custom", "--yes")
    for words in (("base", "show", own), ("lock", "own.toml"), create):
        outcome = world.ds01(*words)
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.complaint[0].endswith(f"has no image {own}")
        assert outcome.complaint[1].startswith("hint:  skopeo list-tags")
        assert f"a base is what a registry has: {help_}" in outcome.complaint[1]
    other = own.replace(":1", ":2")
    outcome = world.ds01("base", "show", other)
    assert "docker push" not in outcome.err, "which no engine has either"
