"""Engines that are absent, closed, full or die, and tiers that fail in one, through ds01."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import secrets
import shutil
import signal
import socket
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import served_images as served
import tomli
from engines import clean, place
from images import Ended, require, run, succeed
from layered import Item, tar
from private_engines import private
from registries import address, docker_config
from served_images import Shelf
from servers import content, status, truncated
from test_cli_secrets import holders, watched
from tools_image import tools
from world import NUMBERS, SCRIPT, Outcome, World, ended, guarded, is_shown_safely, wait_until

from ds01build.engine import intermediate, sandbox
from ds01build.engine.owner import Owner
from ds01build.store import roots

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from servers import Route

    from ds01build.engine.api import Engine

pytest_plugins = ("world_fixtures", "engine_fixtures")

FILES = '[tiers.data]\nkind = "files"\nfiles = [{ from = "data", to = "/etc/data" }]\n'
one_kind = pytest.mark.parametrize("engine", ["graph"], indirect=True)
A_VOLUME = "a volume of the base, which is no part of an image"
SLEEP = "echo asleep; sleep 1000"
REF = "org.opencontainers.image.ref.name"


@dataclass(frozen=True)
class Yard:
    """A user whose recipe stands on the image of tools, and the engine of that user."""

    world: World
    shelf: Shelf
    name: str

    def write(self, *tiers: str, more: str = "") -> None:
        head = f'schema = 1\nname = "{self.name}"\n\n[base]\nimage = "{self.shelf.reference}"\n\n'
        self.world.write(head + "\n".join(tiers) + more)

    def use(self, host: str) -> None:
        self.world.variables["DOCKER_HOST"] = host

    def build(self, *options: str) -> Outcome:
        return self.world.ds01("build", *options, "demo.toml")

    def builds(self, *options: str) -> Any:  # noqa: ANN401 (JSON)
        outcome = self.build("--json", *options)
        assert outcome.code == 0, outcome.err
        return outcome.answer

    def refuses(self, code: int, *options: str) -> list[str]:
        """Build what must fail with ``code`` and leave nothing; return the message."""
        return self.refused(code, self.build(*options))

    def refused(self, code: int, outcome: Outcome) -> list[str]:
        assert outcome.code == code, outcome.err
        assert outcome.out == ""
        assert "Traceback" not in outcome.err
        assert is_shown_safely(outcome.err), ascii(outcome.err)
        assert self.name not in self.names(), "an image has the name"
        return outcome.complaint

    def names(self) -> dict[str, str]:
        """Return which image each name of the store stands for."""
        rows = json.loads((self.world.store / "index.json").read_bytes())["manifests"]
        return {row["annotations"][REF]: row["digest"] for row in rows}

    def logs(self) -> list[Path]:
        return sorted((self.world.store / "logs").glob("*"))


def commands(*texts: str, tier: str = "work") -> str:
    return f'[tiers.{tier}]\nkind = "run"\ncommands = {json.dumps(texts)}\n'


@pytest.fixture
def yard(world: World) -> Yard:
    shelf = Shelf(world.index.server, f"tools/{next(NUMBERS)}")
    shelf.show(served.packed([tools()]))
    world.lock.unlink()
    return Yard(world, shelf, f"fault-{secrets.token_hex(4)}")


@pytest.fixture
def there(yard: Yard, engine: Engine) -> Iterator[Yard]:
    """Yield a user with an engine, of each kind in turn."""
    yard.use(place(engine.kind))
    yield yard
    clean(engine, f"ds01-{os.geteuid()}/{yard.name}")


def sandboxes(engine: Engine, pid: int) -> list[str]:
    """Return the containers that a process has made."""
    found = engine.client.containers(all=True, filters={"label": sandbox.LABEL})
    owners = {each["Id"]: Owner.parse(each["Labels"][sandbox.LABEL]) for each in found}
    return [name for name, owner in owners.items() if owner and owner.pid == pid]


def intermediates(engine: Engine, pid: int) -> list[str]:
    """Return the images without a name that a process has made."""
    builders = {
        str(each.engine_id): intermediate.Builder.parse(each.labels[intermediate.LABEL])
        for each in engine.images(intermediate.LABEL)
    }
    return [name for name, builder in builders.items() if builder and builder.owner.pid == pid]


def tags(engine: Engine, yard: Yard) -> list[str]:
    return [tag for image in engine.images() for tag in image.tags if yard.name in tag]


def executions(*outcomes: Outcome) -> int:
    return sum(outcome.err.splitlines().count("executing tier work") for outcome in outcomes)


def asleep(yard: Yard) -> subprocess.Popen[str]:
    """Start a build, and return it when its tier is being executed."""
    yard.write(commands(SLEEP))
    process = yard.world.start("build", "demo.toml")
    wait_until(lambda: is_asleep(yard) or process.poll() is not None, 60)
    if not is_asleep(yard):
        pytest.fail(ended(process).err)
    return process


def is_asleep(yard: Yard) -> bool:
    return any("asleep" in log.read_text() for log in yard.logs())


# Without an engine


def test_without_an_engine_what_needs_none_is_built_into_the_store(yard: Yard) -> None:
    yard.world.write("x", "data")
    yard.write(FILES)
    place = f"{yard.world.root}/no-engine.sock (from DOCKER_HOST): No such file or directory"
    for _ in range(2):  # what is made, and what there is already
        outcome = yard.build()
        assert (outcome.code, outcome.out.strip()) == (
            0,
            f"oci:{yard.world.store}:{yard.name}@{yard.names()[yard.name]}",
        )
        notes = outcome.err.splitlines()
        assert notes.count(f"the image is not loaded: no engine answers at {place}") == 1
    assert yard.build("--quiet").err == f"the image is not loaded: no engine answers at {place}\n"
    before = yard.names()
    yard.world.write("y", "data")
    outcome = yard.build("--load")
    assert (outcome.code, outcome.out) == (4, "")
    message, hint = outcome.complaint
    assert message.startswith(f"error: no engine answers at {yard.world.root}/no-engine.sock (from")
    assert hint == (
        "hint:  DOCKER_HOST names a socket that is not there: unset DOCKER_HOST, or name another: "
        "export DOCKER_HOST=unix:///PATH"
    )
    assert yard.names() == before


def test_a_tier_that_has_to_be_executed_needs_an_engine_before_anything_is_fetched(
    yard: Yard,
) -> None:
    yard.write(commands("true"))
    assert yard.world.ds01("lock", "demo.toml").code == 0
    assert yard.world.ds01("plan", "demo.toml").code == 0
    yard.shelf.server.requests.clear()
    for options in ((), ("--load",), ("--no-load",)):
        message, hint = yard.refuses(4, *options)
        assert "no engine answers at" in message
        assert "unset DOCKER_HOST" in hint
        assert "--load" in options or "tier work is executed in a container engine" in message
    assert yard.shelf.server.requests == []


def test_rebase_takes_what_the_tag_is_by_now_and_lock_does_not(yard: Yard) -> None:
    def base() -> Any:  # noqa: ANN401 (TOML)
        return tomli.loads(yard.world.lock.read_text())["base"]

    yard.world.write("x", "data")
    yard.write(FILES)
    yard.builds("--no-load")
    old = base()
    newer = served.packed([tools(), tar([Item("opt/newer", b"x")])])
    yard.shelf.show(newer)
    yard.write(FILES, more="\n[image]\nworkdir = '/w'\n")
    assert yard.world.ds01("lock", "demo.toml").code == 0
    assert base() == old
    text = yard.world.recipe.read_text()
    outcome = yard.world.ds01("rebase", "demo.toml", "--build", "--no-load", "--json")
    assert outcome.code == 0, outcome.err
    assert [layer["action"] for layer in outcome.answer["built"]["layers"]] == ["reused"]
    assert base()["manifest"] != old["manifest"]
    assert outcome.answer["packages"] == []
    assert [each for each in outcome.answer["settings"] if each["field"] == "base.manifest"] == [
        {"field": "base.manifest", "before": old["manifest"], "after": base()["manifest"]}
    ]
    assert len(base()["layer"]) == 2
    assert yard.world.recipe.read_text() == text
    other = Shelf(yard.world.index.server, f"other/{next(NUMBERS)}")
    other.show(served.packed([tools()]))
    outcome = yard.world.ds01("rebase", "demo.toml", "--to", other.reference)
    assert outcome.code == 0, outcome.err
    assert yard.world.recipe.read_text() == text.replace(yard.shelf.reference, other.reference)
    assert base() == {**old, "image": other.reference}


@pytest.fixture
def nobody() -> Iterator[Path]:
    """Yield a directory of another user, outside of what is root's alone."""
    require("setpriv", root=True)
    root = Path(tempfile.mkdtemp(prefix="ds01-nobody-"))
    for name in ("", "home", "project", "store"):
        (root / name).mkdir(exist_ok=True)
        (root / name).chmod(0o700 if name else 0o755)
        os.chown(root / name, 65534, 65534)
    yield root
    shutil.rmtree(root)


def test_a_socket_without_permission_is_told_with_who_may_use_it(yard: Yard, nobody: Path) -> None:
    yard.world.write("x", "data")
    yard.write(FILES)
    for name in ("demo.toml", "data"):
        shutil.copyfile(yard.world.recipe.with_name(name), nobody / "project" / name)
        os.chown(nobody / "project" / name, 65534, 65534)
    path = nobody / "engine.sock"
    environment = {
        **yard.world.environment,
        "HOME": str(nobody / "home"),
        "DS01_STORE": str(nobody / "store"),
        "DOCKER_HOST": f"unix://{path}",
    }
    user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")

    def ds01(*words: str) -> Ended:
        return run(*user, SCRIPT, *words, environment=environment, cwd=nobody / "project")

    if ds01("--version").code != 0:
        pytest.skip(f"another user cannot start {SCRIPT}")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        path.chmod(0o600)
        listening.listen()
        needed = ds01("build", "--load", "demo.toml")
        assert (needed.code, needed.out) == (4, ""), needed.err
        message, hint = needed.err.splitlines()[-2:]
        origin = f"{path} (from DOCKER_HOST)"
        assert message == f"error: no permission to use the engine's socket {origin}"
        assert "only root may use it: " in hint
        left = ds01("build", "demo.toml")
        assert left.code == 0, left.err
        assert left.out.startswith(f"oci:{nobody}/store:{yard.name}@")
        assert "the image is not loaded: no permission to use the engine's socket" in left.err


# Tiers that fail


@one_kind
def test_a_failing_command_is_shown_and_leaves_its_log_alone(there: Yard, engine: Engine) -> None:
    there.write(commands("echo first", "echo one; echo two; printf '\\033[31mred\\n'; exit 7"))
    outcomes = [there.build(), there.build()]
    for outcome in outcomes:
        message = there.refused(1, outcome)
        assert message[0].startswith("error: work: ")
        assert message[0].endswith("ended with status 7")
        assert [line.removeprefix("error: ") for line in message[-4:-1]] == [
            "one",
            "two",
            "?[31mred",
        ]
        log = Path(message[-1].removeprefix("hint:  less "))
        assert log.read_bytes() == b"first\none\ntwo\n\x1b[31mred\n"
        assert log.stat().st_mode & 0o077 == 0
    assert len(there.logs()) == 2
    assert executions(*outcomes) == 2, "the outcome of a failure was remembered"
    assert tags(engine, there) == []
    there.write(commands("echo first"))
    assert there.builds()["layers"][-1]["action"] == "ran"
    assert len(there.logs()) == 2, "a log of success was kept"


@pytest.mark.parametrize(
    ("network", "helps"),
    [
        ("", "a tier gets a network with: network = true"),
        (
            "network = true\n",
            "if this machine gets there itself: export DS01_ENGINE_NETWORK=host",
        ),
    ],
)
def test_a_tier_that_reaches_nobody_is_told_how(there: Yard, network: str, helps: str) -> None:
    there.write(commands("echo 'Could not resolve host: example.org' >&2; exit 6") + network)
    outcome = there.build()
    # An engine that was started without a bridge says so before anything is executed.
    message = there.refused(4 if "the engine refused: " in outcome.err else 1, outcome)
    assert message[0].startswith("error: work: ")
    assert message[-1].startswith("hint:  ")
    assert message[-1].endswith(helps)
    there.world.variables["DS01_ENGINE_NETWORK"] = "host"
    if network:
        assert "network" not in there.refuses(1)[-1]


def test_what_is_written_below_a_volume_is_named(there: Yard) -> None:
    there.shelf.show(served.packed([tools()], container={"Volumes": {"/data/a": {}}}))
    there.write(commands("echo x >/file"))
    assert there.builds()["layers"][-1]["action"] == "ran", "an engine makes it, not the image"
    there.write(commands("mkdir -p /data/a; echo x >/data/a/file"))
    outcome = there.build()
    assert outcome.code == 1
    assert outcome.complaint == [
        f"error: work: '/data/a/file' is below /data/a, {A_VOLUME}",
        "hint:  write to another directory, or use a base without that VOLUME",
    ]


@pytest.mark.parametrize("tool", ["tar", "find"])
def test_a_tier_that_removes_what_captures_it_is_told(
    yard: Yard, graph_engine: Engine, tool: str
) -> None:
    yard.use(place("graph"))
    yard.write(commands(f"rm /usr/bin/{tool}"))
    message = yard.refuses(1)
    assert message == [
        f"error: work: the commands left no {tool} that runs, which it takes to capture a tier"
    ]
    assert tags(graph_engine, yard) == []


@pytest.mark.parametrize(
    ("text", "character"), [("echo a\\u0000b", "U+0000"), ("true\\u000aRUN evil", "U+000A")]
)
def test_a_command_is_one_line_of_printable_text(yard: Yard, text: str, character: str) -> None:
    yard.write(commands("TEXT").replace("TEXT", text))
    (message,) = yard.refuses(1)
    assert message.startswith("error: demo.toml: tiers.work.commands[0]: ")
    assert character in message or "is not a command" in message


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_nothing_in_the_engine(
    there: Yard, engine: Engine, number: signal.Signals
) -> None:
    process = asleep(there)
    assert len(sandboxes(engine, process.pid)) == 1
    process.send_signal(number)
    outcome = ended(process, 30)
    there.refused(130, outcome)
    assert outcome.err.splitlines()[-1] == "interrupted"
    assert sandboxes(engine, process.pid) == []
    assert intermediates(engine, process.pid) == []
    assert tags(engine, there) == []


@pytest.mark.parametrize("tier", [commands("echo x >/x"), FILES], ids=["executed", "native"])
def test_what_a_killed_build_left_in_the_engine_goes_with_the_next(
    there: Yard, engine: Engine, tier: str
) -> None:
    process = asleep(there)
    process.kill()
    ended(process)
    assert len(sandboxes(engine, process.pid)) == 1
    assert len(intermediates(engine, process.pid)) == 1
    there.world.write("x", "data")
    there.write(tier)
    there.builds()
    assert sandboxes(engine, process.pid) == []
    assert intermediates(engine, process.pid) == []


@pytest.mark.parametrize("host", ["tcp://127.0.0.1:1", "ssh://there", "file:///etc", "unix://x"])
def test_a_place_where_no_engine_can_be_is_told(yard: Yard, host: str) -> None:
    yard.world.write("x", "data")
    yard.write(FILES)
    yard.use(host)
    assert yard.builds()["image"]["reference"].startswith("oci:")
    outcome = yard.build("--load")
    assert (outcome.code, outcome.out) == (4, ""), outcome.err
    assert sum(line.startswith("error:") for line in outcome.complaint) == 1
    assert outcome.complaint[-1].startswith("hint:")


def test_two_builds_at_once_execute_a_tier_once(there: Yard) -> None:
    there.write(commands("sleep 1; echo x >/x"))
    assert there.world.ds01("lock", "demo.toml").code == 0
    outcomes = [ended(each) for each in [there.world.start("build", "demo.toml") for _ in "ab"]]
    assert [outcome.code for outcome in outcomes] == [0, 0], [o.err for o in outcomes]
    assert outcomes[0].out == outcomes[1].out
    assert executions(*outcomes) == 1, [o.err for o in outcomes]


# Base layers that the engine needs


LIES: tuple[Any, ...] = (
    (lambda blob: content(bytes(len(blob))), 1, "expected sha256:"),
    (lambda _: status(404), 1, "its registry no longer has layer "),
    (lambda _: status(401), 4, "does not let you read"),
    pytest.param(lambda blob: truncated(blob, 9), 4, "the connection ", marks=pytest.mark.slow),
    pytest.param(lambda _: status(500), 4, "the server answered 500", marks=pytest.mark.slow),
)


@pytest.mark.parametrize(("lie", "code", "says"), LIES, ids=["other", "404", "401", "cut", "500"])
def test_layers_of_a_base_are_fetched_for_an_engine_and_are_the_locked_ones(
    yard: Yard, graph_engine: Engine, lie: Callable[[bytes], Route], code: int, says: str
) -> None:
    made = served.packed([tar([Item("etc/note", secrets.token_bytes(50_000))])])
    yard.shelf.show(made)
    yard.world.write("x", "data")
    yard.write(FILES)
    digest = yard.builds("--no-load")["image"]["digest"]
    (blob,) = made.blobs.values()
    path = yard.shelf.blob(address(blob))
    honest, yard.shelf.server.routes[path] = yard.shelf.server.routes[path], lie(blob)
    yard.use(place("graph"))
    try:
        outcome = yard.build()
        assert (outcome.code, outcome.out) == (code, ""), outcome.err
        assert says in outcome.complaint[0], outcome.complaint
        whom = "run it again; if it stays so, ask who runs " in outcome.complaint[-1]
        assert whom == says.startswith("expected"), outcome.complaint
        assert ("docker login" in outcome.complaint[-1]) == (says in LIES[2][2]), outcome.complaint
        assert is_shown_safely(outcome.err)
        assert "Traceback" not in outcome.err
        assert tags(graph_engine, yard) == []
        yard.shelf.server.routes[path] = honest
        assert yard.builds()["image"]["digest"] == digest == yard.names()[yard.name]
        assert tags(graph_engine, yard)
    finally:
        clean(graph_engine, f"ds01-{os.geteuid()}/{yard.name}")


# What strangers write

HOSTILE = "--privileged $(touch /pwned) `touch /pwned` '\"; touch /pwned #"


@one_kind
def test_hostile_text_is_text_to_commands_and_to_dockerfiles(there: Yard, engine: Engine) -> None:
    container = {
        "Env": [served.PATH, f"BASE={HOSTILE}", "NEXT=a\nRUN touch /pwned"],
        "Labels": {"--label\nRUN touch /pwned": "\x1b[31m" + HOSTILE, "b": "\u202e"},
    }
    there.shelf.show(served.packed([tools()], container=container))
    own = f"\n[image]\nenv = {{ OWN = {json.dumps(HOSTILE)} }}\n"
    there.write(commands('printf \'%s|\' "$BASE" "$OWN" "$NEXT" >/out'), more=own)
    layer = there.builds()["layers"][-1]
    files = unpacked(there.world.blob(layer["digest"]))
    assert files == {"out": f"{HOSTILE}|{HOSTILE}|a\nRUN touch /pwned|".encode()}
    config = engine.inspect(f"ds01-{os.geteuid()}/{there.name}:latest")
    assert config is not None
    assert config.labels["--label\nRUN touch /pwned"] == "\x1b[31m" + HOSTILE
    written = there.world.ds01("dockerfile", "-o", "out", "demo.toml")
    assert written.code == 0, written.err
    texts = [p.read_text() for p in (there.world.recipe.parent / "out").glob("*") if p.is_file()]
    assert any("FROM " in text for text in texts)
    assert not [text for text in texts if "\nRUN touch" in text]


def unpacked(blob: bytes) -> dict[str, bytes]:
    """Return the files of a layer."""
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob))) as archive:
        files = [member for member in archive if member.isfile()]
        return {each.name: archive.extractfile(each).read() for each in files}  # type: ignore[union-attr]


PASSWORD = "hunter2-and-more"
FORMS = (PASSWORD.encode(), base64.b64encode(f"user:{PASSWORD}".encode()))


@one_kind
def test_passwords_of_registries_and_proxies_are_nowhere_afterwards(there: Yard) -> None:
    world, shelf = there.world, there.shelf
    for path, route in list(shelf.server.routes.items()):
        if f"/v2/{shelf.repository}/" in path:
            shelf.server.routes[path] = guarded(route, PASSWORD)
    docker = world.root / "docker"
    docker.mkdir()
    host = shelf.reference.partition("/")[0]
    docker_config(docker, host, "user", PASSWORD)
    world.variables.update(
        DOCKER_CONFIG=str(docker),
        DS01_DEBUG="1",
        http_proxy=f"http://user:{PASSWORD}@127.0.0.1:9",
        https_proxy=f"http://user:{PASSWORD}@127.0.0.1:9",
        no_proxy="127.0.0.1",
    )
    check = f'case "$https_proxy" in *{PASSWORD[:7]}*) echo seen >/seen;; esac; exit 3'
    there.write(commands(check))
    failed, arguments = watched(world, "build", "demo.toml")
    there.refused(1, failed)
    there.write(commands(check.removesuffix("; exit 3")))
    outcome, more = watched(world, "build", "--json", "demo.toml")
    assert outcome.code == 0, outcome.err
    assert set(unpacked(world.blob(outcome.answer["layers"][-1]["digest"]))) == {"seen"}
    for text in (failed.err, outcome.out, outcome.err):
        assert PASSWORD not in text
    assert not [each for each in arguments | more if any(form in each for form in FORMS)]
    assert holders(world) == []


# Engines that die or fill up

Own = tuple[Yard, "Engine", "subprocess.Popen[bytes]"]


@pytest.fixture
def own(yard: Yard, tmp_path: Path) -> Iterator[Own]:
    """Yield a user with an engine that may be killed, and its process."""
    with private("graph", tmp_path) as (engine, process):
        yard.use(engine.place if "://" in engine.place else f"unix://{engine.place}")
        yield yard, engine, process


@pytest.mark.slow
def test_an_engine_killed_while_a_tier_is_executed_is_told(own: Own, graph_engine: Engine) -> None:
    yard, engine, process = own
    build = asleep(yard)
    (name,) = sandboxes(engine, build.pid)
    inside = engine.client.inspect_container(name)["State"]["Pid"]
    shim = int(Path(f"/proc/{inside}/stat").read_text().rpartition(")")[2].split()[1])
    process.kill()
    process.wait()
    for pid in (inside, shim):  # an engine's containers outlive it
        os.kill(pid, signal.SIGKILL)
    message = yard.refused(4, ended(build, 60))
    assert "engine" in message[0], message
    living(yard, graph_engine, commands("echo x >/x"))


def living(yard: Yard, engine: Engine, tier: str) -> None:
    """Build with an engine that lives, twice: the same image comes out."""
    yard.use(place(engine.kind))
    yard.write(tier)
    try:
        first = yard.builds()
        assert first["image"]["reference"].startswith("ds01-")
        assert yard.builds("--no-load")["image"]["digest"] == first["image"]["digest"]
    finally:
        clean(engine, f"ds01-{os.geteuid()}/{yard.name}")


@pytest.mark.slow
def test_an_engine_killed_while_it_loads_is_told(own: Own, graph_engine: Engine) -> None:
    yard, _, process = own
    yard.world.write("", "data")
    yard.world.recipe.with_name("data").write_bytes(secrets.token_bytes(12 << 20))
    yard.write(FILES)
    digest = yard.builds("--no-load")["image"]["digest"]
    build = yard.world.start("build", "--load", "demo.toml")
    assert build.stderr is not None
    lines = []
    for line in build.stderr:
        lines.append(line)
        if line.startswith("loading the image"):
            break
    process.kill()
    process.wait()
    outcome = ended(build, 60)
    assert outcome.code == 4, [*lines, outcome.err]
    assert "stopped answering" in outcome.complaint[0]
    assert "Traceback" not in outcome.err
    assert yard.names()[yard.name] == digest
    living(yard, graph_engine, FILES)
    assert yard.names()[yard.name] == digest


@pytest.mark.slow
def test_an_engine_without_room_is_told_and_the_old_image_stays(own: Own) -> None:
    yard, engine, _ = own
    yard.world.write("small", "data")
    yard.write(FILES)
    old = yard.builds("--load")["image"]
    yard.world.recipe.with_name("data").write_bytes(secrets.token_bytes(80 << 20))
    outcome = yard.build("--load")
    assert (outcome.code, outcome.out) == (1, ""), outcome.err
    message, hint = outcome.complaint
    assert "did not load the image: " in message
    assert "no space left on device" in message
    assert hint == "hint:  docker system df"
    assert tags(engine, yard)
    found = engine.inspect(old["reference"])
    assert found is not None
    assert str(found.config_digest) == old["config_digest"]


@pytest.mark.slow
def test_an_update_that_cannot_be_loaded_changes_nothing(own: Own) -> None:
    yard, engine, _ = own
    yard.world.write("small", "data")
    yard.write(FILES)
    old = yard.builds("--load")["image"]
    recipe, lock, names = yard.world.recipe, yard.world.lock, yard.names()
    was = recipe.read_bytes(), lock.read_bytes(), roots.generations(yard.world.store, yard.name)
    recipe.with_name("large").write_bytes(secrets.token_bytes(80 << 20))
    yard.world.variables["EDITOR"] = """sed -i 's/"data", to/"large", to/'"""
    outcome = yard.world.ds01("image", "update", yard.name, "--edit", "--load", "--yes")
    assert (outcome.code, outcome.out) == (1, ""), outcome.err
    assert "no space left on device" in outcome.complaint[0]
    assert '+files = [{ from = "large"' not in recipe.read_text()
    generations = roots.generations(yard.world.store, yard.name)
    assert (recipe.read_bytes(), lock.read_bytes(), generations) == was
    assert yard.names() == names
    found = engine.inspect(old["reference"])
    assert found is not None
    assert str(found.config_digest) == old["config_digest"]


def test_no_cache_executes_a_tier_again(there: Yard) -> None:
    there.write(commands("echo x >/x"))
    first = there.builds()
    assert first["layers"][-1]["action"] == "ran"
    assert there.builds()["layers"][-1]["action"] == "reused"
    outcome = there.world.ds01("image", "update", there.name, "--rebuild", "--no-cache", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.answer["built"]["layers"][-1]["action"] == "ran"
    assert executions(outcome) == 1


def test_an_update_moves_the_tag_in_the_engine(there: Yard, engine: Engine) -> None:
    there.world.write("one", "data")
    there.world.write("two", "other")
    there.write(FILES)
    old = there.builds()
    there.world.variables["EDITOR"] = """sed -i 's/"data", to/"other", to/'"""
    outcome = there.world.ds01("image", "update", there.name, "--edit", "--yes", "--json")
    assert outcome.code == 0, outcome.err
    new = outcome.answer["built"]
    assert new["image"]["reference"] == old["image"]["reference"]
    found = engine.inspect(new["image"]["reference"])
    assert found is not None
    assert str(found.diff_ids[-1]) == new["layers"][-1]["diff_id"] != old["layers"][-1]["diff_id"]


@pytest.mark.slow
def test_a_store_without_room_for_an_executed_layer_is_told(yard: Yard, engine: Engine) -> None:
    require("mount", "umount", root=True)
    small = yard.world.root / "small"
    small.mkdir(mode=0o700)
    succeed("mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", str(small))
    try:
        yard.world.variables["DS01_STORE"] = str(small)
        yard.use(place(engine.kind))
        yard.write(commands("head -c 40000000 /dev/urandom >/big"))
        outcome = yard.build()
        assert (outcome.code, outcome.out) == (1, ""), outcome.err
        assert "No space left on device" in outcome.complaint[0]
        assert "Traceback" not in outcome.err
        assert tags(engine, yard) == []
        yard.write(commands("echo x >/big"))
        assert yard.builds()["layers"][-1]["action"] == "ran"
        assert list((small / "tmp").iterdir()) == []
    finally:
        succeed("umount", str(small))
        clean(engine, f"ds01-{os.geteuid()}/{yard.name}")


@pytest.mark.slow
def test_a_build_is_interrupted_while_an_engine_says_nothing(own: Own) -> None:
    yard, _, process = own
    yard.world.recipe.with_name("data").write_bytes(secrets.token_bytes(4 << 20))
    yard.write(FILES)
    digest = yard.builds("--no-load")["image"]["digest"]
    build = yard.world.start("build", "--load", "demo.toml")
    assert build.stderr is not None
    next(line for line in build.stderr if line.startswith("loading the image"))
    process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(1)
        build.send_signal(signal.SIGINT)
        outcome = ended(build, 30)
    finally:
        process.send_signal(signal.SIGCONT)
    assert outcome.code in (0, 130), outcome.err  # it may have been quicker
    assert "Traceback" not in outcome.err
    assert yard.names()[yard.name] == digest
