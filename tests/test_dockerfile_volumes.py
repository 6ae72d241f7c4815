"""Commands of a Dockerfile over a base with volumes: builders may drop what is written there."""

from __future__ import annotations

import secrets
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from dockerfiles import base_config, image_lock
from engines import Names, Tars, address, docker_environment, image
from layered import Item, folder, link, tar
from tools_image import tools

from ds01build import graph
from ds01build.base.config import parse_config
from ds01build.digest import Digest
from ds01build.dockerfile import Tag, render, stages
from ds01build.dockerfile.volumes import complaint, watched
from ds01build.engine.builder import Buildx, Classic, Workplace, choose_builder
from ds01build.engine.load import load
from ds01build.errors import Ds01Error
from ds01build.lock import LockedImage, LockedTier, Removed
from ds01build.workflow.rendering import Sources, build_dockerfile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ds01build.base.config import BaseConfig
    from ds01build.engine.api import Engine
    from ds01build.lock import Lock

pytest_plugins = ("engine_fixtures",)

VOLUMES = ("/data", "/none", "/srv/link", "/tmp/mine")
HINT = "write to another directory, or use a base without that VOLUME"


@dataclass(frozen=True)
class Bench:
    """An engine of which a builder is asked, and a base there that has VOLUMES."""

    engine: Engine
    names: Names
    environment: dict[str, str]
    config: BaseConfig
    base: LockedImage
    root: Path

    def lock(self, *commands: str) -> Lock:
        lock = image_lock(LockedTier(name="work", kind="run", commands=commands))
        return replace(lock, base=self.base, name=f"volumes-{secrets.token_hex(4)}")

    def build(self, lock: Lock) -> str:
        """Return the image, and let nothing else of it stay in the engine."""
        builder = choose_builder(self.engine.client, self.environment, self.root)
        kinds = {"graph": Classic, "containerd": Buildx}
        if not isinstance(builder, kinds[self.engine.kind]):
            pytest.skip(f"the engine of kind {self.engine.kind} has another builder")
        workplace = Workplace(
            images=self.engine,
            builder=builder,
            logs=self.root / "logs",
            report=lambda _: None,
        )
        sources = Sources(directory=self.root, wheel=lambda _: self.root)
        made = stages(graph.of(lock), lock)
        try:
            engine_id = build_dockerfile(lock, self.config, sources, workplace).engine_id
            self.engine.tag(engine_id, self.names.tag("made"))
        finally:
            for stage in made:
                self.engine.remove(str(Tag(key=stage.key)))
        return self.names.tag("made")

    def docker(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


@pytest.fixture
def bench(engine: Engine, names: Names, tmp_path: Path) -> Iterator[Bench]:
    own = tar(
        [
            *(folder("data"), folder("data/sub"), Item("data/sub/old", b"old"), folder("real")),
            *(Item("real/old", b"old"), folder("srv"), link("srv/link", "../real")),
        ]
    )
    tars = [tools(), own]
    made = image(tars, Volumes={path: {} for path in VOLUMES}, Env=["PATH=/usr/bin"])
    loaded = load(engine, made, Tars.of(tars), [names.tag("base")])
    base = LockedImage(
        reference=names.tag("base"),
        architecture="amd64",
        manifest=loaded.engine_id,
        config=Digest(address(made.config)),
        layers=made.layers,
    )
    environment = docker_environment(engine.kind, tmp_path)
    environment["DOCKER_BUILDKIT"] = "0" if engine.kind == "graph" else "1"
    yield Bench(engine, names, environment, parse_config(made.config), base, tmp_path)
    for stage in ("made", "plain"):
        engine.remove(names.tag(stage))


SAME = "touch -r /data/sub/old /t; printf new >/data/sub/old; touch -r /t /data/sub/old"
CHANGES = {
    "new": ("echo x >/data/new", "/data/new", "/data"),
    "same": (SAME, "/data/sub/old", "/data"),
    "gone": ("rm /data/sub/old", "/data/sub/old", "/data"),
    "itself": ("chmod 700 /data", "/data/.", "/data"),
    "link": ("echo x >/real/new", "/srv/link/new", "/srv/link"),
    "absent": ("mkdir -p /none; echo x >'/none/a b'", "/none/a b", "/none"),
}
OFTEN = ("new", "same")


@pytest.mark.parametrize(
    ("command", "path", "volume"),
    [
        pytest.param(*change, id=name, marks=[] if name in OFTEN else [pytest.mark.slow])
        for name, change in CHANGES.items()
    ],
)
def test_a_command_that_changes_what_is_below_a_volume_fails(
    bench: Bench, command: str, path: str, volume: str
) -> None:
    with pytest.raises(Ds01Error) as caught:
        bench.build(bench.lock("true", command))
    assert str(caught.value) == (
        f"work: {path!r} is below {volume}, a volume of the base, which is no part of an image"
    )
    assert caught.value.hint == HINT


def test_a_command_that_changes_nothing_there_passes_and_fails_as_its_own(bench: Bench) -> None:
    commands = (
        "cat /data/sub/old /srv/link/old >/seen; mkdir -p /data /none /tmp/mine",
        "echo x >/tmp/mine/file; mkdir /datax; echo 'a b' >/datax/file; rm -rf /etc/localtime",
        'exec >/last; set +e; false; echo "$PWD$* it\'s"',
    )
    made = bench.build(bench.lock(*commands))
    seen = bench.docker("run", "--rm", "--network=none", made, "cat", "/seen", "/last")
    assert seen.stdout == "oldold/ it's\n", seen.stderr
    with pytest.raises(Ds01Error, match=r"^tier work could not be built in the engine:") as caught:
        bench.build(bench.lock("echo broken; exit 7"))
    assert "broken" in str(caught.value)
    assert "7" in str(caught.value)


def test_a_published_dockerfile_fails_with_the_same_words(bench: Bench) -> None:
    lock = bench.lock("echo x >/data/new")
    text = render(graph.of(lock), lock, bench.config).dockerfile
    place = bench.root / "published"
    place.mkdir()
    source = f"{bench.base.reference.partition(':')[0]}@{bench.base.manifest}"
    assert source in text
    (place / "Dockerfile").write_text(text.replace(source, bench.base.reference))
    words = ("build", "--network=none", "--force-rm", "-t", bench.names.tag("plain"))
    done = bench.docker(*words, str(place))
    assert done.returncode != 0
    said = "ds01: /data/new is below /data, a volume of the base, which is no part of an image"
    assert f"{said}; {HINT}" in f"{done.stdout}{done.stderr}"


def test_what_a_distribution_of_the_base_leaves_is_looked_after(bench: Bench) -> None:
    lock = image_lock(LockedTier(name="code", kind="python"))
    removed = Removed(name="a-code", version="1.0", paths=("data/sub",))
    lock = replace(lock, base=bench.base, removed=(removed,))
    text = render(graph.of(lock), lock, bench.config).dockerfile
    assert '"--", \\\n     "rm", "-rf", "--", "/data/sub"]' in text


def test_only_volumes_are_watched_that_an_image_can_lose_something_below() -> None:
    volumes = ("/data/a", "/data/", "/tmp", "/tmp/x", "/run/x", "/", "relative", "/data/../x")
    assert watched((*volumes, "/da", "/var\n", "/srv/$x *'\"")) == ("/da", "/data", "/srv/$x *'\"")
    assert watched(()) == ()


def test_without_volumes_a_dockerfile_watches_nothing() -> None:
    lock = image_lock(LockedTier(name="work", kind="run", commands=("true",)))
    assert "stat" not in render(graph.of(lock), lock, base_config()).dockerfile


def test_a_complaint_is_found_in_what_builders_print() -> None:
    rule = "a volume of the base, which is no part of an image"
    said = f"ds01: /data/x is below /data, {rule}; {HINT}\n"
    assert complaint(f"#7 0.31 {said}#7 ERROR: process") == f"'/data/x' is below /data, {rule}"
    assert complaint("ds01: nothing") == ""
