"""What an engine shows of an image is the tree of its layers, and facts are equal."""

from __future__ import annotations

import io
import json
import secrets
import subprocess
import tarfile
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from engines import reach
from images import require
from layered import Item, folder, hard, link, packed, program, read, tar

from ds01build.base import probe as probe_module
from ds01build.base.config import parse_config
from ds01build.base.derive import derive, platform_of
from ds01build.base.layers import read_layers
from ds01build.base.probe import FORMAT, read_probed
from ds01build.base.tree import Node
from ds01build.digest import DiffId, Digest
from ds01build.engine import probe
from ds01build.errors import RejectedFile, Unavailable
from ds01build.layer import Layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import docker
    from images import Gallery, Shipped

    from ds01build.base.tree import Tree


@pytest.fixture(params=["graph", "containerd"])
def client(request: pytest.FixtureRequest) -> Iterator[docker.APIClient]:
    with closing(reach(request.param)) as engine:
        yield engine.client


@dataclass(frozen=True)
class Answers:
    """A prober that gives fixed answers."""

    listed: bytes
    packed: bytes = b""
    step: int = 7

    def listing(self) -> Iterable[bytes]:
        return (self.listed[at : at + self.step] for at in range(0, len(self.listed), self.step))

    def contents(self, paths: Sequence[str]) -> Iterable[bytes]:
        assert paths
        return [self.packed]


@dataclass(frozen=True)
class Commands:
    """A prober of a directory of this machine, by the same commands as in a container."""

    root: Path

    def listing(self) -> Iterable[bytes]:
        command = ["find", str(self.root), "-xdev", "-printf", FORMAT]
        return [subprocess.run(command, check=True, capture_output=True).stdout]

    def contents(self, paths: Sequence[str]) -> Iterable[bytes]:
        command = ["tar", "-c", "--hard-dereference", "-f", "-", "-C", str(self.root), "--", *paths]
        return [subprocess.run(command, check=True, capture_output=True).stdout]


INFO = "opt/site/a-1.dist-info"
STRANGE = [
    *(folder("opt", 0o750, 1000), folder("opt/site"), folder("tmp", 0o1777)),
    Item(f"{INFO}/METADATA", b"Name: a\nVersion: 1\n\nText\n"),
    hard("opt/site/b-1.dist-info/METADATA", f"{INFO}/METADATA"),
    Item(f"{INFO}/-name\n\t with 'all'"),
    Item("opt/\udcff\udcfe"),
    link("opt/link", "../../nowhere/\udcff"),
    link("opt/\udcff-link", "site"),
    Item("opt/fifo", kind=tarfile.FIFOTYPE),
    Item("etc/passwd", b"root:x:0:0::/root:/bin/sh\n", mode=0o4600, owner=7),
]


def test_find_and_tar_show_the_tree_that_a_tar_of_it_makes(tmp_path: Path) -> None:
    require("find", "tar", root=True)
    with tarfile.open(fileobj=io.BytesIO(tar(STRANGE))) as archive:
        archive.extractall(tmp_path, filter="fully_trusted", numeric_owner=True)
    probed, streamed = read_probed(Commands(tmp_path)), read(STRANGE)
    assert probed.nodes == streamed.nodes
    assert probed.contents == streamed.contents
    assert probed.read(f"{INFO}/METADATA") == b"Name: a\nVersion: 1\n"


def test_many_files_are_asked_for_in_more_than_one_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("find", "tar")
    for name in "abcdefgh":
        (tmp_path / f"{name}-1.dist-info").mkdir()
        (tmp_path / f"{name}-1.dist-info/METADATA").write_text(f"Name: {name}\n")
    monkeypatch.setattr(probe_module, "MAX_ARGUMENTS", 100)
    tree = read_probed(Commands(tmp_path))
    texts = {tree.read(f"{name}-1.dist-info/METADATA") for name in "abcdefgh"}
    assert texts == {f"Name: {name}\n".encode() for name in "abcdefgh"}


def row(*fields: str) -> bytes:
    return "".join(f"{field}\0" for field in fields).encode()


def test_a_listing_may_come_in_any_pieces() -> None:
    listed = row("d", "755", "0", "0", "4096", "", "") + row("l", "777", "1", "2", "3", "to", "x")
    for step in (1, 2, 7, 1000):
        tree = read_probed(Answers(listed, step=step))
        assert tree.nodes["x"] == Node("symlink", 0o777, 1, 2, 0, "to")


@pytest.mark.parametrize(
    "listed",
    [
        row("f", "644", "0", "0", "1", "", "../x"),
        row("f", "644", "0", "0", "1", "", "a//b"),
        row("f", "99", "0", "0", "1", "", "a"),
        row("f", "644", "-1", "0", "1", "", "a"),
        row("f", "644", "0", "0", "1" * 20, "", "a"),
        row("?", "644", "0", "0", "1", "", "a"),
        row("f", "644", "0"),
        b"find: unrecognized: -printf\n",
        row("f", "644", "0", "0", "1", "", "a" * 40_000),
    ],
)
def test_a_listing_that_no_find_prints_is_refused(listed: bytes) -> None:
    with pytest.raises(RejectedFile, match="the base's listing: "):
        read_probed(Answers(listed))


def test_contents_that_lack_a_file_or_are_too_large_are_refused() -> None:
    listed = row("d", "755", "0", "0", "0", "", "etc") + row(
        *("f", "644", "0", "0", "3", "", "etc/passwd")
    )
    with pytest.raises(RejectedFile, match="the base's files: lack /etc/passwd"):
        read_probed(Answers(listed, tar([Item("etc/group", b"abc")])))
    with pytest.raises(RejectedFile, match="is larger than any image's"):
        read_probed(Answers(listed, tar([Item("etc/passwd", bytes(5 << 20))])))


def upper() -> list[list[Item]]:
    """Return layers over a Debian with Python, with everything that layers can hold."""
    site = "opt/conda/lib/python3.11/site-packages"
    return [
        [
            *STRANGE[3:],
            folder("opt/conda", 0o2775, 1000),
            folder(site, 0o775, 1000),
            folder("home/me", 0o700, 1000),
            Item("home/me/secret", mode=0o600, owner=1000),
            program("opt/conda/bin/python3.11", b"\x7fELF\x003.11.9\x00"),
            link("opt/conda/bin/python3", "python3.11"),
            link("env", "opt/conda"),
            Item("opt/conda/lib/python3.11/os.py"),
            Item("opt/conda/conda-meta/history"),
            Item(f"{site}/numpy-2.2.6.dist-info/METADATA", b"Name: numpy\nVersion: 2.2.6\n"),
            Item(f"{site}/numpy-2.2.6.dist-info/RECORD", b"numpy/__init__.py,,\n"),
            Item(f"{site}/numpy/__init__.py"),
            Item(f"{site}/old-1.dist-info/METADATA", b"Name: old\nVersion: 1\n"),
            folder("srv/kept"),
            Item("srv/kept/a"),
            folder("srv/gone"),
            Item("srv/gone/a"),
        ],
        [
            folder(f"{site}/.wh.old-1.dist-info")._replace(kind=tarfile.REGTYPE, mode=0o600),
            folder("srv", 0o711),
            folder("srv/kept"),
            Item("srv/kept/.wh..wh..opq"),
            Item("srv/kept/b"),
            Item("srv/gone", b"a file"),
        ],
    ]


@dataclass(frozen=True)
class Loaded:
    """An image in an engine, and what its layers are."""

    name: str
    config: bytes
    layers: tuple[tuple[Layer, bytes], ...]

    def streamed(self) -> Tree:
        return read_layers(((a, [b]) for a, b in self.layers), clock=time.monotonic)


def load(client: docker.APIClient, base: Shipped, tars: list[bytes], **container: object) -> Loaded:
    """Load the image of ``base`` with more layers on top."""
    found = base.config
    stored = [path.read_bytes() for path in base.layers()]
    pairs = zip(base.manifest["layers"], found["rootfs"]["diff_ids"], strict=True)
    layers = [
        Layer(digest=Digest(row["digest"]), diff_id=DiffId(diff_id), size=row["size"])
        for row, diff_id in pairs
    ]
    for plain in tars:
        made, chunks = packed(plain)
        layers.append(made)
        stored.append(b"".join(chunks))
    found["rootfs"]["diff_ids"] = [str(each.diff_id) for each in layers]
    found["config"] = {**found["config"], **container}
    found.pop("history", None)
    content = json.dumps(found).encode()
    name = f"facts-test-{secrets.token_hex(6)}:latest"
    loaded = tuple(zip(layers, stored, strict=True))
    entries = [Item(f"{each.digest.hex}.tar", blob) for each, blob in loaded]
    manifest = [
        {
            "Config": f"{Digest.of(content).hex}.json",
            "RepoTags": [name],
            "Layers": [each.path for each in entries],
        }
    ]
    entries += [
        Item(f"{Digest.of(content).hex}.json", content),
        Item("manifest.json", json.dumps(manifest).encode()),
    ]
    for _ in client.load_image(tar(entries, tarfile.GNU_FORMAT)):
        pass
    return Loaded(name, content, loaded)


def with_parents(items: list[Item]) -> list[Item]:
    """Return the layer as engines write it: engines differ in what they make of absent parents."""
    have = {item.path for item in items}
    parents = {
        item.path.rsplit("/", n)[0] for item in items for n in range(1, item.path.count("/") + 1)
    }
    owners = {each.path: each for layer in upper() for each in layer}
    missing = (owners.get(path, folder(path)) for path in parents - have)
    return [*sorted(missing), *items]


def leftovers(client: docker.APIClient, image: str) -> list[object]:
    made = client.containers(all=True, filters={"label": probe.LABEL})
    return [each for each in made if each["Image"] == image]


CONDA = {"Env": ["PATH=/env/bin:/usr/bin:/bin", "TAR_OPTIONS=--exclude=*"], "WorkingDir": "/made"}


@pytest.mark.network
@pytest.mark.parametrize(
    ("container", "is_probed"), [(CONDA, True), ({**CONDA, "Volumes": {"/opt": {}}}, False)]
)
def test_an_engine_shows_the_tree_of_the_layers(
    client: docker.APIClient, gallery: Gallery, container: dict[str, object], is_probed: int
) -> None:
    image = load(
        client, gallery.built("slim"), [tar(with_parents(each)) for each in upper()], **container
    )
    try:
        streamed = image.streamed()
        asked = probe.tree_of(client, image.name, clock=time.monotonic)
        found = probe.probed(client, image.name, time.monotonic)
        exported = probe.exported(client, image.name, time.monotonic)
        left = leftovers(client, image.name)
    finally:
        client.remove_image(image.name, force=True)
    for tree in (asked, exported, *([found] if is_probed and found else [])):
        assert tree.nodes == streamed.nodes
        assert tree.contents == streamed.contents
    assert found is not None
    assert left == []
    config = parse_config(image.config)
    facts = derive(asked, config)
    assert facts == derive(streamed, config)
    assert facts.manager == "conda"
    assert platform_of(facts).python == "3.11.9"
    assert [each.name for each in facts.distributions] == ["numpy"]


@pytest.mark.network
def test_an_image_without_find_is_exported(client: docker.APIClient, gallery: Gallery) -> None:
    hidden = tar([folder("usr"), folder("usr/bin"), Item("usr/bin/.wh.find")])
    image = load(client, gallery.built("slim"), [hidden])
    try:
        assert probe.probed(client, image.name, time.monotonic) is None
        asked = probe.tree_of(client, image.name, clock=time.monotonic)
        left = leftovers(client, image.name)
    finally:
        client.remove_image(image.name, force=True)
    assert asked.nodes == image.streamed().nodes
    assert left == []


def test_an_image_that_the_engine_lacks_is_an_error(client: docker.APIClient) -> None:
    with pytest.raises(Unavailable, match="the engine cannot look into facts-test-none:latest: "):
        probe.tree_of(client, "facts-test-none:latest", clock=time.monotonic)
