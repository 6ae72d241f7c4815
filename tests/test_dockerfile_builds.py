"""Rendered Dockerfiles in real engines: built without ds01, and stage by stage with it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dockerfiles import image_lock
from engines import Tars, docker_environment, image, place, tar
from standins.layout import Made as Entry
from standins.layout import tar as layer_tar
from values import file_pin

from ds01build import graph
from ds01build.base.config import parse_config
from ds01build.digest import Digest, Key
from ds01build.dockerfile import Tag, stages
from ds01build.engine.aliases import alias, remove_aliases
from ds01build.engine.builder import Workplace, choose_builder
from ds01build.engine.intermediate import this_builder
from ds01build.engine.load import load
from ds01build.engine.owner import current
from ds01build.errors import Ds01Error
from ds01build.labels import inherited, labels_of
from ds01build.lock import Lock, LockedImage, LockedLayer, LockedTier
from ds01build.pin import DebPin, WheelPin
from ds01build.recipe.settings import ImageSettings
from ds01build.target import Link, Schemes, Target
from ds01build.workflow.rendering import (
    Place,
    Sources,
    build_dockerfile,
    default_place,
    write_dockerfile,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from standin_fixtures import StandIns

    from ds01build.base.config import BaseConfig
    from ds01build.engine.api import Engine
    from ds01build.engine.builder import Builder, Order

pytest_plugins = ("engine_fixtures", "standin_fixtures")
pytestmark = [pytest.mark.network, pytest.mark.slow]

WHEELS = ("pygments", "six", "jupyterlab-widgets")  # a script, a module alone, files of share/
DEBIAN = "/usr/local/lib/python3.11/dist-packages"
TARGETS = {
    "owners": Target(
        interpreter="/usr/bin/python3",
        version="3.11.2",
        schemes=Schemes(
            purelib=DEBIAN,
            platlib=DEBIAN,
            scripts="/usr/local/bin",
            data="/usr/local",
            headers="/usr/local/include/python3.11",
        ),
    ),
    "c-light": Target(
        interpreter="/opt/conda/bin/python3",
        version="3.11.2",
        schemes=Schemes(
            purelib="/opt/conda/lib/python3.11/site-packages",
            platlib="/opt/conda/lib/python3.11/site-packages",
            scripts="/opt/conda/bin",
            data="/opt/conda",
            headers="/opt/conda/include/python3.11",
        ),
        links=(Link("opt/conda", "/srv/conda"),),
    ),
}
# Everything that a Dockerfile gives a meaning to.
SAID = 'a "b" $HOME \\ `id` #x <<EOF'
HOSTILE = "a \"b\" 'c' $HOME ${X:-y} \\ \\\\ `id` #x <<EOF %2e ü\\"


@dataclass(frozen=True)
class Bench:
    """An engine, a name for images, and what is asked of the command line."""

    engine: Engine
    host: str
    name: str
    environment: dict[str, str]

    def docker(self, *words: str) -> str:
        done = subprocess.run(
            ["docker", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        return done.stdout

    def inside(self, image: str, script: str) -> str:
        words = ("run", "--rm", "--network=none", "--user=0", "--entrypoint=/bin/sh")
        return self.docker(*words, image, "-euc", script)

    def config(self, image: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.docker("inspect", image))[0]["Config"]
        return found

    def remove(self, *tags: str) -> None:
        for tag in tags:
            self.engine.remove(tag)


@pytest.fixture
def bench(engine: Engine, tmp_path: Path) -> Iterator[Bench]:
    host = place(engine.kind)
    environment = docker_environment(engine.kind, tmp_path)
    found = Bench(engine, host, f"ds01-test/dockerfile-{secrets.token_hex(6)}", environment)
    environment["DOCKER_BUILDKIT"] = "1" if _has_buildx(found) else "0"
    yield found
    found.remove(f"{found.name}:latest")


def _has_buildx(bench: Bench) -> bool:
    command = ["docker", "buildx", "version"]
    return not subprocess.run(
        command, env=bench.environment, capture_output=True, check=False
    ).returncode


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, WheelPin]:
    directory = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    done = subprocess.run([*command, directory, *WHEELS], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    files = {
        path.name.partition("-")[0].lower().replace("_", "-"): path for path in directory.iterdir()
    }
    return {
        name: WheelPin(
            name=name,
            version=path.name.split("-")[1],
            file=str(path),
            size=path.stat().st_size,
            digest=Digest.of(path.read_bytes()),
            tier="",
        )
        for name, path in files.items()
    }


def _base(stand_ins: StandIns, name: str, tmp_path: Path) -> LockedImage:
    """Return a stand-in that trusts the certificates of this site, as pip asks for them."""
    layout = stand_ins.layout(name).copied(tmp_path / "layout")
    certificates = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    content = Path(certificates).read_bytes()
    layout.append(layer_tar([Entry(path="srv/site.pem", content=content, mode=0o644)]))
    layout.variable("PIP_CERT", "/srv/site.pem")
    reference = stand_ins.registry.push(layout, repository="dockerfile")
    (row,) = json.loads((layout.directory / "index.json").read_bytes())["manifests"]
    base = image_lock().base
    assert isinstance(base, LockedImage)
    config = Digest(layout.manifest["config"]["digest"])
    return replace(base, reference=reference, manifest=Digest(row["digest"]), config=config)


def _lock(base: LockedImage, name: str, wheels: dict[str, WheelPin]) -> Lock:
    """Return a lock with every kind of tier, and hostile text wherever a recipe can have it."""
    tiers = {"code": ("pygments", "six"), "widgets": ("jupyterlab-widgets",)}
    pins = [
        replace(wheels[each], tier=tier, file=Path(wheels[each].file).name)
        for tier, names in tiers.items()
        for each in names
    ]
    report = "python3 -c 'import pygments, os; print(pygments.__version__, os.getcwd())' >/srv/seen"
    lock = image_lock(
        LockedTier(name="code", kind="python", requests=("pygments", "six")),
        LockedTier(name="widgets", kind="python", requests=("jupyterlab-widgets",)),
        LockedTier(
            name="see",
            kind="run",
            after=("code",),
            commands=(report, f"printf %s '{SAID}' >/srv/said"),
        ),
        LockedTier(name="config", kind="files"),
        wheels=tuple(sorted(pins)),
        image=ImageSettings(
            env=(("A", HOSTILE),),
            workdir=f"/job/{HOSTILE.replace('/', '')}",
            labels=(("org.example.a", HOSTILE),),
            entrypoint=("/bin/echo", HOSTILE),
            cmd=(HOSTILE, "--", "-x"),
            user="1000:1000",
        ),
    )
    declared = replace(
        file_pin(f"/srv/conf/{HOSTILE}", mode=0o640, content="x"), source="a *[b].txt"
    )
    return replace(
        lock,
        base=base,
        target=TARGETS[name],
        files=(declared,),
        layers=(
            *lock.layers,
            LockedLayer(tier="config", kind="files", names=(declared.to,)),
        ),
    )


@pytest.fixture(params=["owners", "c-light"])
def lock(
    request: pytest.FixtureRequest,
    stand_ins: StandIns,
    wheels: dict[str, WheelPin],
    tmp_path: Path,
) -> Lock:
    (tmp_path / "a *[b].txt").write_bytes(b"x")
    return _lock(_base(stand_ins, request.param, tmp_path), request.param, wheels)


def _config(lock: Lock, tmp_path: Path) -> BaseConfig:
    assert isinstance(lock.base, LockedImage)
    return parse_config((tmp_path / "layout/blobs/sha256" / lock.base.config.hex).read_bytes())


TREE = r"find / -xdev \( -type d -o -type l \) -printf '%p %y %m %U:%G %l\n' | sort"


def _check(bench: Bench, image: str, lock: Lock) -> None:
    """Check that an image has what ``lock`` says, and the directories and links of its base."""
    assert isinstance(lock.base, LockedImage)
    repository = lock.base.reference.rpartition(":")[0]
    own = ("/proc", "/sys", "/dev")
    before = bench.inside(f"{repository}@{lock.base.manifest}", TREE).splitlines()
    after = set(bench.inside(image, TREE).splitlines())
    assert [line for line in before if not line.startswith(own) and line not in after] == []
    assert lock.target is not None
    python = lock.target.interpreter
    listed = json.loads(bench.inside(image, f"{python} -m pip list --format json"))
    versions = {row["name"].lower().replace("_", "-"): row["version"] for row in listed}
    assert all(versions[pin.name] == pin.version for pin in lock.wheels)
    bench.inside(
        image,
        f"{python} -m pip check && pygmentize -V && ls {lock.target.schemes.data}/share/jupyter",
    )
    pygments = versions["pygments"]
    assert bench.inside(image, "cat /srv/seen") == f"{pygments} {lock.image.workdir}\n"
    assert bench.inside(image, "cat /srv/said") == SAID
    assert bench.inside(image, "stat -c '%a %u:%g %n' /srv/conf/*; cat /srv/conf/*") == (
        f"640 0:0 /srv/conf/{HOSTILE}\nx"
    )
    config = bench.config(image)
    assert f"A={HOSTILE}" in config["Env"]
    assert config["Labels"]["org.example.a"] == HOSTILE
    theirs = bench.config(f"{repository}@{lock.base.manifest}")["Labels"]
    assert theirs["ds01.name"] not in ("", lock.name), "a base that ds01 has made"
    assert {name: value for name, value in config["Labels"].items() if value} == {
        **inherited(theirs.items()),
        **labels_of(lock, graph.of(lock)),
    }
    assert config["Entrypoint"] == ["/bin/echo", HOSTILE]
    assert config["Cmd"] == [HOSTILE, "--", "-x"]
    assert config["WorkingDir"] == lock.image.workdir
    assert config["User"] == "1000:1000"


def test_docker_builds_it_without_ds01(bench: Bench, lock: Lock, tmp_path: Path) -> None:
    written = default_place(tmp_path / "out", "thesis-cv")
    write_dockerfile(lock, _config(lock, tmp_path), tmp_path, written)
    image = f"{bench.name}:latest"
    _, *command = _on_this_network(written, image)
    bench.docker(*command)
    _check(bench, image, lock)


def _on_this_network(written: Place, image: str) -> list[str]:
    command = written.command(image)
    return [*command[:2], "--network=host", *command[2:]]


def test_each_stage_is_built_once_and_a_changed_one_alone(
    bench: Bench, lock: Lock, wheels: dict[str, WheelPin], tmp_path: Path
) -> None:
    image = f"{bench.name}:latest"
    changed = _without(lock, "six")
    try:
        first = _build(bench, lock, wheels, tmp_path)
        assert first == (("tier-code", "tier-widgets", "tier-see", "image"), ())
        _check(bench, image, lock)
        assert _build(bench, lock, wheels, tmp_path) == ((), first[0])
        # Of its own, and those that stand on it.
        assert _build(bench, _without(lock, "jupyterlab-widgets"), wheels, tmp_path)[0] == (
            "image",
        )
        assert _build(bench, changed, wheels, tmp_path)[0] == ("tier-code", "tier-see", "image")
    finally:
        for each in (lock, changed, _without(lock, "jupyterlab-widgets")):
            bench.remove(*(str(Tag(key=one.key)) for one in stages(graph.of(each), each)))


@dataclass(frozen=True)
class Pruning:
    """A builder that loses, before the last stage, all that was made before."""

    bench: Bench
    real: Builder
    seconds: list[float]

    def build(self, order: Order) -> tuple[bool, str]:
        if order.target == "image":
            for image in self.bench.engine.images():
                if any(str(current()) in tag for tag in image.tags):
                    self.bench.remove(
                        *(t for t in image.tags if t.startswith(("127.0.0.1:0", "ds01/")))
                    )
        start = time.monotonic()
        answer = self.real.build(order)
        self.seconds.append(time.monotonic() - start)
        return answer


@pytest.mark.parametrize("lock", ["owners"], indirect=True)
def test_a_stage_that_is_gone_is_asked_of_no_registry(
    bench: Bench, lock: Lock, wheels: dict[str, WheelPin], tmp_path: Path
) -> None:
    lock = _without(_without(lock, "pygments"), "six")
    layers = tuple(layer for layer in lock.layers if layer.kind == "wheels")
    lock = replace(lock, tiers=lock.tiers[:1], files=(), layers=layers)
    real = choose_builder(bench.engine.client, bench.environment, tmp_path)
    pruning = Pruning(bench, real, [])
    with pytest.raises(Ds01Error) as caught:
        _build(bench, lock, wheels, tmp_path, pruning)
    assert "somebody removed images from the engine" in str(caught.value)
    assert pruning.seconds[-1] < 10, "nobody was waited for"
    tags = [tag for image in bench.engine.images() for tag in image.tags]
    assert not [tag for tag in tags if str(current()) in tag]


@pytest.mark.parametrize("lock", ["owners"], indirect=True)
def test_a_tier_of_which_the_base_has_all_is_built_too(
    bench: Bench, lock: Lock, wheels: dict[str, WheelPin], tmp_path: Path
) -> None:
    lock = _without(_without(lock, "pygments"), "six")
    layers = tuple(layer for layer in lock.layers if layer.kind == "wheels")
    there = LockedTier(name="there", kind="python", requests=("pip",))
    lock = replace(lock, tiers=(there, lock.tiers[0]), files=(), layers=layers)
    try:
        ran, _ = _build(bench, lock, wheels, tmp_path)
        assert ran == ("tier-there", "tier-widgets", "image")
    finally:
        bench.remove(*(str(Tag(key=one.key)) for one in stages(graph.of(lock), lock)))


def test_names_of_a_build_that_died_are_removed(bench: Bench) -> None:
    engine = bench.engine
    remove_aliases(engine, current().uid)  # of runs of the tests that were ended
    content = tar({"file": secrets.token_bytes(8)})
    made = load(engine, image([content]), Tars.of([content]), [f"{bench.name}:latest"])
    dead = replace(this_builder(), owner=current()._replace(started=1))
    mine = this_builder()
    key = Key.of({"a": secrets.token_hex(4)})
    names = [alias(each, key) for each in (dead, mine)]
    for name in names:
        engine.tag(made.engine_id, name)
    assert remove_aliases(engine, current().uid) == 1
    assert [bool(engine.inspect(name)) for name in names] == [False, True]
    bench.remove(names[1])


def _without(lock: Lock, name: str) -> Lock:
    """Return ``lock`` without a wheel, and without a tier that has no other."""
    wheels = tuple(pin for pin in lock.wheels if pin.name != name)
    left = {pin.tier for pin in wheels}
    layers = tuple(
        replace(layer, names=tuple(each for each in layer.names if each != name))
        for layer in lock.layers
        if layer.kind != "wheels" or layer.tier in left
    )
    tiers = tuple(tier for tier in lock.tiers if tier.kind != "python" or tier.name in left)
    return replace(lock, wheels=wheels, layers=layers, tiers=tiers)


def _build(
    bench: Bench,
    lock: Lock,
    wheels: dict[str, WheelPin],
    tmp_path: Path,
    builder: Builder | None = None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    workplace = Workplace(
        images=bench.engine,
        builder=builder or choose_builder(bench.engine.client, bench.environment, tmp_path),
        logs=tmp_path / "logs",
        report=lambda _: None,
    )
    sources = Sources(directory=tmp_path, wheel=lambda pin: Path(wheels[pin.name].file))
    made = build_dockerfile(lock, _config(lock, tmp_path), sources, workplace)
    bench.engine.tag(made.engine_id, f"{bench.name}:latest")
    return made.ran, made.reused


@pytest.mark.parametrize("lock", ["owners"], indirect=True)
def test_a_tier_that_fails_is_named_and_nothing_is_tagged(
    bench: Bench, lock: Lock, wheels: dict[str, WheelPin], tmp_path: Path
) -> None:
    run = LockedTier(name="see", kind="run", commands=("echo broken; exit 3",))
    broken = replace(
        lock,
        tiers=(run,),
        wheels=(),
        files=(),
        layers=(LockedLayer(tier="see", kind="executed", names=("see",)),),
    )
    with pytest.raises(Ds01Error) as caught:
        _build(bench, broken, wheels, tmp_path)
    assert str(caught.value).startswith("tier see could not be built in the engine:\n")
    assert "broken" in str(caught.value)
    (log,) = (tmp_path / "logs").iterdir()
    assert caught.value.hint == f"less {log}"
    assert "broken" in log.read_text()
    assert bench.engine.inspect(f"{bench.name}:latest") is None
    made = stages(graph.of(broken), broken)
    assert all(bench.engine.inspect(str(Tag(key=each.key))) is None for each in made[1:])
    bench.remove(str(Tag(key=made[0].key)))


@pytest.mark.parametrize("lock", ["owners"], indirect=True)
def test_debian_packages_are_installed_at_their_versions(
    bench: Bench, lock: Lock, tmp_path: Path
) -> None:
    version = bench.inside(
        f"{_repository(lock)}@{_manifest(lock)}", "dpkg-query -W -f '${Version}' dash"
    )
    deb = DebPin(
        name="dash",
        version=version,
        architecture="amd64",
        path="p",
        size=1,
        digest=Digest.of(b""),
        tier="system",
    )
    system = LockedTier(name="system", kind="apt", requests=("dash",))
    only = replace(
        lock,
        tiers=(system,),
        wheels=(),
        files=(),
        debs=(deb,),
        layers=(LockedLayer(tier="system", kind="executed", names=("system",)),),
    )
    written = default_place(tmp_path / "out", "thesis-cv")
    # What apt leaves behind for itself is no reason to refuse it.
    volumes = ("/opt", "/var/cache", "/var/lib/apt", "/var/log")
    write_dockerfile(only, replace(_config(only, tmp_path), volumes=volumes), tmp_path, written)
    _, *command = _on_this_network(written, f"{bench.name}:latest")
    bench.docker(*command)
    assert bench.inside(f"{bench.name}:latest", "ls /var/lib/apt/lists") == ""


def _repository(lock: Lock) -> str:
    assert isinstance(lock.base, LockedImage)
    return lock.base.reference.rpartition(":")[0]


def _manifest(lock: Lock) -> Digest:
    assert isinstance(lock.base, LockedImage)
    return lock.base.manifest
