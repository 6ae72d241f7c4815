"""Loading into real engines: what travels, what is verified, and what a failure leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines import Names, Tars, image, tar

from ds01build.engine.load import load

if TYPE_CHECKING:
    from ds01build.engine.api import Engine

pytest_plugins = ("engine_fixtures",)


def _tars(count: int, size: int = 1000) -> list[bytes]:
    """Return the tars of layers that no image has."""
    import secrets  # noqa: PLC0415

    return [tar({f"file-{place}": secrets.token_bytes(size)}) for place in range(count)]


def test_only_the_layer_that_an_engine_lacks_travels(engine: Engine, names: Names) -> None:
    tars = _tars(3, 1 << 20)
    load(engine, image(tars[:2]), Tars.of(tars), [names.tag()])

    source = Tars.of(tars)
    loaded = load(engine, image(tars), source, [names.tag()])

    assert list(loaded.layers) == source.opened == [image(tars).layers[2].diff_id]
    assert loaded.size <= len(tars[2]) + 65536
    found = engine.inspect(names.tag())
    assert found is not None
    assert found.engine_id == loaded.engine_id
    assert found.diff_ids == tuple(layer.diff_id for layer in image(tars).layers)
