"""Streamed layers make the tree that an engine's overlay shows, and hostile ones an error."""

from __future__ import annotations

import gzip
import itertools
import json
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from images import require, run
from layered import Item, folder, hard, layer, link, packed, read, tar

from ds01build.base import layers as layers_module
from ds01build.base.layers import read_layers
from ds01build.base.tree import Node
from ds01build.errors import Ds01Error, MismatchError, RejectedFile
from ds01build.layer import TAR, ZSTD

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from pathlib import Path

    from ds01build.base.tree import Tree

RELEASE = "etc/os-release"


def paths(tree: Tree) -> list[str]:
    return sorted(tree.nodes)


def test_a_whiteout_hides_a_path_of_lower_layers_and_all_below_it() -> None:
    tree = read([Item("a/b/c"), Item("a/d")], [Item("a/.wh.b")])
    assert paths(tree) == ["", "a", "a/d"]


@pytest.mark.parametrize("is_first", [0, 1])
def test_a_whiteout_leaves_its_own_layer_alone_in_any_order(is_first: int) -> None:
    upper = [Item("a/.wh.b"), folder("a/b"), Item("a/b/new")]
    tree = read([Item("a/b/old")], upper if is_first else upper[::-1])
    assert paths(tree) == ["", "a", "a/b", "a/b/new"]


@pytest.mark.parametrize("is_first", [0, 1])
def test_an_opaque_directory_keeps_only_what_its_layer_has(is_first: int) -> None:
    upper = [Item("a/.wh..wh..opq"), Item("a/new")]
    tree = read([Item("a/old"), Item("a/b/c"), Item("d")], upper if is_first else upper[::-1])
    assert paths(tree) == ["", "a", "a/new", "d"]


def test_a_file_replaces_a_directory_and_a_directory_a_file() -> None:
    tree = read([Item("a/b"), Item("c")], [Item("a"), folder("c"), Item("c/d")])
    assert paths(tree) == ["", "a", "c", "c/d"]
    assert tree.nodes["a"].kind == "file"


def test_a_directory_keeps_its_children_and_takes_new_metadata() -> None:
    tree = read([folder("a", 0o700, 5), Item("a/b")], [folder("a", 0o1777, 6)])
    assert tree.nodes["a"] == Node("directory", 0o1777, 6, 6)
    assert "a/b" in tree.nodes


def test_a_directory_that_a_layer_passes_through_stays_as_it_is() -> None:
    tree = read([folder("a", 0o700, 5)], [Item("a/b"), Item("new/c")])
    assert tree.nodes["a"] == Node("directory", 0o700, 5, 5)
    assert tree.nodes["new"] == Node("directory", 0o755, 0, 0)


def test_a_link_of_a_lower_layer_is_replaced_by_what_lies_below_it() -> None:
    tree = read([folder("usr/lib"), link("lib", "usr/lib")], [Item("lib/a")])
    assert paths(tree) == ["", "lib", "lib/a", "usr", "usr/lib"]


def test_a_link_of_the_same_layer_is_followed() -> None:
    tree = read([folder("usr/lib"), link("lib", "usr/lib"), Item("lib/a"), Item("lib/c")])
    assert {"usr/lib/a", "usr/lib/c"} <= tree.nodes.keys()
    assert tree.nodes["lib"].kind == "symlink"


def test_the_last_of_equal_names_in_a_layer_counts() -> None:
    tree = read([Item(RELEASE, b"ID=old"), Item(RELEASE, b"ID=new")])
    assert tree.read(RELEASE) == b"ID=new"


def test_a_hard_link_has_what_its_target_has_even_in_a_lower_layer() -> None:
    first, second = "a-1.dist-info/METADATA", "b-1.dist-info/METADATA"
    text = b"Name: a\n"
    assert read([Item(first, text), hard(second, first)]).read(second) == text
    assert read([Item(first, text)], [hard(second, first)]).read(second) == text
    chained = [hard(second, first), hard("c-1.dist-info/METADATA", second)]
    assert read([Item(first, text)], chained).read("c-1.dist-info/METADATA") == text


def test_a_wanted_name_of_an_unwanted_file_is_an_error_only_when_it_is_read() -> None:
    tree = read([Item("other", b"ID=x"), hard(RELEASE, "other")])
    with pytest.raises(Ds01Error, match=r"the base's /etc/os-release cannot be read"):
        tree.read(RELEASE)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("start", ["", "./", "/"])
def test_every_form_of_tar_and_start_of_a_name_means_the_same(form: int, start: str) -> None:
    long = "/".join(["d" * 90] * (3 if form != tarfile.USTAR_FORMAT else 2))
    plain = tar([Item(f"{start}{long}", b"x" * 600), Item(f"{start}{RELEASE}", b"ID=x")], form)
    tree = read_layers([packed(plain)], clock=lambda: 0.0)
    assert tree.nodes[long] == Node("file", 0o644, 0, 0, 600)
    assert tree.read(RELEASE) == b"ID=x"


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_large_owners_and_long_links_are_read(form: int) -> None:
    plain = tar([Item("a", owner=3_000_000), link("b", "l" * 300)], form)
    tree = read_layers([packed(plain)], clock=lambda: 0.0)
    assert tree.nodes["a"].uid == 3_000_000
    assert tree.nodes["b"].link == "l" * 300


def test_a_name_that_is_not_utf_8_is_kept_apart() -> None:
    tree = read([Item("a/\udcff"), Item("a/\udcfe")])
    assert paths(tree) == ["", "a", "a/\udcfe", "a/\udcff"]


def test_what_an_engine_puts_over_an_image_is_in_no_tree() -> None:
    assert paths(
        read([Item("etc/hosts"), Item("dev/null"), Item(".dockerenv"), Item("etc/a")])
    ) == [*("", "etc", "etc/a")]


def test_layers_are_gzip_of_many_members_zstd_or_plain() -> None:
    plain = tar([Item(RELEASE, b"ID=x"), Item("big", bytes(3 << 20))])
    stored = {
        "members": b"".join(
            gzip.compress(plain[at : at + 999], 1) for at in range(0, len(plain), 999)
        ),
        "zstd": zstd.compress(plain[:5000]) + zstd.compress(plain[5000:]),
        "plain": plain,
    }
    for each in stored.values():
        for media_type in (TAR, ZSTD):
            found = read_layers([(layer(plain, each, media_type), [each])], clock=lambda: 0.0)
            assert found.read(RELEASE) == b"ID=x"
            assert found.nodes["big"].size == 3 << 20


def header(name: bytes = b"a", kind: bytes = b"0", **fields: bytes) -> bytes:
    """Return one tar header; ``size``, ``mode``, ``magic`` and ``link`` may be anything."""
    block = bytearray(512)
    block[: len(name)] = name
    block[100:108] = fields.get("mode", b"0000644\0")
    block[108:116] = block[116:124] = fields.get("uid", b"0000000\0")
    block[124:136] = fields.get("size", b"00000000000\0")
    block[156:157] = kind
    target = fields.get("link", b"")
    block[157 : 157 + len(target)] = target
    block[257:265] = fields.get("magic", b"ustar\x0000")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pax(text: bytes) -> bytes:
    size = b"%011o\0" % len(text)
    return header(b"x", b"x", size=size) + text + bytes(-len(text) % 512)


HOSTILE = {
    "an escaping name": (header(b"../a"), "'../a' is not a path in an image"),
    "a name with .. inside": (header(b"a/../../b"), "is not a path in an image"),
    "an escaping hard link": (header(kind=b"1", link=b"../x"), "is not a path in an image"),
    "a hard link to nothing": (
        header(kind=b"1", link=b"x"),
        "/'a' is a hard link to /'x', which is no file",
    ),
    "a hard link to itself": (header(kind=b"1", link=b"a"), "which is no file"),
    "a link to nothing": (header(kind=b"2"), "is a link to ''"),
    "no name": (header(b""), "'' is not a path in an image"),
    "an unknown type": (header(kind=b"V"), "holds an entry of the unknown type b'V'"),
    "a wrong checksum": (header()[:148] + b"0000000\0" + header()[156:], "wrong checksum"),
    "another magic": (header(magic=b"hello wo"), "is not a tar"),
    "a bad number": (header(size=b"abc\0\0\0\0\0\0\0\0\0"), "the number b'abc"),
    "a huge size": (header(size=b"\x80" + b"\xff" * 11), "an entry has the size"),
    "a huge PAX header": (header(kind=b"x", size=b"77777777777\0"), "PAX header of"),
    "a PAX header without end": (pax(b"99 path=a\n"), "malformed PAX header"),
    "a PAX header without key": (pax(b"6 =ab\n"), "malformed PAX header"),
    "a PAX size that is no number": (pax(b"10 size=-\n") + header(), "has the size '-'"),
    "a long name of nothing": (pax(b"9 path=a\n"), "the long name of nothing"),
    "a long part": (pax(b"311 path=%s\n" % (b"a" * 301)) + header(), "is too long"),
    "NUL in a name": (pax(b"12 path=a\0b\n") + header(), "is not a path in an image"),
    "the middle of a file": (header(b"etc/os-release", size=b"00000001000\0"), "the middle of"),
    "the middle of a header": (header()[:300], "ends in the middle of a header"),
    "a path below a file": (header() + header(b"a/b"), "lies below what is not a directory"),
    "a path below a loop": (
        header(kind=b"2", link=b"a") + header(b"a/b"),
        "lies below what is not a directory",
    ),
    "a path below a whiteout": (header(b".wh.a/b"), "lies below a whiteout"),
    "a whiteout of nothing": (header(b"d/.wh."), "hides no file"),
    "a whiteout of ..": (header(b"d/.wh..."), "hides no file"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_layer_is_an_error_that_names_it(name: str) -> None:
    plain, problem = HOSTILE[name]
    made = layer(plain)
    with pytest.raises(RejectedFile) as caught:
        read_layers([packed(plain)], clock=lambda: 0.0)
    assert str(caught.value).startswith(f"layer {made.digest}: ")
    assert problem in str(caught.value)


@given(st.binary(max_size=2048), st.integers(0, 1500))
def test_no_damage_to_a_tar_is_more_than_an_error(noise: bytes, place: int) -> None:
    plain = bytearray(
        tar([Item(RELEASE, b"ID=x"), folder("a"), link("b", "a"), hard("c", RELEASE)])
    )
    plain[place : place + len(noise)] = noise
    try:
        read_layers([packed(bytes(plain))], clock=lambda: 0.0)
    except RejectedFile as error:
        assert error.name.startswith("layer sha256:")  # noqa: PT017


@pytest.mark.parametrize("stored", [b"\x1f\x8b" + b"\0" * 40, b"\x28\xb5\x2f\xfd" + b"\xff" * 40])
def test_a_damaged_stream_is_an_error_that_names_the_layer(stored: bytes) -> None:
    with pytest.raises(RejectedFile, match=r"layer sha256:[0-9a-f]{64}: is damaged: "):
        read_layers([(layer(b"", stored), [stored])], clock=lambda: 0.0)


def test_a_stream_of_another_digest_diff_id_or_size_is_an_error() -> None:
    good, other = tar([Item("a")]), tar([Item("b")])
    cases = [
        (layer(good), gzip.compress(other, 1, mtime=0)),
        (layer(other, gzip.compress(good, 1, mtime=0)), gzip.compress(good, 1, mtime=0)),
        (layer(good), gzip.compress(good, 1, mtime=0) + b"\0" * 10),
    ]
    for made, stored in cases:
        with pytest.raises(MismatchError, match=f"layer {made.digest}: expected "):
            read_layers([(made, [stored])], clock=lambda: 0.0)


def test_files_bytes_and_seconds_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = "/".join("a" * 100)
    ticks = itertools.count(0.0, 2 * layers_module.MAX_SECONDS)
    with pytest.raises(Ds01Error, match="was not read in 3600 seconds"):
        read_layers([packed(tar([Item("a")]))], clock=lambda: next(ticks))
    monkeypatch.setattr(layers_module, "MAX_ENTRIES", 90)
    with pytest.raises(RejectedFile, match="has more than 90 files"):
        read([Item(deep)])
    monkeypatch.setattr(layers_module, "MAX_UNPACKED", 1 << 20)
    with pytest.raises(RejectedFile, match="unpacks to more than 1048576 B"):
        read([Item("a", bytes(2 << 20))])


NAMES = st.sampled_from(["a", "b", "c"])
WHERE = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def items() -> st.SearchStrategy[Item]:
    """Return entries: links are named apart, so that nothing lies below one."""
    contents, modes = st.sampled_from([b"", b"x", b"yy"]), st.sampled_from([0o600, 0o755])
    made = st.tuples(WHERE, contents, modes).map(lambda each: Item(*each))
    folders = st.tuples(WHERE, st.sampled_from([0o700, 0o1777])).map(lambda each: folder(*each))
    links = WHERE.map(lambda path: link(f"{path}-link", "a/b"))
    hidden = WHERE.map(lambda path: Item(_before(path, ".wh.")))
    opaque = WHERE.map(lambda path: Item(f"{path}/.wh..wh..opq"))
    return st.one_of(made, folders, links, hidden, opaque)


def _before(path: str, mark: str) -> str:
    above, slash, name = path.rpartition("/")
    return f"{above}{slash}{mark}{name}"


def _sensible(made: list[Item]) -> list[Item]:
    """Return ``made`` without what extractors do differently: a path below a file of the layer,
    and whiteouts whose directory the layer doesn't have."""
    files = {item.path for item in made if item.kind == tarfile.REGTYPE and ".wh." not in item.path}
    kept: dict[str, Item] = {}
    for item in made:
        parents = {item.path.rsplit("/", n)[0] for n in range(1, item.path.count("/") + 1)}
        if not parents & files and item.path not in kept:
            kept[item.path] = item
    folders = {path for path, item in kept.items() if item.kind == tarfile.DIRTYPE} | {""}
    return [
        item
        for path, item in kept.items()
        if ".wh." not in path or path.rpartition("/")[0] in folders
    ]


LAYERS = st.lists(st.lists(items(), max_size=8).map(_sensible), min_size=1, max_size=4)


@settings(max_examples=25)
@given(stack=LAYERS)
def test_the_tree_is_what_umoci_unpacks(
    stack: list[list[Item]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    require("umoci", root=True)
    root = tmp_path_factory.mktemp("umoci")
    tars = [tar(_with_parents(made)) for made in stack]
    _write_layout(root / "image", tars)
    done = run("umoci", "unpack", "--image", f"{root / 'image'}:x", root / "bundle")
    assert done.code == 0, done.err
    tree = read_layers(map(packed, tars), clock=lambda: 0.0)
    assert _unpacked(root / "bundle" / "rootfs") == dict(tree.nodes)


def _with_parents(made: list[Item]) -> list[Item]:
    """Return the layer as an engine writes it: sorted, directories before what is in them."""
    have = {item.path for item in made}
    parents = {
        item.path.rsplit("/", n)[0] for item in made for n in range(1, item.path.count("/") + 1)
    }
    return sorted([*made, *(folder(path) for path in parents - have)])


def _unpacked(root: Path) -> dict[str, Node]:
    found = {"": Node("directory", 0o755, 0, 0)}
    for path in root.rglob("*"):
        status, name = path.lstat(), str(path.relative_to(root))
        owner = (status.st_uid, status.st_gid)
        if path.is_symlink():
            found[name] = Node("symlink", 0o777, *owner, 0, str(path.readlink()))
        elif path.is_dir():
            found[name] = Node("directory", status.st_mode & 0o7777, *owner)
        else:
            found[name] = Node("file", status.st_mode & 0o7777, *owner, status.st_size)
    return found


def _write_layout(root: Path, tars: list[bytes]) -> None:
    blobs = root / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(content: bytes, media_type: str) -> dict[str, object]:
        digest = layer(content, content).digest
        (blobs / digest.hex).write_bytes(content)
        return {"mediaType": media_type, "digest": str(digest), "size": len(content)}

    kind = "application/vnd.oci.image"
    rootfs = {"type": "layers", "diff_ids": [str(layer(each, each).diff_id) for each in tars]}
    described = {"architecture": "amd64", "os": "linux", "rootfs": rootfs, "config": {}}
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}.manifest.v1+json",
        "config": put(json.dumps(described).encode(), f"{kind}.config.v1+json"),
        "layers": [put(each, TAR) for each in tars],
    }
    entry = put(json.dumps(manifest).encode(), f"{kind}.manifest.v1+json")
    entry["annotations"] = {"org.opencontainers.image.ref.name": "x"}
    (root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (root / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
