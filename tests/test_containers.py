"""Containers in real engines: who one is in them, what they may do, and what failures leave."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import layered
import pytest
from docker.errors import NotFound
from engines import Tars, image, tar
from quays import at_once
from tools_image import tools

from ds01build.container import Policy, Wish, full_name, labels_of, payload, read
from ds01build.engine import containers as engines
from ds01build.engine import creating
from ds01build.engine.load import load
from ds01build.engine.owner import current
from ds01build.engine.replacing import aside
from ds01build.errors import Ds01Error
from ds01build.workflow import containers, deploying, launching, owned
from ds01build.workflow.renewing import renewal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quays import Quay

    from ds01build.container import Specification
    from ds01build.engine.api import Engine
    from ds01build.workflow.containers import Host


pytest_plugins = ("engine_fixtures", "container_fixtures")


def test_a_user_with_a_huge_uid_and_a_long_name_works_in_his_container(quay: Quay) -> None:
    host = quay.host()
    wish = quay.wish(host)
    made = containers.bring_up(wish, host)
    name = "maximiliana_musterfrau_beis"
    said = quay.says(made.name, "id", "--user", "--name")
    assert said.startswith(name)
    assert len(said) == 32
    assert quay.says(made.name, "id", "-u") == str(quay.uid)
    assert quay.says(made.name, "bash", "-c", "echo $HOME; pwd") == f"/home/{said}\n/workspace"
    quay.says(made.name, "bash", "-c", "echo text > /workspace/made; touch ~/made")
    there = (host.home / "workspace" / wish.name / "made").stat()
    assert (there.st_uid, there.st_gid, there.st_size) == (quay.uid, quay.uid, 5)
    assert quay.says(made.name, "stat", "-c", "%u %a", f"/home/{said}") == f"{quay.uid} 700"


def test_two_users_have_one_image_and_a_name_each(quay: Quay) -> None:
    first, second = quay.host(), quay.host(1000, "alice")
    made = [containers.bring_up(quay.wish(each), each) for each in (first, second)]
    images = {quay.described(each.name)["Image"] for each in made}
    assert len(images) == 1
    assert quay.says(made[1].name, "id", "-un") == "alice"
    assert quay.says(made[0].name, "id", "-un") == made[0].identity.name
    assert owned.own(first)[0].name == made[0].name
    assert [row.name for row in owned.own(second)] == [made[1].name]


def test_nothing_is_allowed_that_nobody_asked_for(quay: Quay) -> None:
    host = quay.host()
    made = containers.create(quay.wish(host), host)
    found = quay.described(made.name)
    assert found["State"]["Status"] == "created"
    config = found["HostConfig"]
    assert config["Privileged"] is False
    assert config["CapAdd"] in (None, [])
    assert config["SecurityOpt"] == ["no-new-privileges"]
    assert config["DeviceRequests"] in (None, [])
    assert "NVIDIA_VISIBLE_DEVICES=void" in found["Config"]["Env"]
    assert found["Config"]["Labels"].items() >= labels_of(made).items()


def test_what_the_site_loosens_is_loosened(quay: Quay) -> None:
    policy = Policy(sudo=True, capabilities=("SYS_PTRACE",), groups=("44",), seccomp="unconfined")
    host = quay.host(policy=policy)
    made = containers.create(quay.wish(host, is_admin=True), host)
    config = quay.described(made.name)["HostConfig"]
    assert config["CapAdd"] == ["SYS_PTRACE"]
    assert config["SecurityOpt"] == ["seccomp=unconfined"]
    assert config["GroupAdd"] == ["44"]


def test_nobody_becomes_root_where_the_site_does_not_say_so(quay: Quay) -> None:
    host = quay.host()
    with pytest.raises(Ds01Error, match="nobody may become root"):
        containers.create(quay.wish(host, is_admin=True), host)


def test_labels_say_again_what_was_wished(quay: Quay) -> None:
    host = quay.host()
    wish = quay.wish(host, data="/srv", port=8899, project="p", interface="orchestration")
    made = containers.specified(wish, host)
    assert read(labels_of(made)) == wish


@pytest.mark.parametrize("name", ["a.b", "a/b", "--rm", "-x", "", "a b", "ü", "x" * 101])
def test_a_name_that_no_container_may_have_is_refused(name: str, quay: Quay) -> None:
    host = quay.host()
    with pytest.raises(Ds01Error, match="is no name of a container"):
        containers.create(replace(quay.wish(host), name=name), host)
    assert quay.names == []


def test_an_id_that_no_engine_takes_is_refused(quay: Quay) -> None:
    host = quay.host()
    host = replace(host, identity=replace(host.identity, uid=2**31))
    with pytest.raises(Ds01Error, match="uid 2147483648: engines take none above 2147483647"):
        containers.create(quay.wish(quay.host()), host)
    assert quay.names == []


def test_an_image_that_is_gone_is_told_before_anything_is_made(quay: Quay) -> None:
    host = quay.host()
    with pytest.raises(Ds01Error, match="has no image ds01-0/nosuch:latest") as caught:
        containers.create(quay.wish(host, image="ds01-0/nosuch:latest"), host)
    assert "image-list" in caught.value.hint
    assert quay.names == []


def _workspaces(root: Path) -> Iterator[tuple[str, str]]:
    (root / "link").symlink_to(root)
    (root / "file").write_text("")
    (root / "foreign").mkdir()
    yield "nosuch", "is no directory"
    yield "link", "is a link"
    yield "file", "is no directory"
    yield "foreign", "belongs to uid 0, and the container runs as"


def test_a_workspace_is_a_directory_of_ones_own(quay: Quay, tmp_path: Path) -> None:
    host = quay.host()
    for name, problem in _workspaces(tmp_path):
        with pytest.raises(Ds01Error, match=problem):
            containers.create(quay.wish(host, workspace=str(tmp_path / name)), host)
    assert quay.names == []


def test_of_two_that_take_a_name_at_once_one_gets_it(quay: Quay) -> None:
    host = quay.host()
    wish = quay.wish(host)
    names, refused = at_once(lambda _: containers.create(wish, host).name, 4)
    assert names == quay.names
    assert len(names) == 1
    assert {str(each) for each in refused} == {f"there is a container {names[0]} already"}


def test_what_fails_half_way_leaves_nothing(quay: Quay, monkeypatch: pytest.MonkeyPatch) -> None:
    host = quay.host()

    def lost(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(creating, "_name", lost)
    with pytest.raises(KeyboardInterrupt):
        containers.create(quay.wish(host), host)
    assert quay.names == []


def test_a_read_only_container_is_refused_with_the_reason(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = quay.host()

    def read_only(wanted: Specification) -> dict[str, Any]:
        body = payload(wanted)
        return {**body, "HostConfig": {**body["HostConfig"], "ReadonlyRootfs": True}}

    monkeypatch.setattr(creating, "payload", read_only)
    with pytest.raises(Ds01Error, match="is read-only, so that nobody can be given an account"):
        containers.create(quay.wish(host), host)
    assert quay.names == []


def test_what_the_dead_left_is_removed_and_what_the_living_make_stays(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = quay.host()
    wish = quay.wish(host)
    wanted = containers.specified(wish, host)
    living = current()._replace(uid=host.identity.uid)
    dead = living._replace(pid=2**22 - 1)
    for owner in (dead, living):
        left = f"{wanted.name}.creating.{str(owner).replace('/', '.')}.0123abcd"
        quay.engine.client.create_container_from_config({"Image": wish.image, "Cmd": ["sh"]}, left)
    assert len(quay.names) == 2
    containers.create(wish, host)
    assert [name for name in quay.names if str(dead.pid) in name] == []
    assert len(quay.names) == 2
    own = [row.name for row in owned.own(host) if quay.token in row.name]
    assert own == [wanted.name]


def test_a_container_that_cannot_be_replaced_runs_as_before(quay: Quay) -> None:
    host = quay.host()
    made = containers.bring_up(quay.wish(host), host)
    before = quay.described(made.name)["Id"]
    row = owned.find_own(made.name, host)
    with pytest.raises(Ds01Error, match="has no image"):
        containers.recreate(row, host, f"{quay.tag}-gone")
    assert quay.described(made.name)["Id"] == before
    with pytest.raises(ZeroDivisionError), aside(quay.engine, row):
        1 / 0  # noqa: B018
    found = quay.described(made.name)
    assert found["Id"] == before
    assert found["State"]["Running"]


def test_a_login_shell_finds_what_the_image_has_and_what_its_user_installs(quay: Quay) -> None:
    """Jupyter's terminals are login shells, and Debian's /etc/profile sets PATH anew."""
    host = quay.host()
    profile = layered.Item("etc/profile", b"PATH=/usr/bin\nexport PATH\n")
    tag = quay.laid(tools("bash", "env"), layered.tar([layered.folder("etc"), profile]))
    made = containers.bring_up(quay.wish(host, image=tag), host)
    quay.says(made.name, "bash", "-c", 'echo "echo read" > ~/.bashrc')
    plain = quay.says(made.name, "bash", "-c", "echo $PATH")
    assert plain.startswith(f"{host.identity.home}/.local/bin:")
    assert quay.says(made.name, "/bin/bash", "-lc", "echo $PATH") == f"read\n{plain}"


def broken(quay: Quay) -> str:
    """Return the tag of an image in which nothing can run."""
    return quay.laid(layered.tar([layered.folder("etc")]))


def test_what_ends_at_once_takes_nobodys_place(quay: Quay) -> None:
    host = quay.host()
    made = containers.bring_up(quay.wish(host), host)
    before = quay.described(made.name)["Id"]
    with pytest.raises(Ds01Error, match=r"ended as soon as it was started \(exit code 127\): .*sh"):
        containers.recreate(owned.find_own(made.name, host), host, broken(quay))
    found = quay.described(made.name)
    assert (found["Id"], found["State"]["Running"]) == (before, True)
    assert quay.names == [made.name]


def test_a_launch_puts_nothing_that_ends_at_once_in_the_place_of_a_stopped_one(quay: Quay) -> None:
    host = quay.host()
    wish = quay.wish(host)
    made = containers.create(wish, host)
    before = quay.described(made.name)["Id"]
    with pytest.raises(Ds01Error, match="ended as soon as it was started"):
        launching.launch(replace(wish, image=broken(quay)), host, lambda _: True)
    assert quay.described(made.name)["Id"] == before
    assert quay.names == [made.name]


def test_a_launch_takes_no_container_whose_labels_do_not_say_its_workspace(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = quay.host()
    wish = quay.wish(host)
    labels = {"ds01.managed": "true", "ds01.uid": f"{host.identity.uid}:{host.identity.gid}"}
    name = full_name(wish.name, host.identity.uid)
    body = {"Image": quay.tag, "Cmd": ["true"], "Labels": labels}
    quay.engine.client.create_container_from_config(body, name)
    monkeypatch.chdir(wish.workspace)  # where an empty path would lead
    with pytest.raises(Ds01Error, match="works on what its labels do not say"):
        launching.launch(wish, host, lambda _: True)


def test_a_container_that_ends_at_once_is_not_left(quay: Quay) -> None:
    host = quay.host()
    with pytest.raises(Ds01Error, match="ended as soon as it was started"):
        containers.bring_up(quay.wish(host, image=broken(quay)), host)
    assert quay.names == []


def test_of_several_who_replace_one_at_once_each_succeeds_or_hears_of_the_others(
    quay: Quay,
) -> None:
    host = quay.host()
    made = containers.bring_up(quay.wish(host), host)
    row = owned.find_own(made.name, host)
    names, refused = at_once(lambda _: containers.recreate(row, host).name, 4)
    assert names == [made.name]
    says = f"another command replaces the container {made.name} just now"
    assert {str(each) for each in refused} == {says}
    found = quay.described(made.name)
    assert found["Id"] != row.container_id
    assert found["State"]["Running"]
    assert quay.names == [made.name]


def test_a_container_has_given_its_name_away_before_it_is_stopped(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is killed while it ends leaves what tells that it ran."""
    host = quay.host()
    made = containers.bring_up(quay.wish(host), host)
    stop, seen = quay.engine.client.stop, []

    def watched(container: str, timeout: int) -> None:
        seen.extend(quay.names)
        stop(container, timeout=timeout)

    monkeypatch.setattr(quay.engine.client, "stop", watched)
    containers.recreate(owned.find_own(made.name, host), host)
    (name,) = seen
    assert name.startswith(f"{made.name}.ran.")


def volume(quay: Quay, name: str) -> str:
    (found,) = (each for each in quay.described(name)["Mounts"] if each["Type"] == "volume")
    return str(found["Name"])


def test_volumes_without_a_name_go_with_their_container(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = quay.host()
    wish = quay.wish(host, image=quay.derived("VOLUME /home"))
    made = containers.create(wish, host)
    volumes = [volume(quay, made.name)]
    containers.recreate(owned.find_own(made.name, host), host)
    volumes.append(volume(quay, made.name))
    name = creating._name

    def late(engine: Engine, container_id: str, _: str) -> None:
        volumes.append(volume(quay, container_id))
        name(engine, container_id, made.name)

    monkeypatch.setattr(creating, "_name", late)
    with pytest.raises(Ds01Error, match="already"):
        creating.create(quay.engine, made)
    first, second, third = volumes
    quay.engine.client.inspect_volume(second)
    for gone in (first, third):
        with pytest.raises(NotFound):
            quay.engine.client.inspect_volume(gone)


@pytest.mark.parametrize("place", ["/home", "/home/{name}", "/home/{name}/.jupyter"])
def test_nothing_is_written_through_a_link_of_an_image(quay: Quay, place: str) -> None:
    host = quay.host()
    place = place.format(name=host.identity.name)
    above = [layered.folder(str(each)[1:]) for each in Path(place).parents if each != Path("/")]
    link = layered.link(place[1:], "/workspace")
    tag = quay.laid(tools("bash"), layered.tar([*reversed(above), link]))
    wish = quay.wish(host, image=tag, port=8899)
    with pytest.raises(Ds01Error, match=f"{place} is a link in {tag}: nobody can be given a home"):
        containers.create(wish, host)
    assert quay.names == []
    assert list(Path(wish.workspace).iterdir()) == []


def test_a_container_is_replaced_with_its_workspace(quay: Quay) -> None:
    host = quay.host()
    made = containers.bring_up(quay.wish(host), host)
    quay.says(made.name, "touch", "/workspace/kept")
    before = quay.described(made.name)["Id"]
    again = containers.recreate(owned.find_own(made.name, host), host)
    found = quay.described(again.name)
    assert found["Id"] != before
    assert found["State"]["Running"]
    assert quay.says(again.name, "ls", "/workspace") == "kept"
    assert quay.names == [made.name]


def left_behind(quay: Quay, host: Host, why: str) -> tuple[Specification, str]:
    """Return a container that a dead command was to replace, and its id."""
    made = containers.create(quay.wish(host), host)
    dead = current()._replace(uid=host.identity.uid, pid=2**22 - 1)
    left = f"{made.name}.{why}.{str(dead).replace('/', '.')}.0123abcd"
    quay.engine.client.rename(made.name, left)
    return made, str(quay.described(left)["Id"])


@pytest.mark.parametrize("why", ["stopped", "ran"])
@pytest.mark.parametrize("is_new_there", [False, True])
def test_what_a_killed_replacement_left_is_put_right_by_any_command(
    quay: Quay,
    why: str,
    is_new_there: bool,  # noqa: FBT001
) -> None:
    host = quay.host()
    made, old = left_behind(quay, host, why)
    if is_new_there:
        creating.create(quay.engine, replace(made, replaces=old))
    (row,) = (row for row in owned.own(host) if quay.token in row.name)
    assert quay.names == [row.name] == [made.name]
    assert (row.container_id == old) is not is_new_there
    assert row.is_running is (why == "ran" and not is_new_there)


def test_what_was_to_be_replaced_and_was_not_is_kept_whatever_has_its_name(quay: Quay) -> None:
    host = quay.host()
    made, old = left_behind(quay, host, "ran")
    creating.create(quay.engine, made)
    rows = {row.name: row for row in owned.own(host) if quay.token in row.name}
    second = f"{made.wish.name}-2._.{host.identity.uid}"
    assert rows.keys() == {made.name, second}
    assert (rows[second].container_id, rows[second].is_running) == (old, True)


def test_nobody_else_gets_the_name_of_a_container_that_is_being_replaced(quay: Quay) -> None:
    host = quay.host()
    wish = quay.wish(host)
    made = containers.bring_up(wish, host)
    row = owned.find_own(made.name, host)
    says = f"another command replaces the container {made.name} just now"
    with aside(quay.engine, row):
        for act in (
            lambda: containers.create(wish, host),
            lambda: deploying.deploy(wish, host, "recreate"),
            lambda: launching.launch(wish, host, lambda _: True),
            lambda: owned.find(wish.name, host),
            lambda: owned.find_own(made.name, host),
        ):
            with pytest.raises(Ds01Error, match=says):
                act()
        creating.create(quay.engine, replace(made, replaces=row.container_id))
    assert quay.names == [made.name]


def test_a_container_that_another_command_has_replaced_is_left_to_that(quay: Quay) -> None:
    host = quay.host()
    made = containers.create(quay.wish(host), host)
    row = owned.find_own(made.name, host)

    def beaten() -> None:
        with aside(quay.engine, row):
            creating.create(quay.engine, replace(made, replaces=row.container_id))
            raise Ds01Error("the other one was faster")

    with pytest.raises(Ds01Error, match="another command replaces"):
        beaten()
    new, old = quay.names
    assert new == made.name
    assert old.startswith(f"{made.name}.stopped."), "that one removes it"


def test_a_container_whose_name_is_gone_when_it_is_not_replaced_is_not_lost(quay: Quay) -> None:
    host = quay.host()
    made = containers.bring_up(quay.wish(host), host)
    row = owned.find_own(made.name, host)
    second = f"{made.wish.name}-2._.{host.identity.uid}"

    def replaced_too_late() -> None:
        with aside(quay.engine, row):
            body = {"Image": quay.tag, "Cmd": ["true"]}
            quay.engine.client.create_container_from_config(body, made.name)
            containers.create(made.wish, host)

    with pytest.raises(Ds01Error, match=f"the container that was is called {second}"):
        replaced_too_late()
    assert quay.names == sorted([second, made.name])
    found = quay.described(second)
    assert (found["Id"], found["State"]["Running"]) == (row.container_id, True)


def test_who_interrupts_an_engine_that_makes_a_container_leaves_none(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, client = quay.host(), quay.engine.client
    usual = client.create_container_from_config

    def interrupted(*arguments: object) -> None:
        threading.Timer(0.5, usual, arguments).start()
        raise KeyboardInterrupt

    monkeypatch.setattr(client, "create_container_from_config", interrupted)
    with pytest.raises(KeyboardInterrupt):
        containers.create(quay.wish(host), host)
    assert quay.names == []


def test_what_is_made_for_a_container_that_fails_is_not_left(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = quay.host(0, "root")
    workspace = host.home / "workspace" / f"new-{quay.token}"

    def lost(*_: object) -> None:
        assert workspace.is_dir()
        raise KeyboardInterrupt

    monkeypatch.setattr(creating, "_furnish", lost)
    with pytest.raises(KeyboardInterrupt):
        containers.create(quay.wish(host, workspace=str(workspace)), host)
    assert not workspace.exists()
    assert quay.names == []


def test_nothing_grows_with_a_uid(quay: Quay) -> None:
    """An account that useradd makes writes lastlog at the place of its uid: some 500 GB."""
    host = quay.host()
    before = quay.engine.inspect(quay.tag)
    made = containers.bring_up(quay.wish(host), host)
    row = next(
        each
        for each in quay.engine.client.containers(size=True)
        if each["Names"] == [f"/{made.name}"]
    )
    assert row.get("SizeRw", 0) < 1 << 20
    assert quay.engine.inspect(quay.tag) == before
    assert quay.says(made.name, "ls", "/var/log/lastlog").startswith("ls: cannot access")


@pytest.mark.parametrize(("uid", "gid", "login"), [(1000, 44, "12345"), (5000, 1000, "ubuntu")])
def test_uids_gids_and_names_that_the_image_has_are_no_trouble(
    uid: int, gid: int, login: str, quay: Quay
) -> None:
    """The image has ubuntu (1000) and video (44): whoever comes with these has a name anyway."""
    host = quay.host(uid, login)
    host = replace(host, identity=replace(host.identity, gid=gid))
    made = containers.bring_up(quay.wish(host), host)
    name = {"12345": "u12345", "ubuntu": "ubuntu_2"}[login]
    assert quay.says(made.name, "id", "-un") == name
    assert quay.says(made.name, "id", "-u") == str(uid)
    assert quay.says(made.name, "id", "-g") == str(gid)
    assert quay.says(made.name, "id", "-gn") == {"12345": "u12345", "ubuntu": "ubuntu"}[login]
    quay.says(made.name, "bash", "-c", "touch ~/made")
    assert quay.says(made.name, "bash", "-c", "ls ~") == "made"


def test_a_container_of_an_earlier_build_is_told_from_one_of_the_current(quay: Quay) -> None:
    host = quay.host()
    row = owned.find_own(containers.create(quay.wish(host), host).name, host)
    assert renewal(row, host).state == "current"
    tars, newer = [tar({"new": b"1"})], f"{quay.tag}-new"
    load(quay.engine, image(tars), Tars.of(tars), [newer])
    assert renewal(row, host, newer).state == "old"
    assert renewal(row, host, f"{quay.tag}-gone").state == "image gone"
    assert renewal(replace(row, labels={}), host).state == "unknown"


def test_a_container_stops_at_once(quay: Quay) -> None:
    host = quay.host()
    made = containers.bring_up(quay.wish(host), host)
    begun = time.monotonic()
    engines.stop(quay.engine, made.name)
    assert time.monotonic() - begun < 5
    assert quay.described(made.name)["State"]["Running"] is False


def test_labels_that_anybody_wrote_are_no_wish() -> None:
    good = Wish(name="a", image="b", workspace="/c")
    labels = {
        "ds01.managed": "true",
        "ds01.name": good.name,
        "ds01.image": good.image,
        "ds01.work_mount": good.workspace,
    }
    assert read(labels) is not None
    for key, value in (
        ("ds01.managed", "yes"),
        ("ds01.name", "../x"),
        ("ds01.image", ""),
        ("ds01.work_mount", "relative"),
        ("ds01.data_mount", "a\nb"),
    ):
        assert read({**labels, key: value}) is None


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("ds01.base=docker.io/aimehub/pytorch-2.8.0-cuda12.6.3:latest", ("Pytorch-2.8.0", "CUDA")),
        ("ds01.base=docker.io/library/python:3.12-slim", ("-", "-")),
        ("ds01.framework=Tensorflow-2.14.0", ("Tensorflow-2.14.0", "-")),
    ],
)
def test_labels_say_which_framework_is_below_the_image(
    quay: Quay, label: str, said: tuple[str, str]
) -> None:
    host = quay.host()
    wish = quay.wish(host, image=quay.derived(f"LABEL {label}"))
    labels = labels_of(containers.specified(wish, host))
    assert labels["ds01.framework"] == said[0]
    assert labels["ds01.arch"].partition("_")[0] == said[1]
