"""``user-setup`` says how a user stands, and makes what he agrees to, once."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from images import SCRIPT
from terminals import ENTER, INTERRUPT, terminal

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


def test_no_key_is_ever_made_over_another(world: World) -> None:
    machine = doctor.machine(world.environment, home(world))
    key = home(world) / "id"
    key.write_text("x")
    with pytest.raises(Ds01Error, match="exists, and stays as it is"):
        arriving.make_key(machine, key, asks=False)
    assert key.read_text() == "x"


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
    (home(world) / "workspace").write_text("x")
    found = answer(world, "--yes", "--no-ssh-key")
    assert found["made"] == []
    assert states(found)["workspace"] == "warning"


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
