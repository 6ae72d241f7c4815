"""Who a user is to a registry: what Docker's and Podman's files say, and their helpers."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ds01build.errors import Ds01Error, RejectedFile, Unavailable
from ds01build.registry import Keyring, Login, credential_files

if TYPE_CHECKING:
    from registries import Json

HOST = "registry.example:5000"
ME = Login(user="me", password="hunter2:x")
ENTRY = {"auth": base64.b64encode(b"me:hunter2:x").decode()}
HUB = "https://index.docker.io/v1/"


def keyring(tmp_path: Path, *documents: Json, **environment: str) -> Keyring:
    files = []
    for number, document in enumerate(documents):
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(json.dumps(document))
    path = f"{tmp_path}:/usr/bin:/bin"
    return Keyring(files=tuple(files), environment={"PATH": path, **environment})


def helper(tmp_path: Path, name: str, script: str) -> None:
    """Make a credential helper; it notes its arguments and its input."""
    program = tmp_path / f"docker-credential-{name}"
    note = f'cat > "{tmp_path}/input"; printf "%s" "$*" > "{tmp_path}/arguments"'
    program.write_text(f"#!/bin/sh\n{note}\n{script}\n")
    program.chmod(0o755)


SPEAKS = """printf '{"ServerURL": "x", "Username": "me", "Secret": "hunter2:x"}'"""


@pytest.mark.parametrize(
    ("registry", "key"),
    [
        (HOST, HOST),
        (HOST, f"https://{HOST}"),
        (HOST, f"https://{HOST}/v2/"),
        (HOST, f"http://{HOST}/v1/"),
        (HOST, f"{HOST}/a"),
        (HOST, f"{HOST}/a/b"),
        ("docker.io", HUB),
        ("docker.io", "docker.io"),
        ("docker.io", "https://docker.io"),
        ("docker.io", "docker.io/a"),
        ("docker.io", "index.docker.io"),
    ],
)
def test_a_registry_is_known_by_each_name_that_clients_write(
    registry: str, key: str, tmp_path: Path
) -> None:
    assert keyring(tmp_path, {"auths": {key: ENTRY}}).of(registry, "a/b") == ME


@pytest.mark.parametrize(
    "key",
    [
        "registry.example",
        "other.example:5000",
        f"{HOST}/b",
        f"{HOST}/a/b/c",
        f"x{HOST}",
        "",
        "docker.io",
    ],
)
def test_another_registrys_login_is_not_used(key: str, tmp_path: Path) -> None:
    assert keyring(tmp_path, {"auths": {key: ENTRY}}).of(HOST, "a/b") is None


def test_the_most_particular_name_and_the_first_file_win(tmp_path: Path) -> None:
    mine = {"username": "other", "password": "p"}
    assert keyring(tmp_path, {"auths": {HOST: ENTRY, f"{HOST}/a": mine}}).of(HOST, "a/b") == Login(
        user="other", password="p"
    )
    files: list[Json] = [{}, {HOST: {}}, {HOST: ENTRY}, {HOST: mine}]
    ring = keyring(tmp_path, *({"auths": auths} for auths in files))
    assert ring.of(HOST, "a/b") == ME


def test_an_identity_token_stands_for_a_password(tmp_path: Path) -> None:
    entry = {**ENTRY, "identitytoken": "secret"}
    assert keyring(tmp_path, {"auths": {HOST: entry}}).of(HOST, "a") == Login(identity="secret")


def test_nobody_is_known_without_files(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    (tmp_path / "directory").mkdir()
    files = (tmp_path / "none", tmp_path / "empty", tmp_path / "directory", tmp_path / "none/x")
    assert Keyring(files=files).of(HOST, "a") is None


def test_a_helper_is_asked_over_its_input_and_never_by_argument(tmp_path: Path) -> None:
    helper(tmp_path, "vault", SPEAKS)
    ring = keyring(tmp_path, {"credHelpers": {HOST: "vault"}, "auths": {HOST: {"auth": "bm86"}}})
    assert ring.of(HOST, "a") == ME
    assert (tmp_path / "input").read_text() == HOST
    assert (tmp_path / "arguments").read_text() == "get"


def test_a_store_for_all_is_asked_by_the_name_that_docker_files_under(tmp_path: Path) -> None:
    helper(tmp_path, "desktop", SPEAKS)
    ring = keyring(tmp_path, {"credsStore": "desktop", "auths": {HUB: {}}})
    assert ring.of("docker.io", "library/a") == ME
    assert (tmp_path / "input").read_text() == HUB


def test_a_helpers_token_is_an_identity_token(tmp_path: Path) -> None:
    helper(tmp_path, "vault", """printf '{"Username": "<token>", "Secret": "secret"}'""")
    ring = keyring(tmp_path, {"credsStore": "vault"})
    assert ring.of(HOST, "a") == Login(identity="secret")


def test_a_helper_that_knows_nobody_leaves_it_to_the_next_file(tmp_path: Path) -> None:
    helper(tmp_path, "vault", "echo 'credentials not found in native keychain'; exit 1")
    ring = keyring(tmp_path, {"credsStore": "vault"}, {"auths": {HOST: ENTRY}})
    assert ring.of(HOST, "a") == ME


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo hunter2 >&2; exit 3", "docker-credential-vault failed with exit code 3"),
        ("echo hunter2", "what docker-credential-vault printed: not JSON"),
        ("""echo '{"Secret": ["hunter2"]}'""", "Secret is not a string"),
        ("yes hunter2", "docker-credential-vault printed more than"),
    ],
)
def test_a_helper_that_fails_is_named_and_not_quoted(
    script: str, problem: str, tmp_path: Path
) -> None:
    helper(tmp_path, "vault", script)
    with pytest.raises(Ds01Error) as caught:
        keyring(tmp_path, {"credsStore": "vault"}).of(HOST, "a")
    assert problem in str(caught.value)
    assert "hunter2" not in f"{caught.value!r}{caught.value.__cause__!r}"


def test_a_helper_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"^docker-credential-none is not installed$"):
        keyring(tmp_path, {"credsStore": "none"}).of(HOST, "a")


@pytest.mark.parametrize("name", ["../evil", "a/b", "a b", "-x", "$(id)", "A", "a\n", "a" * 65])
def test_a_helper_is_a_name_and_nothing_else(name: str, tmp_path: Path) -> None:
    with pytest.raises(RejectedFile, match=r"names a credential helper that cannot be one$"):
        keyring(tmp_path, {"credsStore": name}).of(HOST, "a")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hunter2", "not JSON"),
        ('["hunter2"]', "not a JSON object"),
        ('{"auths": ["hunter2"]}', "auths is not an object"),
        (f'{{"auths": {{"{HOST}": "hunter2"}}}}', f"auths.{HOST} is not an object"),
        (f'{{"auths": {{"{HOST}": {{"auth": 1}}}}}}', f"auths.{HOST}.auth is not a string"),
        (
            f'{{"auths": {{"{HOST}": {{"auth": "hunter2!"}}}}}}',
            "an auth that is not USER:PASSWORD in base64",
        ),
        ('{"credHelpers": {"a": 1}, "credsStore": 2}', "credsStore is not a string"),
        (" " * (1024 * 1024 + 1), "longer than 1024 KiB"),
    ],
)
def test_a_damaged_file_is_named_and_not_quoted(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(RejectedFile) as caught:
        Keyring(files=(tmp_path / "config.json",)).of(HOST, "a")
    assert str(caught.value) == f"{tmp_path}/config.json: {problem}"
    assert "hunter2" not in repr(caught.value)


def test_secrets_are_not_shown() -> None:
    assert "hunter2" not in repr(ME)
    assert "secret" not in repr(Login(identity="secret"))
    assert "hunter2" not in repr(Keyring(files=(), environment={"PASSWORD": "hunter2"}))


def test_files_lie_where_docker_and_podman_keep_them() -> None:
    home = Path("/home/me")
    assert credential_files({}, home) == (
        home / ".docker/config.json",
        home / ".config/containers/auth.json",
    )
    environment = {
        "REGISTRY_AUTH_FILE": "/auth",
        "DOCKER_CONFIG": "/docker",
        "XDG_RUNTIME_DIR": "/run/user/1",
        "XDG_CONFIG_HOME": "/configuration",
    }
    assert credential_files(environment, home) == (
        Path("/auth"),
        Path("/docker/config.json"),
        Path("/run/user/1/containers/auth.json"),
        Path("/configuration/containers/auth.json"),
    )
