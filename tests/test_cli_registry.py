"""Registries that are down, refuse or lie, and images that no tier can stand on, through ds01."""

from __future__ import annotations

import gzip
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import served_images as served
import tomli
import tomli_w
from layered import Item, tar
from registries import MANIFEST, Made, address
from served_images import LIBC, PYTHON, RUNTIME, Shelf
from servers import captive, content, slow, stalled, status, truncated, whole
from world import NUMBERS, RECIPE, ended, is_shown_safely

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Route
    from world import Outcome, World

pytest_plugins = ("world_fixtures",)

LOCK, BUILD = ("lock", "demo.toml"), ("build", "demo.toml")
FILES = '\n[tiers.motd]\nkind = "files"\nfiles = [{ from = "motd", to = "/etc/motd" }]\n'


def good(note: bytes = b"") -> Made:
    """Return a base with a Python, of two layers."""
    return served.image([*RUNTIME, LIBC], [*PYTHON, Item("etc/note", note)])


@pytest.fixture
def shelf(world: World) -> Shelf:
    """Return a repository of its own, with a base in it that the recipe builds on."""
    made = Shelf(world.index.server, f"base/{next(NUMBERS)}")
    made.show(good())
    stand_on(world, made.reference)
    world.lock.unlink()
    return made


def stand_on(world: World, reference: str, more: str = "") -> None:
    world.write(RECIPE.replace('debian = "bookworm"', f'image = "{reference}"') + more)


def names(world: World) -> dict[str, str]:
    """Return which image each name of the store stands for."""
    rows = json.loads((world.store / "index.json").read_bytes())["manifests"]
    key = "org.opencontainers.image.ref.name"
    return {row["annotations"][key]: row["digest"] for row in rows}


def refused(world: World, code: int, *arguments: str) -> list[str]:
    """Run what must end with ``code``, one message and nothing changed; return the message."""
    locked, named = world.lock.read_bytes() if world.lock.exists() else b"", names(world)
    outcome = world.ds01(*arguments)
    assert outcome.code == code, outcome.err
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert is_shown_safely(outcome.err), ascii(outcome.err)
    assert (world.lock.read_bytes() if world.lock.exists() else b"") == locked, "the lock changed"
    assert names(world) == named, "the images changed"
    errors = [line for line in outcome.complaint if line.startswith("error:")]
    assert len(errors) == 1, outcome.err
    return outcome.complaint


def built(world: World, *options: str) -> Any:  # noqa: ANN401 (JSON)
    outcome = world.ds01("build", "--json", "--quiet", *options, "demo.toml")
    assert outcome.code == 0, outcome.err
    return outcome.answer


def answer(outcome: Outcome) -> Any:  # noqa: ANN401 (JSON)
    assert outcome.code == 0, outcome.err
    return outcome.answer


BROKEN: dict[str, tuple[Route, int, str]] = {
    "401": (status(401, {"WWW-Authenticate": 'Basic realm="r"'}), 4, "docker login "),
    "403": (status(403), 4, "docker login "),
    "429": (status(429, {"Retry-After": "0"}), 4, "docker login "),
    "500": (status(500), 4, "curl -I http://"),
    "silent": (stalled(0.05), 4, "curl -I http://"),
    "404": (status(404), 1, "skopeo list-tags --tls-verify=false docker://"),
    "page": (captive(), 4, "curl -I http://"),
}


@pytest.mark.parametrize("failure", BROKEN)
def test_a_registry_that_does_not_serve_is_told_at_lock(
    world: World, shelf: Shelf, failure: str
) -> None:
    route, code, hint = BROKEN[failure]
    shelf.fail(route)
    message = refused(world, code, *LOCK)
    assert shelf.reference in message[0] or shelf.repository in message[0], message
    assert message[-1].startswith(f"hint:  {hint}"), message
    assert len(shelf.asked()) <= 4


def test_that_a_registry_is_asked_again_is_told_at_once(world: World, shelf: Shelf) -> None:
    shelf.server.add(shelf.manifest(), status(503, {"Retry-After": "1"}))
    process = world.start("lock", "demo.toml")
    assert process.stderr is not None
    try:
        line = next(each for each in process.stderr if "once more" in each)
        assert process.poll() is None, "it is told before the wait"
    finally:
        process.kill()
        ended(process)
    assert line == (
        f"image {shelf.reference} from {shelf.reference.partition('/')[0]}: "
        "the server answered 503 (Service Unavailable); once more in 1 s\n"
    )


def test_a_registry_that_is_down_is_told_and_the_lock_still_builds(
    world: World, shelf: Shelf
) -> None:
    assert world.ds01(*LOCK).code == 0
    shelf.server.requests.clear()
    first = built(world, "--no-load")
    assert shelf.asked() == [], "a build that no engine takes needs nothing of the registry"
    stand_on(world, f"127.0.0.1:1/{shelf.repository}:latest")
    message, hint = refused(world, 4, *BUILD)
    assert "127.0.0.1:1" in message
    assert "refused" in message
    assert hint == "hint:  curl -I http://127.0.0.1:1/v2/"
    stand_on(world, shelf.reference)
    assert built(world, "--no-load")["image"] == first["image"]


CONFIG, LAYER = "config", "layer"


def blob_of(made: Made, which: str) -> bytes:
    return made.config if which == CONFIG else list(made.blobs.values())[-1]


@pytest.mark.parametrize("which", [CONFIG, LAYER])
@pytest.mark.parametrize(
    ("lie", "code", "says"),
    [
        (lambda blob: content(bytes(len(blob))), 1, "expected sha256:"),
        (lambda blob: content(blob[:-9]), 1, "expected "),
        (lambda blob: whole(blob + blob), 1, "expected "),
        (lambda blob: truncated(blob, 9), 4, "the connection "),
        (lambda _: status(404), 1, "no "),
        (lambda _: status(500), 4, "the server answered 500"),
    ],
    ids=["other", "short", "long", "cut", "gone", "500"],
)
def test_a_blob_is_what_its_digest_says_or_nothing_is_locked(
    world: World, shelf: Shelf, which: str, lie: Callable[[bytes], Route], code: int, says: str
) -> None:
    blob = blob_of(good(), which)
    shelf.server.routes[shelf.blob(address(blob))] = lie(blob)
    message = refused(world, code, *LOCK)
    assert says in message[0], message
    assert address(blob) in message[0], message
    if says.startswith("expected"):
        assert message[1].startswith("hint:  run it again; if it stays so, ask who runs ")


def test_a_layer_that_comes_slowly_and_in_parts_is_read_to_its_end(
    world: World, shelf: Shelf
) -> None:
    blobs = list(good().blobs.values())
    slowly = slow(blobs[0], piece=len(blobs[0]) // 5 + 1, pause=0.1)
    shelf.server.routes[shelf.blob(address(blobs[0]))] = slowly
    cut = truncated(blobs[1], len(blobs[1]) * 2 // 5)
    shelf.server.routes[shelf.blob(address(blobs[1]))] = cut
    assert world.ds01(*LOCK).code == 0
    assert shelf.asked().count(f"GET blobs/{address(blobs[1])}") == 3


def test_a_registry_cannot_give_another_image_for_a_digest(world: World, shelf: Shelf) -> None:
    other = good(b"other")
    shelf.show(other)
    shelf.server.routes[shelf.manifest("latest")] = whole(
        good().manifest,
        {"Content-Type": MANIFEST, "Docker-Content-Digest": address(other.manifest)},
    )
    message = refused(world, 1, *LOCK)
    expected, got = address(other.manifest), address(good().manifest)
    assert f"expected {expected}, got {got}" in message[0]
    pinned = f"{shelf.reference.removesuffix(':latest')}@{expected}"
    stand_on(world, pinned)
    shelf.server.routes[shelf.manifest(expected)] = whole(
        good().manifest, {"Content-Type": MANIFEST}
    )
    assert f"expected {expected}, got {got}" in refused(world, 1, *LOCK)[0]


def test_a_configuration_is_fetched_anew_and_is_the_locked_one(world: World, shelf: Shelf) -> None:
    assert world.ds01(*LOCK).code == 0
    first = built(world, "--no-load")["image"]["digest"]
    shutil.rmtree(world.store)
    assert world.ds01("store", "verify").code == 0
    message = refused(world, 4, "build", "--no-load", "--offline", "demo.toml")
    assert "--offline forbids" in message[0]
    path = shelf.blob(address(good().config))
    honest = shelf.server.routes[path]
    for route, code, says in (
        (content(bytes(len(good().config))), 1, f"expected {address(good().config)}"),
        (status(500), 4, "the server answered 500"),
        (status(401), 4, "does not let you read"),
    ):
        shelf.server.routes[path] = route
        assert says in refused(world, code, "build", "--no-load", "demo.toml")[0]
    shelf.server.routes[path] = honest
    assert built(world, "--no-load")["image"]["digest"] == first


MUSL = Item("lib/ld-musl-x86_64.so.1", b"\x7fELF musl libc (x86_64)\nVersion 1.2.5\n")

UNFIT: dict[str, tuple[Made, str]] = {
    "no Python": (served.image([*RUNTIME, LIBC]), "the base has no Python"),
    "musl": (served.image([*RUNTIME[:3], MUSL, *PYTHON]), "the base has no glibc"),
    "an unknown glibc": (
        served.image([*RUNTIME, LIBC._replace(content=b"\x7fELF"), *PYTHON]),
        "the base has no glibc",
    ),
    "a Python without a version": (
        served.image([*RUNTIME, LIBC, *PYTHON[:4]]),
        "is not a CPython 3 that ds01 can install for",
    ),
    "another architecture": (
        served.image([*RUNTIME, LIBC, *PYTHON], architecture="arm64"),
        "is not for linux/amd64; there is linux/arm64",
    ),
    "ONBUILD": (
        served.image([*RUNTIME, LIBC, *PYTHON], container={"OnBuild": ["RUN rm -rf /"]}),
        "has ONBUILD instructions, which are for Dockerfiles alone",
    ),
}


@pytest.mark.parametrize("base", UNFIT)
def test_an_image_that_no_tier_can_stand_on_is_told_at_lock(
    world: World, shelf: Shelf, base: str
) -> None:
    made, says = UNFIT[base]
    shelf.show(made)
    assert says in refused(world, 1, *LOCK)[0]
    # Nothing that was learned makes the next attempt believe otherwise.
    assert says in refused(world, 1, *LOCK)[0]


def test_files_alone_need_no_python(world: World, shelf: Shelf) -> None:
    shelf.show(UNFIT["no Python"][0])
    text = RECIPE.replace('debian = "bookworm"', f'image = "{shelf.reference}"')
    world.write(text.partition("[tiers")[0] + FILES)
    world.write("hello\n", "motd")
    assert built(world, "--no-load")["layers"][0]["tier"] == "motd"


def twice(config: bytes) -> bytes:
    return config.replace(b'{"architecture"', b'{"os": "linux", "architecture"', 1)


def entry(**changes: object) -> bytes:
    config = json.loads(good().config)
    return json.dumps({**config, "config": {**config["config"], **changes}}).encode()


HOSTILE: dict[str, bytes] = {
    "not JSON": b"\x1b[31m{",
    "no object": b"[]",
    "a key twice": twice(good().config),
    "nested deeply": b'{"a":' * 100_000,
    "too large": good().config[:-1] + b', "x": "' + b"x" * (9 << 20) + b'"}',
    "a NUL in the environment": entry(Env=["A=\0b"]),
    "an escape in a variable's name": entry(Env=["\x1b[31mA=b"]),
    "a number for a variable": entry(Env=[7]),
    "labels that are a list": entry(Labels=["a"]),
    "a label that is a number": entry(Labels={"a": 1}),
    "volumes that are a text": entry(Volumes="/x"),
    "a user that is a list": entry(User=["root"]),
    "an endless list": entry(Cmd=["x"] * 200_000),
    "another system": good().config.replace(b'"linux"', b'"windows"'),
    "a surrogate": entry(Env=["A=\ud800"]),
    "diff_ids that are none": good().config.replace(b"sha256:", b"sha257:"),
    "too few diff_ids": served.image([]).config,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_configuration_that_engines_would_not_write_is_refused(
    world: World, shelf: Shelf, kind: str
) -> None:
    shelf.show(served.configured(HOSTILE[kind], list(good().blobs.values())))
    message = refused(world, 1, *LOCK)
    assert len(message[0]) < 500


LAYERS: dict[str, tuple[bytes, str]] = {
    "not gzip": (b"\x1b[31mno layer", "expected sha256:000"),
    "a path out of the root": (
        gzip.compress(tar([Item("../../etc/passwd", b"x")])),
        "../../etc/passwd",
    ),
    "half a tar": (gzip.compress(tar([*RUNTIME])[:700]), ""),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_that_is_none_is_refused(world: World, shelf: Shelf, kind: str) -> None:
    blob, says = LAYERS[kind]
    config = served.with_diff_ids(good().config, ["sha256:" + "0" * 64])
    shelf.show(served.configured(config, [blob]))
    message = refused(world, 1, *LOCK)
    assert says in message[0]
    if says.startswith("expected"):
        whom = f"{shelf.reference}@{address(shelf.shown[-1].manifest)}"
        assert message[1] == f"hint:  the image contradicts itself: ask who pushed {whom}"


def test_the_digest_wins_over_a_tag_that_has_moved_and_a_check_says_so(
    world: World, shelf: Shelf
) -> None:
    assert world.ds01(*LOCK).code == 0
    outcome = world.ds01("lock", "--check", "--json", "demo.toml")
    assert (outcome.code, outcome.answer["base_moved_to"], outcome.err) == (0, None, "")
    first = built(world, "--no-load")["image"]["digest"]
    other = good(b"other")
    shelf.show(other)

    shelf.server.requests.clear()
    outcome = world.ds01("lock", "--check", "--json", "demo.toml")
    assert (outcome.code, outcome.answer["base_moved_to"]) == (0, address(other.manifest))
    (note,) = outcome.err.splitlines()
    assert note == (
        f"{shelf.reference} is another image now, {address(other.manifest)}; the lock holds "
        f"{address(good().manifest)}, and builds that; to move: ds01 lock --upgrade demo.toml"
    )
    assert shelf.asked() == ["HEAD manifests/latest"]
    assert world.ds01("lock", "--check", "--quiet", "demo.toml").err == f"{note}\n"

    shutil.rmtree(world.store)
    assert built(world, "--no-load")["image"]["digest"] == first
    assert world.ds01("lock", "--upgrade", "demo.toml").code == 0
    assert address(other.manifest) in world.lock.read_text()


def test_a_check_needs_no_registry(world: World, shelf: Shelf) -> None:
    assert world.ds01(*LOCK).code == 0
    shelf.server.requests.clear()
    outcome = world.ds01("lock", "--check", "--offline", "--json", "demo.toml")
    assert (outcome.code, outcome.answer["base_moved_to"], outcome.err) == (0, None, "")
    assert shelf.asked() == []
    for route, reason in ((status(401), "does not let you read"), (status(500), "500")):
        shelf.fail(route)
        outcome = world.ds01("lock", "--check", "--json", "demo.toml")
        assert (outcome.code, outcome.answer["base_moved_to"]) == (0, None)
        assert f"whether {shelf.reference} has moved is not known: " in outcome.err
        assert reason in outcome.err
    world.ask_for("app")
    assert refused(world, 3, "lock", "--check", "demo.toml")


Edit = dict[str, Any]
OTHER = "sha256:" + "1" * 64


def test_a_lock_over_another_image_than_the_recipes_is_refused(world: World, shelf: Shelf) -> None:
    assert world.ds01(*LOCK).code == 0
    text = world.lock.read_text()
    other = shelf.reference.replace(":latest", ":other")
    world.write(text.replace(f'"{shelf.reference}"', f'"{other}"'), "demo.lock")
    for command in (("build", "--no-load"), ("lock", "--check"), ("plan",), ("lock",)):
        message = refused(world, 1, *command, "demo.toml")
        assert message == [
            f"error: demo.lock: base.image: {other!r}, the recipe says {shelf.reference!r}",
            "hint:  remove demo.lock, then: ds01 lock demo.toml",
        ]


def test_a_lock_for_another_architecture_than_its_image_is_refused(
    world: World, shelf: Shelf
) -> None:
    assert world.ds01(*LOCK).code == 0
    lock = tomli.loads(world.lock.read_text())
    lock["base"]["architecture"] = "arm64"
    world.write(tomli_w.dumps(lock), "demo.lock")
    message = refused(world, 1, "build", "--no-load", "demo.toml")
    assert message[0].endswith(" is not for linux/arm64; there is linux/amd64"), message


ETC = {"purelib": "/etc", "platlib": "/etc", "scripts": "/etc/cron.d", "data": "/"}


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize(
    "target",
    [
        {"schemes": ETC},
        {"schemes": {"data": "/etc"}},
        {"schemes": {"scripts": "/etc/profile.d"}},
        {"schemes": {"purelib": "/usr/local/lib/python3.11/site-packages/../../../../../etc"}},
        {"interpreter": "/bin/sh -c 'rm -rf /' #"},
        {"interpreter": "/usr/bin/env\nbash"},
        {"version": "3.11.9; rm"},
    ],
)
def test_a_lock_cannot_put_packages_elsewhere(
    world: World, shelf: Shelf, target: Edit, *, is_known: bool
) -> None:
    assert world.ds01(*LOCK).code == 0
    lock = tomli.loads(world.lock.read_text())
    lock["target"]["schemes"].update(target.get("schemes", {}))
    lock["target"].update({name: v for name, v in target.items() if name != "schemes"})
    world.write(tomli_w.dumps(lock), "demo.lock")
    if not is_known:
        shutil.rmtree(world.store / "facts")
    message = refused(world, 1, "build", "--no-load", "demo.toml")
    assert "target" in message[0], message


@pytest.mark.parametrize(
    "target",
    [
        {"links": [{"path": "usr/local/lib", "to": "/etc"}]},
        {"directories": [{"path": "usr/local/lib", "mode": "4777", "uid": 0, "gid": 0}]},
    ],
)
def test_what_a_base_is_known_to_have_a_lock_cannot_change(
    world: World, shelf: Shelf, target: Edit
) -> None:
    assert world.ds01(*LOCK).code == 0
    lock = tomli.loads(world.lock.read_text())
    lock["target"].update(target)
    world.write(tomli_w.dumps(lock), "demo.lock")
    assert refused(world, 1, "build", "--no-load", "demo.toml") == [
        "error: demo.lock: target: is not that of the base",
        "hint:  remove demo.lock, then: ds01 lock demo.toml",
    ]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("config", OTHER, "base.config: {new}, its manifest says {old}"),
        ("digest", OTHER, "base.layer[0].digest: {new}, the image has {old}"),
        ("diff-id", OTHER, "base.layer[0].diff-id: {new}, the image has {old}"),
        ("size", 7, "base.layer[0].size: {new}, the image has {old}"),
    ],
)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_base_that_is_not_as_its_manifest_says_is_refused(
    world: World, shelf: Shelf, field: str, value: object, said: str, *, elsewhere: bool
) -> None:
    assert world.ds01(*LOCK).code == 0
    lock = tomli.loads(world.lock.read_text())
    table = lock["base"] if field == "config" else lock["base"]["layer"][0]
    old, table[field] = table[field], value
    world.write(tomli_w.dumps(lock), "demo.lock")
    if elsewhere:
        (world.store / "blobs/sha256" / lock["base"]["manifest"].removeprefix("sha256:")).unlink()
        shutil.rmtree(world.store / "facts")
    message = f"error: demo.lock: {said.format(new=value, old=old)}"
    hint = "hint:  remove demo.lock, then: ds01 lock demo.toml"
    commands = (("build", "--no-load"), ("plan",), ("dockerfile", "-o", "o"), ("lock", "--check"))
    for command in commands[: 1 if elsewhere else None]:
        assert refused(world, 1, *command, "demo.toml") == [message, hint]


def test_a_manifest_that_the_registry_does_not_have_is_refused(world: World, shelf: Shelf) -> None:
    assert world.ds01(*LOCK).code == 0
    lock = tomli.loads(world.lock.read_text())
    lock["base"]["manifest"] = OTHER
    world.write(tomli_w.dumps(lock), "demo.lock")
    for command in (("build", "--no-load"), ("lock", "--check")):
        assert (
            f"has no image {shelf.reference.rpartition(':')[0]}"
            in refused(world, 1, *command, "demo.toml")[0]
        )


@pytest.mark.parametrize("change", ["manifest", "order"])
def test_every_field_of_a_base_that_is_not_as_its_manifest_says_is_named(
    world: World, shelf: Shelf, change: str
) -> None:
    assert world.ds01(*LOCK).code == 0
    lock = tomli.loads(world.lock.read_text())
    if change == "manifest":
        shelf.show(good(b"other"))
        assert world.ds01("lock", "--upgrade", "demo.toml").code == 0
        lock["base"]["manifest"] = tomli.loads(world.lock.read_text())["base"]["manifest"]
    else:
        lock["base"]["layer"].reverse()
    world.write(tomli_w.dumps(lock), "demo.lock")
    outcome = world.ds01("build", "--no-load", "demo.toml")
    assert outcome.code == 1
    fields = [line.split(": ")[2] for line in outcome.complaint if line.startswith("error:")]
    each = [[f"base.layer[{n}].{f}" for f in ("digest", "diff-id", "size")] for n in (0, 1)]
    assert fields == {"manifest": ["base.config", *each[1]], "order": [*each[0], *each[1]]}[change]


@pytest.mark.parametrize(
    "edit",
    [
        {"removed": [{"name": "torch", "version": "1", "paths": ["../etc/passwd"]}]},
        {"layer": [{"tier": "python", "kind": "executed", "names": ["python"]}]},
        {"layer": [{"tier": "base", "kind": "executed", "names": ["ghost"]}]},
        {"tier": [{"name": "ghost", "kind": "run", "commands": ["true"]}]},
        {"tier": [{"name": "x\nRUN evil", "kind": "run", "commands": ["true"]}]},
    ],
)
def test_a_lock_cannot_remove_or_execute_what_is_not_in_it(
    world: World, shelf: Shelf, edit: Edit
) -> None:
    assert world.ds01(*LOCK).code == 0
    lock = tomli.loads(world.lock.read_text())
    for name, rows in edit.items():
        lock[name] = [*lock.get(name, []), *rows]
    world.write(tomli_w.dumps(lock), "demo.lock")
    for command in (("build", "--no-load"), ("plan",), ("dockerfile", "-o", "out")):
        outcome = world.ds01(*command, "demo.toml")
        assert (outcome.code, outcome.out) == (1, ""), outcome.err
        assert outcome.complaint[0].startswith("error: demo.lock: "), outcome.err
        assert is_shown_safely(outcome.err)


RUN = '\n[tiers.work]\nkind = "run"\ncommands = ["true"]\n'
EVIL = "x\nRUN touch /pwned\n# \x1b[31m"


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        ("tier", {"commands": [EVIL]}),
        ("tier", {"commands": ["true \\"]}),
        ("tier", {"name": "work\nRUN touch /pwned"}),
        ("image", {"env": {"A": EVIL}}),
        ("image", {"env": {"A\nRUN touch /pwned": "x"}}),
        ("image", {"labels": {"a": EVIL}}),
        ("image", {"workdir": "/x\nRUN touch /pwned"}),
        ("image", {"user": "root\nRUN touch /pwned"}),
        ("image", {"cmd": [EVIL]}),
        ("wheel", {"name": "app\nRUN touch /pwned"}),
        ("wheel", {"version": "1.0\nRUN touch /pwned"}),
        ("wheel", {"file": "app-1.0-py3-none-any.whl\nRUN touch /pwned"}),
    ],
)
def test_what_a_lock_says_is_no_instruction_of_a_dockerfile(
    world: World, shelf: Shelf, table: str, changes: Edit
) -> None:
    stand_on(world, shelf.reference, RUN)
    assert world.ds01(*LOCK).code == 0
    lock = tomli.loads(world.lock.read_text())
    row = lock.setdefault(table, {}) if table == "image" else lock[table][-1]
    row.update(changes)
    world.write(tomli_w.dumps(lock), "demo.lock")
    outcome = world.ds01("dockerfile", "-o", "out", "demo.toml")
    assert outcome.code in (0, 1), outcome.err
    assert "Traceback" not in outcome.err
    assert is_shown_safely(outcome.err), ascii(outcome.err)
    for path in (world.recipe.parent / "out").glob("**/*"):
        text = path.read_text() if path.is_file() else ""
        assert "\nRUN touch" not in text, text
        assert "\x1b" not in text, ascii(text)


@pytest.mark.parametrize(
    "reference",
    [
        "--help",
        "-v=/:/x",
        "a b",
        "a;touch /x",
        "UPPER/case",
        "a@sha256:0",
        "",
        "a\u0000b",
    ],
)
def test_what_is_no_reference_is_refused(world: World, shelf: Shelf, reference: str) -> None:
    stand_on(world, json.dumps(reference)[1:-1])
    message = refused(world, 1, *LOCK)
    assert message[0].startswith("error: demo.toml: base.image: "), message
