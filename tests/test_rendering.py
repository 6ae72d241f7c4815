"""Dockerfiles on disk, and how builders are asked: without an engine."""

from __future__ import annotations

import socket
import stat
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import docker
import pytest
from click.testing import CliRunner
from dockerfiles import base_config, full_lock, image_lock
from values import digest, file_pin

from ds01build import graph
from ds01build.cli.dockerfile import dockerfile
from ds01build.digest import Digest
from ds01build.dockerfile import Tag, render, stages
from ds01build.engine.builder import (
    Buildx,
    Classic,
    Order,
    Workplace,
    build_stages,
    choose_builder,
    missing_stages,
)
from ds01build.errors import Ds01Error, MismatchError, StoreError, Unavailable
from ds01build.lock import LockedTier
from ds01build.workflow.rendering import default_place, project_place, write_dockerfile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ds01build.digest import Key
    from ds01build.dockerfile import Stage
    from ds01build.lock import Lock


def declared_lock(content: bytes = b"hello") -> Lock:
    pin = replace(
        file_pin("/etc/motd", mode=0o640), source="motd", digest=Digest.of(content), size=5
    )
    lock = image_lock(
        LockedTier(name="config", kind="files"), LockedTier(name="code", kind="python")
    )
    return replace(lock, files=(pin,))


def test_a_dockerfile_is_written_with_all_that_it_copies(tmp_path: Path) -> None:
    (tmp_path / "motd").write_bytes(b"hello")
    place = default_place(tmp_path / "new/dockerfiles", "thesis-cv")
    rendered = write_dockerfile(declared_lock(), base_config(), tmp_path, place)
    assert place.dockerfile.read_text() == rendered.dockerfile
    assert place.dockerfile == tmp_path / "new/dockerfiles/thesis-cv.Dockerfile"
    (copied,) = rendered.declared
    assert (place.context / copied.name).read_bytes() == b"hello"
    names = {
        str(each.relative_to(place.context)) for each in place.context.rglob("*") if each.is_file()
    }
    assert names == {copied.name, "install.py", "requirements/code.txt"}
    assert stat.S_IMODE((place.context / copied.name).stat().st_mode) == 0o640
    assert stat.S_IMODE((place.context / "install.py").stat().st_mode) == 0o644


def test_a_dockerfile_is_written_again_over_its_own(tmp_path: Path) -> None:
    place = default_place(tmp_path, "thesis-cv")
    write_dockerfile(
        image_lock(LockedTier(name="code", kind="python")), base_config(), tmp_path, place
    )
    write_dockerfile(image_lock(), base_config(), tmp_path, place)
    assert (
        place.dockerfile.read_text()
        == render(graph.of(image_lock()), image_lock(), base_config()).dockerfile
    )


@pytest.mark.parametrize("content", ["FROM mine\n", "", "\n# made by ds01 from a lock\n"])
def test_a_dockerfile_of_somebody_else_stays(tmp_path: Path, content: str) -> None:
    place = default_place(tmp_path, "thesis-cv")
    place.dockerfile.write_text(content)
    with pytest.raises(Ds01Error) as caught:
        write_dockerfile(image_lock(), base_config(), tmp_path, place)
    assert str(caught.value) == (
        f"{place.dockerfile} was not written by ds01, and is left as it is"
    )
    assert place.dockerfile.read_text() == content
    assert not place.context.exists()


@pytest.mark.parametrize("target", ["nowhere", "real"])
def test_a_link_in_the_place_of_a_dockerfile_stays(tmp_path: Path, target: str) -> None:
    """It may lead to a checkout, whose Dockerfile would no longer be the one that is built."""
    place = default_place(tmp_path, "thesis-cv")
    write_dockerfile(image_lock(), base_config(), tmp_path, place)
    place.dockerfile.rename(tmp_path / "real")
    place.dockerfile.symlink_to(tmp_path / target)
    with pytest.raises(Ds01Error, match="is a link, and stays as it is") as caught:
        write_dockerfile(image_lock(), base_config(), tmp_path, place)
    assert caught.value.hint == f"mv -T -- {place.dockerfile} {place.dockerfile}.old"
    assert place.dockerfile.is_symlink()
    assert not (tmp_path / "nowhere").exists()


def test_a_declared_file_that_changed_since_the_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "motd").write_bytes(b"other")
    with pytest.raises(MismatchError, match=r"^motd: expected sha256:"):
        write_dockerfile(
            declared_lock(), base_config(), tmp_path, default_place(tmp_path, "thesis-cv")
        )
    assert not (tmp_path / "thesis-cv.Dockerfile").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot be (written|read): Not a directory"):
        write_dockerfile(
            image_lock(), base_config(), tmp_path, default_place(tmp_path / "file", "x")
        )


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    place = default_place(tmp_path, "thesis-cv")
    place.context.mkdir()
    (tmp_path / "mine").write_text("mine")
    (place.context / "install.py").symlink_to(tmp_path / "mine")
    write_dockerfile(
        image_lock(LockedTier(name="code", kind="python")), base_config(), tmp_path, place
    )
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (place.context / "install.py").is_symlink()


def test_the_project_of_a_recipe_is_its_folder_or_the_one_above_recipes(tmp_path: Path) -> None:
    assert project_place(tmp_path / "a.toml").dockerfile == tmp_path / "Dockerfile"
    assert project_place(tmp_path / "recipes/a.toml").dockerfile == tmp_path / "Dockerfile"


def test_two_places_for_one_dockerfile_contradict_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("")
    words = [str(tmp_path / "a.toml"), "-o", str(tmp_path), "--project-dockerfile"]
    done = CliRunner().invoke(dockerfile, words)
    assert done.exit_code == 2
    assert "--output and --project-dockerfile contradict each other" in done.output


@dataclass
class Shelf:
    """Images by tag. A fake of Images."""

    ids: dict[str, Digest] = field(default_factory=dict)

    def inspect(self, name: str) -> Image | None:
        return Image(self.ids[name]) if name in self.ids else None

    def tag(self, engine_id: Digest, tag: str) -> None:
        self.ids[tag] = engine_id

    def remove(self, name: str) -> bool:
        return self.ids.pop(name, None) is not None


@dataclass(frozen=True)
class Image:
    engine_id: Digest


@dataclass
class Hands:
    """Builds nothing, and fails at ``broken``. A fake of Builder."""

    shelf: Shelf
    broken: str = ""
    orders: list[Order] = field(default_factory=list)

    def build(self, order: Order) -> tuple[bool, str]:
        self.orders.append(order)
        if order.target == self.broken:
            return False, "".join(f"line {n}\n" for n in range(30)) + "\x1b[31mno\x1b[0m\a\n"
        self.shelf.tag(digest(order.tag), order.tag)
        return True, ""


def tiers(*names: str) -> Lock:
    return image_lock(*(LockedTier(name=name, kind="python") for name in names))


@contextmanager
def no_context(stage: Stage, names: Mapping[Key, str]) -> Iterator[Path]:
    yield None  # type: ignore[misc]


def test_only_stages_without_an_image_are_built(tmp_path: Path) -> None:
    shelf = Shelf()
    hands = Hands(shelf)
    workplace = Workplace(images=shelf, builder=hands, logs=tmp_path, report=lambda _: None)
    one, two = (stages(graph.of(lock), lock) for lock in (tiers("a"), tiers("a", "b")))
    assert missing_stages(one, shelf) == one[1:]
    assert build_stages(one, no_context, workplace).ran == ("tier-a", "image")
    assert (missing_stages(one, shelf), missing_stages(two, shelf)) == ((), two[2:])
    again = build_stages(one, no_context, workplace)
    assert (again.ran, again.reused) == ((), ("tier-a", "image"))
    more = build_stages(two, no_context, workplace)
    assert (more.ran, more.reused) == (("tier-b", "image"), ("tier-a",))
    assert more.engine_id == digest(str(Tag(key=two[-1].key)))


def test_stages_find_each_other_by_names_that_no_registry_has(tmp_path: Path) -> None:
    shelf = Shelf()
    hands = Hands(shelf)
    workplace = Workplace(images=shelf, builder=hands, logs=tmp_path, report=lambda _: None)
    made = stages(graph.of(tiers("a", "b")), tiers("a", "b"))
    seen: list[Mapping[Key, str]] = []

    @contextmanager
    def context(stage: Stage, names: Mapping[Key, str]) -> Iterator[Path]:
        assert all(name in shelf.ids for name in names.values())
        seen.append(dict(names))
        yield tmp_path

    build_stages(made, context, workplace)
    assert [set(names) for names in seen] == [
        set(),
        {made[1].key},
        {made[1].key, made[2].key},
    ]
    for names in seen:
        for key, name in names.items():
            assert name == f"127.0.0.1:0/ds01/{workplace.own}:{key.hex}"
    assert set(shelf.ids) == {str(Tag(key=each.key)) for each in made[1:]}, "they are gone"


def test_an_engine_that_is_lost_while_names_are_removed_hides_no_failure(tmp_path: Path) -> None:
    @dataclass
    class Lost(Shelf):
        def remove(self, name: str) -> bool:
            raise Unavailable(f"{name} cannot be removed")

    shelf = Lost()
    workplace = Workplace(
        images=shelf, builder=Hands(shelf, broken="image"), logs=tmp_path, report=lambda _: None
    )
    with pytest.raises(Ds01Error, match=r"^the image could not be built in the engine:"):
        build_stages(stages(graph.of(tiers("a")), tiers("a")), no_context, workplace)


def test_a_stage_that_is_removed_meanwhile_is_named(tmp_path: Path) -> None:
    shelf = Shelf()

    @dataclass
    class Losing(Hands):
        def build(self, order: Order) -> tuple[bool, str]:
            if order.target == "image":
                shelf.ids.clear()
                return False, "no such image"
            return super().build(order)

    workplace = Workplace(
        images=shelf, builder=Losing(shelf), logs=tmp_path / "logs", report=lambda _: None
    )
    made = stages(graph.of(tiers("a")), tiers("a"))
    with pytest.raises(Ds01Error) as caught:
        build_stages(made, no_context, workplace)
    assert str(caught.value) == (
        "somebody removed images from the engine while they were needed: "
        f"tier-a ({Tag(key=made[1].key)})"
    )
    assert caught.value.hint == ("run the same command again: what is missing is then built anew")
    assert not (tmp_path / "logs").exists()


def test_a_base_that_the_engine_has_is_not_asked_of_a_registry(tmp_path: Path) -> None:
    shelf = Shelf({"the config": digest("base")})
    workplace = Workplace(images=shelf, builder=Hands(shelf), logs=tmp_path, report=lambda _: None)
    made = stages(graph.of(tiers("a")), tiers("a"))
    build_stages(made, no_context, workplace, base=["the manifest", "the config"])
    assert shelf.ids[str(Tag(key=made[0].key))] == digest("base")


def test_what_a_stage_needs_not_it_does_not_reach(tmp_path: Path) -> None:
    shelf = Shelf()
    hands = Hands(shelf)
    workplace = Workplace(images=shelf, builder=hands, logs=tmp_path, report=lambda _: None)
    lock = image_lock(
        LockedTier(name="py", kind="python"),
        LockedTier(name="deb", kind="apt"),
        LockedTier(name="in", kind="run", commands=("true",)),
        LockedTier(name="out", kind="run", commands=("true",), network=True),
    )
    build_stages(stages(graph.of(lock), lock), no_context, workplace)
    network = {order.target: order.network for order in hands.orders}
    assert network == {
        "tier-py": False,
        "tier-deb": True,
        "tier-in": False,
        "tier-out": True,
        "image": False,
    }


def test_a_failure_names_its_tier_and_keeps_its_log(tmp_path: Path) -> None:
    shelf = Shelf()
    hands = Hands(shelf, broken="tier-b")
    workplace = Workplace(
        images=shelf, builder=hands, logs=tmp_path / "logs", report=lambda _: None
    )
    made = stages(graph.of(tiers("a", "b", "c")), tiers("a", "b", "c"))
    with pytest.raises(Ds01Error) as caught:
        build_stages(made, no_context, workplace)
    lines = str(caught.value).splitlines()
    assert lines[0] == "tier b could not be built in the engine:"
    assert lines[1:] == [*(f"line {n}" for n in range(11, 30)), "no"]
    (log,) = (tmp_path / "logs").iterdir()
    assert caught.value.hint == f"less {log}"
    assert log.read_text().startswith("line 0\n")
    assert list(shelf.ids) == [str(Tag(key=made[1].key))]


CUT = "curl: (6) Could not resolve host: example.org\nThe command 'x' returned a non-zero code: 6"
NO_BASE = "dial tcp: lookup example.org: Temporary failure in name resolution"


@pytest.mark.parametrize(
    ("printed", "network", "helps"),
    [(CUT, False, "; a tier gets a network with: "), (CUT, True, ""), (NO_BASE, False, "")],
)
def test_a_command_that_reaches_nobody_is_told_of_its_network(
    tmp_path: Path, *, printed: str, network: bool, helps: str
) -> None:
    @dataclass
    class Cut(Hands):
        def build(self, order: Order) -> tuple[bool, str]:
            return False, f"{order.target}: {printed}"

    shelf = Shelf()
    workplace = Workplace(images=shelf, builder=Cut(shelf), logs=tmp_path, report=lambda _: None)
    tier = LockedTier(name="get", kind="run", commands=("curl x",), network=network)
    lock = image_lock(tier)
    with pytest.raises(Ds01Error) as caught:
        build_stages(stages(graph.of(lock), lock), no_context, workplace)
    (log,) = tmp_path.iterdir()
    assert caught.value.hint.removesuffix("network = true") == f"less {log}{helps}"


def test_no_value_of_a_proxy_is_in_an_argument(tmp_path: Path) -> None:
    program = tmp_path / "docker"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"; printf %s "$HTTPS_PROXY" >&2\n')
    program.chmod(0o755)
    secret = "http://me:secret@proxy"
    builder = Buildx(program=str(program), environment={"HTTPS_PROXY": secret}, cwd=tmp_path)
    order = Order(context=tmp_path, target="t", tag="a:b", network=True)
    done, text = builder.build(order)
    assert done
    assert "--build-arg=HTTPS_PROXY\n" in text
    assert text.count(secret) == 1  # in the environment
    assert "--network=host\n" in text
    done, text = builder.build(replace(order, network=False))
    assert "build-arg" not in text
    assert "--network=none\n" in text


@pytest.mark.parametrize(("code", "kind"), [(0, Buildx), (1, Classic)])
def test_buildkit_is_chosen_where_it_is(
    tmp_path: Path, code: int, kind: type[Buildx | Classic]
) -> None:
    program = tmp_path / "docker"
    program.write_text(f"#!/bin/sh\nexit {code}\n")
    program.chmod(0o755)
    client = docker.APIClient(base_url=f"unix://{tmp_path}/socket", version="1.41")
    assert isinstance(choose_builder(client, {}, tmp_path, program=str(program)), kind)
    missing = choose_builder(client, {}, tmp_path, program=str(tmp_path / "absent"))
    assert isinstance(missing, Classic)


def test_an_engine_that_stops_answering_is_told(tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        server.listen()

        def hang_up() -> None:
            accepted, _ = server.accept()
            accepted.close()

        hanging_up = threading.Thread(target=hang_up)
        hanging_up.start()
        with closing(docker.APIClient(f"unix://{tmp_path}/socket", version="1.41")) as client:
            builder = Classic(client=client, environment={})
            order = Order(context=context, target="t", tag="a:b", network=False)
            with pytest.raises(Unavailable, match="the engine stopped answering"):
                builder.build(order)
        hanging_up.join()


def test_every_stage_of_a_full_lock_has_a_key_of_its_own() -> None:
    made = stages(graph.of(full_lock()), full_lock())
    assert len({stage.key for stage in made}) == len(made)
