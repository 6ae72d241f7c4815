"""An image's configuration is read whole, and only as what it may be."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01build.base.config import MAX_BYTES, BaseConfig, Healthcheck, History, parse_config
from ds01build.digest import DiffId, Digest
from ds01build.errors import RejectedFile

DIFF_ID = f"sha256:{'0' * 64}"
CONTAINER: dict[str, object] = {
    "Env": ["PATH=/a:/b", "EMPTY=", "UNSET", "TWICE=1", "TWICE=2=3"],
    "Entrypoint": "one text",
    "Cmd": ["a", "b"],
    "WorkingDir": "/w",
    "User": "1000:1000",
    "Labels": {"b": "2", "a": "1"},
    "ExposedPorts": {"8888/tcp": {}, "53/udp": {}},
    "Volumes": {"/data": {}},
    "OnBuild": ["RUN x"],
    "StopSignal": "SIGINT",
    "Shell": ["/bin/bash", "-c"],
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5, "Retries": 3},
}
WHOLE: dict[str, object] = {
    "architecture": "arm64",
    "variant": "v8",
    "os": "linux",
    "created": "2026-01-01T00:00:00Z",
    "config": CONTAINER,
    "rootfs": {"type": "layers", "diff_ids": [DIFF_ID]},
    "history": [{"created": "x", "created_by": "RUN x", "empty_layer": True}, {}],
}


def test_a_configuration_is_read_whole() -> None:
    content = json.dumps(WHOLE).encode()
    assert parse_config(content) == BaseConfig(
        digest=Digest.of(content),
        architecture="arm64",
        variant="v8",
        os="linux",
        diff_ids=(DiffId(DIFF_ID),),
        environment=(("PATH", "/a:/b"), ("EMPTY", ""), ("TWICE", "2=3")),
        entrypoint=("one text",),
        cmd=("a", "b"),
        workdir="/w",
        user="1000:1000",
        labels=(("a", "1"), ("b", "2")),
        ports=("53/udp", "8888/tcp"),
        volumes=("/data",),
        on_build=("RUN x",),
        stop_signal="SIGINT",
        shell=("/bin/bash", "-c"),
        healthcheck=Healthcheck(test=("CMD", "true"), interval=5, retries=3),
        history=(History(created="x", created_by="RUN x", is_empty=True), History()),
    )


def test_null_counts_as_absent_at_every_place() -> None:
    nothing = {**WHOLE, "variant": None, "history": None, "config": dict.fromkeys(CONTAINER)}
    found = parse_config(json.dumps(nothing).encode())
    assert (found.environment, found.entrypoint, found.healthcheck, found.history) == (
        (),
        (),
        None,
        (),
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b" " * (MAX_BYTES + 1), "bytes, more than"),
        (b"[]", "the configuration is not an object"),
        (b'{"os": "windows"}', "is for windows, and ds01 builds for linux"),
        (b"{}", "is for no system, and ds01 builds for linux"),
        (b'{"os": "linux", "architecture": "a b"}', "the configuration.architecture has the value"),
        (b'{"os": "linux", "config": []}', "the configuration.config is not an object"),
        (b'{"os": "linux", "rootfs": {"diff_ids": ["x"]}}', "not a sha256 address"),
        (
            b'{"os": "linux", "config": {"Env": [1]}}',
            "config.Env[0] has the value 1",
        ),
        (b'{"os": "linux", "config": {"Env": ["A B=c"]}}', "config.Env has the entry 'A B=c'"),
        (b'{"os": "linux", "config": {"Env": ["A=\\u0000"]}}', "Env[0] has the value"),
        (b'{"os": "linux", "config": {"User": "\\ud800"}}', "surrogates not allowed"),
        (b'{"os": "linux", "config": {"Labels": {"a": 1}}}', "config.Labels has the value 1"),
        (b'{"os": "linux", "config": {"ExposedPorts": {"x": {}}}}', "config.ExposedPorts has"),
        (b'{"os": "linux", "config": {"Healthcheck": {"Retries": -1}}}', "Retries is not a number"),
        (b'{"os": "linux", "history": [{"empty_layer": 1}]}', "empty_layer is neither true nor"),
    ],
)
def test_anything_else_is_an_error_that_names_the_configuration(
    content: bytes, problem: str
) -> None:
    with pytest.raises(RejectedFile) as caught:
        parse_config(content)
    assert str(caught.value).startswith(f"image configuration {Digest.of(content)}: ")
    assert problem in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.sampled_from([*WHOLE, *CONTAINER]), JSON)
def test_no_value_at_any_key_is_more_than_an_error(key: str, value: object) -> None:
    damaged = {**WHOLE, key: value} if key in WHOLE else {**WHOLE, "config": {key: value}}
    try:
        parse_config(json.dumps(damaged).encode())
    except RejectedFile as error:
        assert error.name.startswith("image configuration sha256:")  # noqa: PT017
