"""What a container is to be, before an engine sees it: names, accounts, the body that is sent."""

from __future__ import annotations

import io
import json
import re
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01build.configuration import configure
from ds01build.container import (
    Gpus,
    HomeFile,
    Identity,
    Policy,
    Resources,
    Specification,
    Wish,
    full_name,
    furnishing,
    labels_of,
    payload,
    policy_in,
    short_name,
    user_name,
)
from ds01build.container.identity import GROUP, PASSWD
from ds01build.errors import Ds01Error

ANNA = Identity(uid=1722830498, gid=1722800513, login="anna.lind@example.org")
WISH = Wish(name="thesis", image="ds01-1/thesis:latest", workspace="/home/a/workspace/thesis")
WANTED = Specification(wish=WISH, identity=ANNA, path="/opt/conda/bin:/usr/bin")


@pytest.mark.parametrize(
    ("login", "name"),
    [
        ("anna", "anna"),
        ("anna.lind@example.org", "anna_lind"),
        ("a..b--c", "a_b_c"),
        ("12345", "u12345"),
        ("...", "u7"),
        ("with:colon", "with_colon"),
        ("m" * 32, "m" * 32),
    ],
)
def test_a_login_is_made_a_name_that_every_tool_takes(login: str, name: str) -> None:
    assert user_name(login, 7) == name


@given(st.text(max_size=80), st.integers(0, 2**31))
def test_any_login_is_a_name(login: str, uid: int) -> None:
    assert re.fullmatch(r"(?![0-9]+\Z)[A-Za-z0-9_]{1,32}", user_name(login, uid))


def test_long_names_that_begin_alike_stay_apart() -> None:
    names = {user_name(f"{'long' * 12}{end}", 1) for end in "ab"}
    assert len(names) == 2


@given(st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,99}", fullmatch=True), st.integers(0, 2**31))
def test_a_full_name_is_taken_apart_again(name: str, uid: int) -> None:
    assert short_name(full_name(name, uid)) == (name, uid)


def members(archive: bytes) -> dict[str, tuple[tarfile.TarInfo, str]]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {
            each.name: (each, file.read().decode() if (file := tar.extractfile(each)) else "")
            for each in tar
        }


def test_a_user_stands_before_those_of_the_image() -> None:
    found = {PASSWD: "root:x:0:0::/root:/bin/sh\nubuntu:x:1722830498:1000::/:/bin/sh\n", GROUP: ""}
    made = members(furnishing(ANNA, found, shell="/bin/bash"))
    assert made[PASSWD][1].splitlines() == [
        "anna_lind:*:1722830498:1722800513:anna_lind:/home/anna_lind:/bin/bash",
        "root:x:0:0::/root:/bin/sh",
        "ubuntu:x:1722830498:1000::/:/bin/sh",
    ]
    assert made[GROUP][1] == "anna_lind:x:1722800513:\nroot:x:0:\n"
    home = made["home/anna_lind"][0]
    assert (home.uid, home.gid, home.mode) == (ANNA.uid, ANNA.gid, 0o700)


def test_a_name_that_the_image_has_for_another_uid_is_left_to_it() -> None:
    games = replace(ANNA, login="games")
    found = {PASSWD: "games:x:5:60::/usr/games:/bin/false\n", GROUP: "games:x:60:\n"}
    made = members(furnishing(games, found, shell="/bin/sh"))
    assert made[PASSWD][1].splitlines()[0].startswith("games_2:*:1722830498:")
    assert "games:x:5:60:" in made[PASSWD][1]
    assert made[GROUP][1].splitlines()[0] == "games_2:x:1722800513:"


def test_who_may_become_root_is_said_to_sudo_alone() -> None:
    found = {PASSWD: "", GROUP: "sudo:x:27:bob\n"}
    made = members(furnishing(ANNA, found, shell="/bin/sh", is_admin=True))
    entry, text = made["etc/sudoers.d/ds01"]
    assert (entry.mode, text) == (0o440, "anna_lind ALL=(ALL) NOPASSWD: ALL\n")
    assert "sudo:x:27:bob,anna_lind" in made[GROUP][1]
    assert "etc/sudoers.d/ds01" not in members(furnishing(ANNA, found, shell="/bin/sh"))


def test_files_of_a_home_are_its_users() -> None:
    file = HomeFile(path=".jupyter/config.json", content=b"{}")
    made = members(furnishing(ANNA, {}, [file], shell="/bin/sh"))
    for path, mode in ((".jupyter", 0o700), (".jupyter/config.json", 0o600)):
        entry = made[f"home/anna_lind/{path}"][0]
        assert (entry.uid, entry.mode) == (ANNA.uid, mode)


@given(st.text(max_size=200), st.text(max_size=200))
def test_whatever_an_image_has_for_accounts_its_user_is_the_first(passwd: str, group: str) -> None:
    made = members(furnishing(ANNA, {PASSWD: passwd, GROUP: group}, shell="/bin/sh"))
    rows = [line.split(":") for line in made[PASSWD][1].splitlines()]
    assert {len(row) for row in rows} == {7}
    assert rows[0][2] == str(ANNA.uid)
    assert [row[0] for row in rows].count(rows[0][0]) == 1


def test_accounts_whose_comments_are_of_another_encoding_stay_as_they_are() -> None:
    line = b"joerg:x:5:5:J\xf6rg:/home/joerg:/bin/sh"
    made = furnishing(ANNA, {PASSWD: line.decode(errors="surrogateescape")}, shell="/bin/sh")
    assert line + b"\n" in made


def environment(wanted: Specification) -> dict[str, str]:
    return dict(each.split("=", 1) for each in payload(wanted)["Env"])


def test_what_a_user_installs_goes_below_his_home() -> None:
    found = environment(WANTED)
    assert found["HOME"] == "/home/anna_lind"
    assert found["PATH"] == "/home/anna_lind/.local/bin:/opt/conda/bin:/usr/bin"
    assert found["PIP_BREAK_SYSTEM_PACKAGES"] == "1"
    assert found["PYTHONPYCACHEPREFIX"] == "/home/anna_lind/.cache/python"


def test_a_container_stops_at_once_whatever_signal_its_image_stops_on() -> None:
    assert payload(WANTED)["StopSignal"] == "SIGTERM"


def test_without_gpus_an_engine_that_gives_them_to_all_gives_none() -> None:
    found = environment(WANTED)
    assert (found["NVIDIA_VISIBLE_DEVICES"], found["CUDA_VISIBLE_DEVICES"]) == ("void", "")
    host = payload(WANTED)["HostConfig"]
    assert (host["DeviceRequests"], host["Devices"]) == ([], [])


@pytest.mark.parametrize(
    ("way", "request_"),
    [
        ("request", {"Driver": "nvidia", "DeviceIDs": ["GPU-1"], "Capabilities": [["gpu"]]}),
        ("cdi", {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=GPU-1"]}),
    ],
)
def test_gpus_of_nvidia_are_asked_for_by_their_ids(way: str, request_: dict[str, object]) -> None:
    gpus = Gpus(vendor="nvidia", devices=("GPU-1",), way=way)  # type: ignore[arg-type]
    wanted = replace(WANTED, gpus=gpus)
    assert payload(wanted)["HostConfig"]["DeviceRequests"] == [request_]
    assert labels_of(wanted)["ds01.gpu.uuids"] == "GPU-1"
    visible = environment(wanted)["NVIDIA_VISIBLE_DEVICES"]
    assert visible == ("void" if way == "cdi" else "GPU-1"), "the image's own says all"


def test_gpus_of_amd_are_devices() -> None:
    gpus = Gpus(vendor="rocm", devices=("/dev/kfd", "/dev/dri/renderD128"), groups=("44",))
    host = payload(replace(WANTED, gpus=gpus))["HostConfig"]
    assert [each["PathOnHost"] for each in host["Devices"]] == list(gpus.devices)
    assert (host["DeviceRequests"], host["GroupAdd"]) == ([], ["44"])
    assert environment(replace(WANTED, gpus=gpus))["NVIDIA_VISIBLE_DEVICES"] == "void"


def test_resources_are_said_as_the_engine_counts_them() -> None:
    resources = Resources(cpus=1.5, memory=1 << 30, shm_size=1 << 20, pids=99, tmp=1 << 20)
    host = payload(replace(WANTED, resources=resources))["HostConfig"]
    assert (host["NanoCpus"], host["Memory"], host["PidsLimit"]) == (1_500_000_000, 1 << 30, 99)
    assert host["Tmpfs"] == {"/tmp": "size=1048576,mode=1777,exec"}
    assert "MemorySwap" not in host, "None is no limit"


def test_jupyters_port_is_reached_from_this_machine_alone() -> None:
    body = payload(replace(WANTED, wish=replace(WISH, port=8899)))
    bound = [{"HostIp": "127.0.0.1", "HostPort": "8899"}]
    assert body["HostConfig"]["PortBindings"] == {"8888/tcp": bound}
    host = payload(replace(WANTED, wish=replace(WISH, port=8899, network="host")))
    assert "PortBindings" not in host["HostConfig"]


def test_labels_of_aimes_tools_are_written_where_a_site_wants_them() -> None:
    assert not any(name.startswith("aime") for name in labels_of(WANTED))
    labels = labels_of(replace(WANTED, legacy=True))
    assert labels["aime.mlc"] == labels["aime.mlc.USER"] == ANNA.login
    assert labels["aime.mlc.NAME"] == "thesis"
    assert labels["aime.mlc.WORK_MOUNT"] == WISH.workspace


@pytest.mark.parametrize(
    ("image", "custom"),
    [
        ("ds01-1000/thesis:latest", "ds01-1000/thesis:latest"),
        ("aimehub/pytorch-2.8.0-cuda12.6.3:latest", ""),
        ("docker.io/aimehub/pytorch-2.8.0-cuda12.6.3:latest", ""),
        ("example.org/aimehub/x:1", "example.org/aimehub/x:1"),
    ],
)
def test_an_image_of_aime_is_no_custom_one(image: str, custom: str) -> None:
    labels = labels_of(replace(WANTED, wish=replace(WISH, image=image)))
    assert (labels["ds01.image"], labels["ds01.custom_image"]) == (image, custom)


def test_labels_name_the_container_its_workspace_and_the_slice_of_its_group() -> None:
    labels = labels_of(WANTED)
    assert labels["ds01.container_name"] == WANTED.name
    assert labels["ds01.workspace"] == labels["ds01.work_mount"] == WISH.workspace
    assert labels["ds01.slice"] == "-"
    parent = replace(WANTED.resources, cgroup_parent="ds01-student.slice")
    assert labels_of(replace(WANTED, resources=parent))["ds01.slice"] == "ds01-student.slice"


@given(st.sampled_from(["request", "cdi"]), st.booleans())
def test_a_body_is_json(way: str, is_admin: bool) -> None:  # noqa: FBT001
    wish = replace(WISH, is_admin=is_admin)
    gpus = Gpus(vendor="nvidia", devices=("GPU-1",), way=way)  # type: ignore[arg-type]
    body = payload(replace(WANTED, wish=wish, gpus=gpus))
    assert json.loads(json.dumps(body)) == body
    assert ("no-new-privileges" in body["HostConfig"]["SecurityOpt"]) is not is_admin


def test_a_site_says_what_containers_may_do() -> None:
    text = """
    [containers]
    sudo = true
    capabilities = ["SYS_PTRACE"]
    seccomp = "unconfined"
    devices = ["/dev/snd"]
    groups = ["video", "44"]
    mlc-labels = true
    ulimits = { nofile = "4096" }
    """
    assert policy_in("f", text) == Policy(
        sudo=True,
        capabilities=("SYS_PTRACE",),
        seccomp="unconfined",
        devices=("/dev/snd",),
        groups=("video", "44"),
        ulimits=(("nofile", 4096),),
        mlc_labels=True,
    )
    assert configure({}, Path("/h"), [("f", text)]) == configure({}, Path("/h"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[containers]\nprivileged = "true"', "containers.privileged: unknown key"),
        ('[containers]\nsudo = "true"', "containers.sudo: expected true or false"),
        ('[containers]\ndevices = ["/etc"]', "a device below /dev"),
        ('[containers]\ncapabilities = ["all -x"]', "a capability"),
        ('[containers]\nseccomp = "none"', "'unconfined' or the path"),
        ('containers = "x"', "expected a table"),
    ],
)
def test_what_no_site_can_say_is_refused_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(Ds01Error, match=re.escape(problem)) as caught:
        policy_in("/etc/ds01/config.toml", text)
    assert str(caught.value).startswith("/etc/ds01/config.toml: ")
