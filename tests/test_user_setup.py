"""``user-setup`` says how a user stands, and makes what he agrees to, once."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from images import SCRIPT
from terminals import ENTER, INTERRUPT, terminal

from ds01build.container import Identity, furnishing
from ds01build.errors import Ds01Error
from ds01build.workflow import arriving, doctor, hosts

if TYPE_CHECKING:
    from world import Outcome, World

pytest_plugins = ("world_fixtures",)

SETUP = SCRIPT.with_name("user-setup")
needs_ssh = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")


def home(world: World) -> Path:
    return Path(world.environment["HOME"])


def setup(world: World, *words: str) -> Outcome:
    return world.ds01("user", "setup", *words)


def answer(world: World, *words: str) -> dict[str, Any]:
    outcome = setup(world, "--json", *words)
    assert outcome.code == 0, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)
    return found


def states(found: dict[str, Any]) -> dict[str, str]:
    return {each["topic"]: each["state"] for each in found["checks"]}


def rows(found: dict[str, Any], topic: str) -> list[tuple[str, str, str | None]]:
    told = (each for each in found["checks"] if each["topic"] == topic)
    return [(each["state"], each["says"], each["remedy"]) for each in told]


def keys(world: World) -> Path:
    """Return ``~/.ssh``, which is made."""
    directory = home(world) / ".ssh"
    directory.mkdir(mode=0o700)
    return directory


def left(world: World) -> set[str]:
    return {path.name for path in home(world).iterdir()}


def test_without_a_terminal_it_only_says_how_one_stands(world: World) -> None:
    before = left(world)
    found = answer(world)
    assert found["made"] == []
    assert states(found)["workspace"] == "warning"
    assert states(found)["ssh"] == "warning"
    assert left(world) == before
    text = setup(world).out
    assert "do: mkdir -- " in text
    assert str(world.store) in text


def test_it_says_who_one_is_in_containers(world: World) -> None:
    found = answer(world)
    who = hosts.host({}, home(world), lambda _: None).identity
    assert (found["login"], found["uid"]) == (who.login, who.uid)
    assert found["in_containers"] == {"name": who.name, "home": who.home}


@needs_ssh
def test_what_lacks_is_made_once(world: World) -> None:
    made = answer(world, "--yes")["made"]
    workspace, key = home(world) / "workspace", home(world) / ".ssh/id_ed25519"
    assert made == [str(workspace), str(key)]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert key.with_suffix(".pub").read_text().startswith("ssh-ed25519 ")
    before = key.read_bytes()
    again = answer(world, "--yes")
    assert again["made"] == []
    assert states(again)["ssh"] == "ok"
    assert key.read_bytes() == before


@pytest.mark.parametrize("name", ["id_rsa", "id_ed25519_sk"])
def test_who_has_a_key_gets_no_other(world: World, name: str) -> None:
    (home(world) / ".ssh").mkdir()
    (home(world) / ".ssh" / name).write_text("x")
    assert answer(world, "--yes")["made"] == [str(home(world) / "workspace")]
    assert [path.name for path in (home(world) / ".ssh").iterdir()] == [name]


@pytest.mark.parametrize("name", ["id", "id.pub"])
def test_no_key_is_ever_made_over_another_or_its_public_half(world: World, name: str) -> None:
    machine = doctor.machine(world.environment, home(world))
    key = home(world) / name
    key.write_text("x")
    with pytest.raises(Ds01Error, match=f"{name} exists, and stays as it is") as caught:
        arriving.make_key(machine, home(world) / "id", asks=False)
    assert caught.value.hint == f"ls -ld -- {key}"
    assert key.read_text() == "x"
    assert not {"id", "id.pub"} <= left(world)


@pytest.mark.parametrize("name", ["id_ed25519.pub", "id_ed25519_sk.pub", "token.pub"])
def test_a_public_half_alone_is_a_key_that_is_kept_elsewhere(world: World, name: str) -> None:
    half = keys(world) / name
    half.write_text("ssh-ed25519 AAAAC3Nz me\n")
    found = answer(world, "--yes", "--ssh-key")
    assert rows(found, "ssh") == [("ok", f"{half}: its private half is kept elsewhere", None)]
    assert [path.name for path in half.parent.iterdir()] == [name]
    assert half.read_text() == "ssh-ed25519 AAAAC3Nz me\n"


@pytest.mark.parametrize(
    "kind", ["OPENSSH PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "PRIVATE KEY"]
)
def test_a_key_of_any_name_is_a_key(world: World, kind: str) -> None:
    key = keys(world) / "work_key"
    key.write_text(f"-----BEGIN {kind}-----\n")
    (key.parent / "work_key.pub").write_text("ssh-rsa AAAAB3Nz me\n")
    (key.parent / "known_hosts").write_text("host ssh-rsa AAAAB3Nz\n")
    (key.parent / "work_key-cert.pub").write_text("ssh-rsa-cert-v01@openssh.com AAAAB3Nz\n")
    found = answer(world, "--yes", "--ssh-key")
    assert rows(found, "ssh") == [("ok", str(key), None)]
    assert not (key.parent / "id_ed25519").exists()


@needs_ssh
def test_what_is_no_key_keeps_none_from_being_made(world: World) -> None:
    directory = keys(world)
    (directory / "config").write_text("Host x\n")
    (directory / "known_hosts.pub").write_text("host ssh-rsa AAAAB3Nz\n")
    os.mkfifo(directory / "pipe")  # nobody waits for it
    assert answer(world, "--ssh-key")["made"] == [str(directory / "id_ed25519")]


@pytest.mark.parametrize("name", ["id_ed25519", "id_ed25519.pub", "id_rsa"])
@pytest.mark.parametrize("is_link", [True, False])
def test_a_name_of_a_key_without_one_is_told_and_stays(
    world: World, name: str, *, is_link: bool
) -> None:
    place = keys(world) / name
    if is_link:
        place.symlink_to("gone")
    else:
        place.mkdir()
    found = answer(world, "--yes", "--ssh-key")
    shown = f"{place}, a link to gone" if is_link else str(place)
    says = f"{shown}: no key, and none is made there"
    assert rows(found, "ssh") == [("warning", says, f"ls -ld -- {place}")]
    assert [path.name for path in place.parent.iterdir()] == [name]


@needs_ssh
def test_no_key_is_made_where_others_may_write(world: World) -> None:
    directory = keys(world)
    for mode in (0o777, 0o770):
        directory.chmod(mode)
        found = answer(world, "--yes", "--ssh-key")
        says = f"others may write to {directory} (mode 0{mode:o}): no key is safe there"
        assert rows(found, "ssh") == [("problem", says, f"chmod 700 -- {directory}")]
        assert list(directory.iterdir()) == []
        machine = doctor.machine(world.environment, home(world))
        with pytest.raises(Ds01Error, match="others may write"):
            arriving.make_key(machine, directory / "id", asks=False)
    directory.chmod(0o700)
    assert answer(world, "--ssh-key")["made"] == [str(directory / "id_ed25519")]
    directory.chmod(0o777)
    assert [state for state, _, _ in rows(answer(world), "ssh")] == ["ok", "problem"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a directory away")
def test_no_key_is_made_in_a_directory_of_another_user(world: World) -> None:
    directory = keys(world)
    os.chown(directory, 65534, 65534)
    ((state, says, remedy),) = rows(answer(world, "--yes", "--ssh-key"), "ssh")
    assert (state, remedy) == ("problem", f"ls -ldL -- {directory}")
    assert "belongs to uid 65534" in says
    assert list(directory.iterdir()) == []


def test_no_key_is_made_behind_a_link(world: World) -> None:
    elsewhere = world.root / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    directory = home(world) / ".ssh"
    directory.symlink_to(elsewhere)
    found = answer(world, "--yes", "--ssh-key")
    says = f"no key in {directory}, a link to {elsewhere}: none is made behind a link"
    assert rows(found, "ssh") == [("warning", says, "ssh-keygen -t ed25519")]
    machine = doctor.machine(world.environment, home(world))
    with pytest.raises(Ds01Error, match="no key is made behind one"):
        arriving.make_key(machine, directory / "id", asks=False)
    assert list(elsewhere.iterdir()) == []
    (elsewhere / "id_rsa").write_text("x")
    assert rows(answer(world), "ssh") == [("ok", str(directory / "id_rsa"), None)]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_place_of_keys_that_is_no_directory_is_one_row(world: World, kind: str) -> None:
    place = home(world) / ".ssh"
    if kind == "file":
        place.write_text("x")
    else:
        place.symlink_to("gone")
    found = answer(world, "--yes", "--ssh-key")
    ((state, says, remedy),) = rows(found, "ssh")
    assert (state, remedy) == ("problem", f"ls -ldL -- {place}")
    assert says.endswith(": no directory, so that there can be no key")
    assert states(found)["workspace"] == "ok"


def test_what_cannot_be_made_is_told_after_the_report(world: World) -> None:
    world.variables["PATH"] = str(world.root / "nothing")
    outcome = setup(world, "--yes", "--json")
    assert outcome.code == 4
    assert outcome.answer["made"] == [str(home(world) / "workspace")]
    assert states(outcome.answer)["ssh"] == "warning"
    says = ["error: ssh-keygen is not installed", "hint:  sudo apt-get install openssh-client"]
    assert outcome.complaint == says


def test_flags_decide_one_by_one(world: World) -> None:
    assert answer(world, "--yes", "--no-ssh-key")["made"] == [str(home(world) / "workspace")]
    assert "ssh" not in {name.strip(".") for name in left(world)}
    (home(world) / "workspace").rmdir()
    assert answer(world, "--workspace")["made"] == [str(home(world) / "workspace")]


def test_quick_makes_nothing(world: World) -> None:
    before = left(world)
    assert answer(world, "--quick")["made"] == []
    with terminal([SETUP, "--quick"], world.environment, world.root) as shown:
        assert shown.end() == 0
    assert left(world) == before


@needs_ssh
def test_a_person_agrees_to_each_and_chooses_a_passphrase(world: World) -> None:
    with terminal([SETUP], world.environment, world.root) as shown:
        shown.answer("Make ~/workspace?", ENTER)
        shown.answer("Make an ssh key", ENTER)
        shown.answer("passphrase (empty for no passphrase)", "secret", ENTER)
        shown.answer("same passphrase again", "secret", ENTER)
        assert shown.end() == 0
    assert (home(world) / ".ssh/id_ed25519").exists()
    assert "secret" not in shown.text
    assert "Begin a project: project-init" in shown.text


def test_who_declines_gets_nothing(world: World) -> None:
    before = left(world)
    with terminal([SETUP], world.environment, world.root) as shown:
        shown.answer("Make ~/workspace?", "n", ENTER)
        shown.answer("Make an ssh key", "n", ENTER)
        assert shown.end() == 0
    assert left(world) == before
    with terminal([SETUP], world.environment, world.root) as shown:
        shown.answer("Make ~/workspace?", INTERRUPT)
        assert shown.end() == 130
    assert left(world) == before


def test_a_workspace_that_is_none_is_told(world: World) -> None:
    path = home(world) / "workspace"
    path.write_text("x")
    found = answer(world, "--yes", "--no-ssh-key")
    assert found["made"] == []
    says = f"{path}: no directory that you may write to"
    assert rows(found, "workspace") == [("warning", says, f"ls -ldL -- {path}")]


def test_a_workspace_may_be_a_link_to_a_directory_and_is_told_as_one(world: World) -> None:
    path, disk = home(world) / "workspace", world.root / "disk"
    path.symlink_to(disk)
    found = answer(world, "--yes", "--no-ssh-key")
    says = f"{path}, a link to {disk}, which is not there"
    assert rows(found, "workspace") == [("warning", says, f"mkdir -p -- {disk}")]
    disk.mkdir()
    outcome = world.ds01("project", "init", "thesis", "--quick", "--no-git")
    assert outcome.code == 0, outcome.err
    says = f"{path}, a link to {disk}: 1 directory"
    assert rows(answer(world), "workspace") == [("ok", says, None)]


@pytest.mark.parametrize(("login", "uid"), [("games", 5001), ("games", 5), ("anna", 5001)])
def test_a_login_that_images_have_is_told_with_the_name_that_a_container_gives_it(
    world: World, monkeypatch: pytest.MonkeyPatch, login: str, uid: int
) -> None:
    who = Identity(uid=uid, gid=uid, login=login)
    monkeypatch.setattr(arriving, "identity", lambda: who)
    machine = doctor.machine(world.environment, home(world))
    (you,) = (each for each in arriving.look(machine) if each.topic == "you")
    image = {"etc/passwd": "games:x:5:60:games:/usr/games:/usr/sbin/nologin\n"}
    with tarfile.open(fileobj=io.BytesIO(furnishing(who, image, shell="/bin/sh"))) as made:
        file = made.extractfile("etc/passwd")
        assert file is not None
        name = file.read().decode().partition(":")[0]
    says = f"{login} (uid {uid}, gid {uid}); {login}, at /home/{login}, in containers"
    told = "" if name == login else f", and {name} where the image has a {login} of its own"
    assert you.says == says + told


def test_a_configuration_that_is_not_valid_is_one_row_and_no_end(world: World) -> None:
    path = home(world) / ".config/ds01/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text("[nosuch]\n")
    outcome = world.ds01("doctor", "--offline", "--json")
    assert outcome.code == 3
    rows = json.loads(outcome.out)["checks"]
    assert rows[0]["state"] == "problem"
    assert "unknown table" in rows[0]["says"]
    assert {each["topic"] for each in rows} >= {"store", "apt", "git"}
