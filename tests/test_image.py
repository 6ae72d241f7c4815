from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values import directory, file, layer_for

from ds01build.digest import Digest, Key
from ds01build.errors import CollisionError
from ds01build.image import ImageConfig, StackedLayer, assemble

if TYPE_CHECKING:
    from ds01build.stack import Listing

CONFIG = ImageConfig(
    architecture="amd64",
    env={"PATH": "/usr/bin", "A": "1"},
    labels={"ds01.lock": "x", "b": "y"},
    annotations={"org.opencontainers.image.title": "demo", "a": "b"},
    workdir="/workspace",
    user="1000",
    entrypoint=("tini", "--"),
    cmd=("jupyter", "lab"),
    ports=("8888/tcp",),
)
BARE = ImageConfig(architecture="arm64", env={}, labels={}, annotations={})


def stacked(name: str, listing: Listing | None = None, size: int = 500) -> StackedLayer:
    return StackedLayer(
        tier=name,
        title=f"{name} 1.0",
        layer=layer_for(Key.of({"name": name}), size),
        listing={"": directory(), name: file()} if listing is None else listing,
    )


LAYERS = (stacked("base"), stacked("numpy", size=7000), stacked("config"))
IMAGE = assemble(LAYERS, CONFIG)


def read(document: bytes) -> dict[str, Any]:
    content = json.loads(document)
    assert isinstance(content, dict)
    return content


@given(
    st.permutations(list(CONFIG.env.items())),
    st.permutations(list(CONFIG.labels.items())),
    st.permutations(list(CONFIG.annotations.items())),
)
def test_the_order_of_mappings_does_not_change_the_digest(
    env: list[tuple[str, str]], labels: list[tuple[str, str]], annotations: list[tuple[str, str]]
) -> None:
    config = replace(CONFIG, env=dict(env), labels=dict(labels), annotations=dict(annotations))
    assert assemble(LAYERS, config) == IMAGE


def test_everything_else_changes_the_digest() -> None:
    others = [
        BARE,
        replace(CONFIG, architecture="arm64"),
        replace(CONFIG, env={"A": "1"}),
        replace(CONFIG, labels={}),
        replace(CONFIG, workdir="/"),
        replace(CONFIG, user=""),
        replace(CONFIG, entrypoint=()),
        replace(CONFIG, cmd=()),
        replace(CONFIG, ports=()),
        replace(CONFIG, annotations={}),
    ]
    images = [IMAGE, *(assemble(LAYERS, other) for other in others)]
    images += [assemble(LAYERS[:2], CONFIG), assemble(LAYERS[::-1], CONFIG)]
    assert len({image.digest for image in images}) == len(images)
    # Annotations are the manifest's own: the configuration is the same without them.
    assert len({image.config_digest for image in images}) == len(images) - 1


def test_a_manifest_is_one_of_the_image_spec() -> None:
    manifest = read(IMAGE.manifest)
    assert manifest == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": str(Digest.of(IMAGE.config)),
            "size": len(IMAGE.config),
        },
        "layers": [
            {
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": str(one.layer.digest),
                "size": one.layer.size,
            }
            for one in LAYERS
        ],
        "annotations": dict(CONFIG.annotations),
    }


def test_a_configuration_is_one_of_the_image_spec() -> None:
    config = read(IMAGE.config)
    assert (config["architecture"], config["os"]) == ("amd64", "linux")
    assert config["rootfs"] == {
        "type": "layers",
        "diff_ids": [str(one.layer.diff_id) for one in LAYERS],
    }
    assert config["config"] == {
        "Env": ["A=1", "PATH=/usr/bin"],
        "Labels": {"ds01.lock": "x", "b": "y"},
        "WorkingDir": "/workspace",
        "User": "1000",
        "Entrypoint": ["tini", "--"],
        "Cmd": ["jupyter", "lab"],
        "ExposedPorts": {"8888/tcp": {}},
    }


def test_what_is_not_set_is_left_out() -> None:
    config = read(assemble(LAYERS, BARE).config)
    assert config["config"] == {"Env": [], "Labels": {}}


def test_there_is_one_line_of_history_for_each_layer() -> None:
    assert read(IMAGE.config)["history"] == [
        {
            "created": "1980-01-02T00:00:00Z",
            "created_by": f"ds01 {name}",
            "comment": f"{name} 1.0",
        }
        for name in ("base", "numpy", "config")
    ]


def test_the_only_time_is_a_constant() -> None:
    config = read(IMAGE.config)
    times = {config.pop("created"), *(line.pop("created") for line in config["history"])}
    assert times == {"1980-01-02T00:00:00Z"}
    rest = json.dumps(config) + IMAGE.manifest.decode()
    assert not re.search(r"created\"|\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d", rest)


def test_the_size_is_that_of_all_blobs() -> None:
    assert IMAGE.size == 500 + 7000 + 500 + len(IMAGE.config) + len(IMAGE.manifest)


def test_an_image_is_named_by_its_bytes() -> None:
    assert IMAGE.digest == Digest.of(IMAGE.manifest)
    assert IMAGE.config_digest == Digest.of(IMAGE.config)
    assert IMAGE.layers == tuple(one.layer for one in LAYERS)


def test_listings_and_names_of_layers_do_not_reach_the_manifest() -> None:
    other = [replace(one, listing={}, title="other") for one in LAYERS]
    manifest = read(assemble(other, CONFIG).manifest)
    assert manifest["layers"] == read(IMAGE.manifest)["layers"]


def test_layers_that_do_not_commute_are_no_image() -> None:
    clash = [stacked("a", {"x": file("1")}), stacked("b", {"x": file("2")})]
    with pytest.raises(CollisionError) as caught:
        assemble(clash, CONFIG)
    assert str(caught.value) == "/x: a: a 1.0 and b: b 1.0 disagree (different bytes)"


def test_an_image_without_layers_is_an_image() -> None:
    image = assemble([], BARE)
    assert read(image.manifest)["layers"] == []
    assert read(image.config)["rootfs"]["diff_ids"] == []
