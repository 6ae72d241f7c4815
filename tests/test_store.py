from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from images import require, succeed
from store_contract import RULES, layer_of

from ds01build.digest import Canonical, Digest, Key, canonical
from ds01build.errors import StoreError
from ds01build.events import Event, Verified, Verifying
from ds01build.store import DirStore, Store, layout, open_store, roots
from ds01build.store.audit import Finding, usage, verify
from ds01build.store.durable import free_bytes, write_durably
from ds01build.store.roots import Generation
from ds01build.store.sealed import seal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = ("store_fixtures",)

UID = os.geteuid()
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


def put_image(store: DirStore, name: str, layers: tuple[bytes, ...]) -> Digest:
    """Store an image of ``layers`` and a key for each, and give it a name."""

    def descriptor(media_type: str, content: bytes) -> dict[str, Canonical]:
        return {"mediaType": media_type, "digest": str(store.put(content)), "size": len(content)}

    for content in layers:
        store.put(content)
        store.record(Key.of({"layer": content.hex()}), layer_of(content), {"layer": content.hex()})
    config = canonical({"os": "linux", "config": {"Labels": {"of": name}}})
    manifest = canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": descriptor(CONFIG_TYPE, config),
            "layers": [descriptor(LAYER_TYPE, content) for content in layers],
        }
    )
    digest = store.put(manifest)
    store.tag(name, manifest=digest, size=len(manifest), media_type=MANIFEST_TYPE, annotations={})
    return digest


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_store_keeps_the_contract(rule: Callable[[Store], None], store: DirStore) -> None:
    rule(store)


@given(contents=st.lists(st.binary(max_size=200), max_size=8))
@settings(max_examples=15, deadline=None)
def test_a_blob_is_there_exactly_if_it_was_put(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    store = open_store(tmp_path_factory.mktemp("s") / "store", uid=UID)
    for content in contents[::2]:
        store.put(content)
    for content in contents:
        assert store.has(Digest.of(content), len(content)) == (content in contents[::2])
    assert list(verify(store)) == []


# --- what it looks like


def test_a_store_is_private_and_blobs_are_read_only_under_any_umask(tmp_path: Path) -> None:
    for mask in (0o000, 0o077):
        before = os.umask(mask)
        try:
            store = open_store(tmp_path / f"{mask}" / "store", uid=UID)
            put_image(store, "demo", (b"layer",))
        finally:
            os.umask(before)
        for path in store.root.rglob("*"):
            wanted = 0o700 if path.is_dir() else 0o444 if "blobs" in path.parts else 0o600
            assert path.stat().st_mode & 0o7777 == wanted, path
        assert store.root.stat().st_mode & 0o7777 == 0o700


def test_a_store_is_an_oci_layout(store: DirStore) -> None:
    digest = put_image(store, "thesis-cv", (b"layer",))
    assert json.loads((store.root / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((store.root / "index.json").read_text())
    assert index["schemaVersion"] == 2
    assert [one["digest"] for one in index["manifests"]] == [digest.value]
    notes = index["manifests"][0]["annotations"]
    assert notes == {"org.opencontainers.image.ref.name": "thesis-cv"}


def test_equal_stores_have_equal_files(tmp_path: Path) -> None:
    stores = [open_store(tmp_path / name, uid=UID) for name in ("a", "b")]
    put_image(stores[0], "one", (b"1", b"2"))
    put_image(stores[0], "two", (b"2", b"3"))
    put_image(stores[1], "two", (b"2", b"3"))
    put_image(stores[1], "one", (b"1", b"2"))
    contents = [
        {
            path.relative_to(s.root): path.read_bytes()
            for path in s.root.rglob("*")
            if path.is_file()
        }
        for s in stores
    ]
    assert contents[0] == contents[1]


def test_a_store_at_the_end_of_a_link_is_used_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("elsewhere")
    assert open_store(tmp_path / "link", uid=UID).root == tmp_path / "elsewhere"


# --- what is refused


def test_a_store_that_others_can_write_is_refused(store: DirStore) -> None:
    for directory in (store.root, store.root / "keys"):
        directory.chmod(0o770)
        with pytest.raises(StoreError) as caught:
            open_store(store.root, uid=UID)
        assert str(caught.value) == (
            f"{directory} can be written by others (mode 0770), who could change what your builds"
            " use"
        )
        assert caught.value.hint == f"chmod go-w {directory}"
        directory.chmod(0o700)


def test_a_store_of_another_user_is_refused(store: DirStore) -> None:
    with pytest.raises(StoreError) as caught:
        open_store(store.root, uid=UID + 1)
    assert str(caught.value) == f"{store.root} belongs to uid {UID}, not to you (uid {UID + 1})"


def test_a_store_where_everyone_can_rename_is_refused(tmp_path: Path) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public").chmod(0o777)
    with pytest.raises(StoreError, match=r"everyone can rename what is in .*/public \(mode 0777\)"):
        open_store(tmp_path / "public" / "store", uid=UID)
    (tmp_path / "public").chmod(0o1777)
    open_store(tmp_path / "public" / "store", uid=UID)


def test_a_store_of_a_newer_format_is_refused(store: DirStore) -> None:
    (store.root / "version").write_text("2\n")
    with pytest.raises(StoreError) as caught:
        open_store(store.root, uid=UID)
    assert str(caught.value) == (
        f"the store {store.root} has format 2, and this ds01 knows formats up to 1"
    )


def test_a_directory_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(StoreError, match=r"is not a store: it holds 'thesis.tex'"):
        open_store(tmp_path, uid=UID)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_store_whose_creation_was_cut_short_is_completed(store: DirStore) -> None:
    put_image(store, "a", (b"1",))
    (store.root / "version").unlink()
    (store.root / "oci-layout").unlink()
    (store.root / "facts").rmdir()
    again = open_store(store.root, uid=UID)
    assert list(verify(again)) == []
    assert [tag.name for tag in again.tags()] == ["a"]


def test_a_link_in_the_place_of_a_directory_is_refused(store: DirStore, tmp_path: Path) -> None:
    (store.root / "keys").rmdir()
    (store.root / "keys").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="keys is not a directory"):
        open_store(store.root, uid=UID)


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p"])
def test_a_network_file_system_is_refused_with_its_kind(kind: str, tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "21 1 8:1 / / rw - ext4 /dev/vda rw\n"
        f"22 21 0:40 / {tmp_path}/net\\040home rw shared:1 - {kind} server:/home rw\n"
    )
    with pytest.raises(StoreError, match=rf"net home/store is on a network file system \({kind}\)"):
        layout.prepare(tmp_path / "net home" / "store", uid=UID, mounts=mounts)
    layout.prepare(tmp_path / "local" / "store", uid=UID, mounts=mounts)


# --- rows


def test_a_row_is_a_miss_once_its_blob_is_gone_or_short(store: DirStore) -> None:
    key, layer = Key.of({"a": 1}), layer_of(b"layer")
    store.put(b"layer")
    store.record(key, layer, {"a": 1})
    store.remove(layer.digest)
    assert store.layer(key) is None
    store.path(layer.digest).write_bytes(b"laye")
    assert store.layer(key) is None
    store.put(b"layer")
    assert store.layer(key) == layer


def test_every_flipped_byte_of_a_row_makes_it_a_miss(store: DirStore) -> None:
    key, layer = Key.of({"a": 1}), layer_of(b"layer")
    store.put(b"layer")
    store.record(key, layer, {"a": 1})
    (path,) = (store.root / "keys").rglob("*.json")
    row = path.read_bytes()
    for position in range(len(row)):
        for flip in (0x01, 0x20, 0x80):
            changed = bytearray(row)
            changed[position] ^= flip
            path.write_bytes(changed)
            assert store.layer(key) is None, (position, flip)
    path.write_bytes(row)
    assert store.layer(key) == layer


@pytest.mark.parametrize(
    "row",
    [
        b"",
        b"null",
        b"[]",
        b'{"check": 1}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"schema":"ds01.layer/1","schema":"ds01.layer/1"}',
        b'{"size":1e400,"check":NaN}',
        b"\xff\xfe",
        b"9" * 5000,
    ],
)
def test_a_hostile_row_is_a_miss(row: bytes, store: DirStore) -> None:
    key = Key.of({"a": 1})
    store.record_document(key, {})
    (path,) = (store.root / "keys").rglob("*.json")
    path.write_bytes(row)
    assert store.layer(key) is None
    assert store.document(key) is None


def test_a_row_of_another_schema_is_a_miss(store: DirStore) -> None:
    key = Key.of({"a": 1})
    store.record_document(key, {"b": 2})
    (path,) = (store.root / "keys").rglob("*.json")
    fields: dict[str, Canonical] = {
        "schema": "ds01.document/2",
        "key": key.value,
        "document": {"b": 2},
    }
    path.write_bytes(seal({**fields, "schema": "ds01.document/2"}))
    assert store.document(key) is None
    path.write_bytes(seal({**fields, "schema": "ds01.document/1"}))
    assert store.document(key) == {"b": 2}


def test_a_row_of_another_key_is_a_miss(store: DirStore) -> None:
    mine, other = Key.of({"a": 1}), Key.of({"a": 2})
    store.put(b"layer")
    store.record(mine, layer_of(b"layer"), {})
    store.record(other, layer_of(b"layer"), {})
    path = store.root / "keys" / other.hex[:2] / f"{other.hex}.json"
    path.write_bytes((store.root / "keys" / mine.hex[:2] / f"{mine.hex}.json").read_bytes())
    assert store.layer(other) is None


def test_a_row_that_others_can_write_is_a_miss(store: DirStore) -> None:
    key = Key.of({"a": 1})
    store.record_document(key, {"b": 2})
    (path,) = (store.root / "keys").rglob("*.json")
    path.chmod(0o666)
    assert store.document(key) is None


@pytest.mark.skipif(UID != 0, reason="only root can give files away")
def test_a_row_of_another_user_is_a_miss(store: DirStore) -> None:
    key = Key.of({"a": 1})
    store.record_document(key, {"b": 2})
    (path,) = (store.root / "keys").rglob("*.json")
    os.chown(path, 65534, 65534)
    assert store.document(key) is None


def test_a_document_is_found_by_its_key_and_is_no_layer(store: DirStore) -> None:
    key = Key.of({"recipe": "x", "lock": "y"})
    assert store.document(key) is None
    store.record_document(key, {"image": {"digest": "d"}, "seconds": 3, "names": ["a"]})
    assert store.document(key) == {"image": {"digest": "d"}, "seconds": 3, "names": ["a"]}
    assert store.layer(key) is None


# --- names


def test_a_tag_moves_and_others_stay(store: DirStore) -> None:
    first = put_image(store, "a", (b"1",))
    put_image(store, "b", (b"2",))
    third = put_image(store, "a", (b"3",))
    assert first != third
    assert {tag.name: tag.manifest for tag in store.tags()}["a"] == third
    assert [tag.name for tag in store.tags()] == ["a", "b"]


def test_descriptors_of_other_tools_are_kept(store: DirStore) -> None:
    path = store.root / "index.json"
    foreign = {"mediaType": MANIFEST_TYPE, "digest": "sha256:" + "0" * 64, "size": 2}
    path.write_text(json.dumps({"schemaVersion": 2, "manifests": [foreign]}))
    put_image(store, "a", (b"1",))
    manifests = json.loads(path.read_text())["manifests"]
    assert foreign in manifests
    assert len(manifests) == 2
    assert [tag.name for tag in store.tags()] == ["a"]


def test_a_damaged_index_stays_where_it_is_and_nothing_is_named_over_it(store: DirStore) -> None:
    put_image(store, "a", (b"1",))
    path = store.root / "index.json"
    whole = path.read_bytes()
    before = store.tags()
    for damage in (whole[:-20], whole.replace(b'"a"', b'"b"'), b"", b"{}"):
        path.write_bytes(damage)
        assert store.tags() == before  # from the copy
        with pytest.raises(StoreError) as caught:
            put_image(store, "b", (b"2",))
        assert str(caught.value) == f"{path} is damaged, and what it names would be lost"
        assert caught.value.hint == "ds01 store verify --repair"
        with pytest.raises(StoreError, match="would be lost"):
            store.untag(lambda _: True)
        assert open_store(store.root, uid=UID).tags() == before
        assert path.read_bytes() == damage
    path.write_bytes(whole)
    put_image(store, "b", (b"2",))
    assert [tag.name for tag in store.tags()] == ["a", "b"]


def test_what_other_tools_write_into_the_layout_is_believed(store: DirStore) -> None:
    """They keep the check, which fits no longer."""
    require("skopeo", "umoci")
    first, second = (put_image(store, name, (name.encode(),)) for name in ("a", "b"))
    layout = str(store.root)
    succeed("umoci", "tag", "--image", f"{layout}:a", "mine")
    copied = ("skopeo", "--insecure-policy", "copy", "--quiet")
    succeed(*copied, f"oci:{layout}:b", f"oci:{layout}:theirs")
    named = {"a": first, "b": second, "mine": first, "theirs": second}
    assert {tag.name: tag.manifest for tag in store.tags()} == named
    assert "index.json" in dict(findings(store))  # until ds01 writes it again
    named["c"] = put_image(store, "c", (b"c",))
    assert {tag.name: tag.manifest for tag in store.tags()} == named
    assert "index.json" not in dict(findings(store))
    succeed("umoci", "rm", "--image", f"{layout}:mine")
    del named["mine"]
    assert {tag.name: tag.manifest for tag in store.tags()} == named


def test_a_name_of_a_generation_stays_when_another_tool_drops_or_damage_changes_it(
    store: DirStore,
) -> None:
    put_image(store, "a@1", (b"1",))
    image = put_image(store, "a", (b"1",))
    put_image(store, "mine", (b"1",))
    made = Generation(image=image, lock=None, created="2026-11-01T12:00:00Z")
    roots.append(store.root, "a", made)
    path, before = store.root / "index.json", {(tag.name, tag.manifest) for tag in store.tags()}
    document = json.loads(path.read_text())
    written = json.dumps({"schemaVersion": 2, **document})  # in the order that tools in Go have
    for there, then in (("a@1", "a@3"), ("a", "b"), ("ref.name", "ref.nama")):
        path.write_text(written.replace(f'{there}"', f'{then}"'))
        lost = before - {(tag.name, tag.manifest) for tag in store.tags()}
        assert {name for name, _ in lost} <= {"mine"}
        put_image(store, "c", (b"3",))
        store.untag(lambda tag: tag.name == "c")
        assert {"a", "a@1"} <= {tag.name for tag in store.tags()}
    other = put_image(store, "c", (b"3",))
    path.write_text(written.replace(json.dumps(image.value), json.dumps(other.value)))
    assert {tag.name: tag.manifest for tag in store.tags()}["a"] == other  # moved, not dropped


def test_either_of_index_and_copy_is_written_again_from_the_other(store: DirStore) -> None:
    put_image(store, "a", (b"1",))
    whole = (store.root / "index.json").read_bytes()
    for name in ("index.json", "index.copy"):  # stores of an earlier ds01 have no copy
        (store.root / name).unlink()
        assert [tag.name for tag in open_store(store.root, uid=UID).tags()] == ["a"]
        assert (store.root / name).read_bytes() == whole


def test_the_copy_is_never_older_than_the_index(
    store: DirStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_image(store, "a", (b"1",))
    written: list[str] = []

    def interrupted(path: Path, content: bytes, *, aside: Path) -> None:
        if written:
            raise InterruptedError
        written.append(path.name)
        write_durably(path, content, aside=aside)

    monkeypatch.setattr("ds01build.store.directory.write_durably", interrupted)
    with pytest.raises(StoreError):
        store.untag(lambda _: True)
    assert written == ["index.copy"]
    assert [tag.name for tag in store.tags()] == ["a"]  # the index is believed while it is whole
    assert store.copied() == []
    assert findings(store) == []


def test_an_index_that_is_lost_with_its_copy_is_not_taken_for_an_empty_one(store: DirStore) -> None:
    image = put_image(store, "a", (b"1",))
    made = Generation(image=image, lock=None, created="2026-11-01T12:00:00Z")
    roots.append(store.root, "a", made)
    for name in ("index.json", "index.copy"):
        (store.root / name).unlink()
    assert open_store(store.root, uid=UID).descriptors() is None


def test_only_names_that_other_tools_accept_are_given(store: DirStore) -> None:
    for name in ("", "-a", "a b", "a\n", "../a", "a" * 256):
        with pytest.raises(ValueError, match="not a name for an image"):
            put_image(store, name, (b"1",))


def test_a_name_is_given_only_to_what_is_there(store: DirStore) -> None:
    with pytest.raises(StoreError, match="is not in the store"):
        store.tag("a", manifest=Digest.of(b"x"), size=1, media_type=MANIFEST_TYPE, annotations={})


# --- verify, quarantine, usage


def findings(store: DirStore) -> list[tuple[str, str]]:
    return [(finding.path, finding.kind) for finding in verify(store)]


def test_verify_finds_every_flipped_byte(store: DirStore) -> None:
    put_image(store, "demo", (b"one layer",))
    watched = ("version", "oci-layout", "index.json")
    files = [path for path in store.root.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= set(watched)
    assert findings(store) == []
    for path in files:
        content = path.read_bytes()
        mode = path.stat().st_mode
        for position in range(0, len(content), 1 + len(content) // 40):
            changed = bytearray(content)
            changed[position] ^= 0x04
            path.chmod(0o600)
            path.write_bytes(changed)
            path.chmod(mode)
            assert path.relative_to(store.root).as_posix() in dict(findings(store)), position
        path.chmod(0o600)
        path.write_bytes(content)
        path.chmod(mode)
    assert findings(store) == []


def test_verify_finds_what_is_cut_short_missing_or_foreign(store: DirStore) -> None:
    layer = Digest.of(b"one layer")
    manifest = put_image(store, "demo", (b"one layer",))
    blob = f"blobs/sha256/{layer.hex}"
    store.path(layer).chmod(0o600)
    store.path(layer).write_bytes(b"one la")
    store.path(layer).chmod(0o444)
    (row,) = (store.root / "keys").rglob("*.json")
    row_name = row.relative_to(store.root).as_posix()
    image = f"blobs/sha256/{manifest.hex}"
    assert findings(store) == [(blob, "corrupt"), (row_name, "missing"), (image, "missing")]
    store.remove(layer)
    assert findings(store) == [(row_name, "missing"), (image, "missing")]
    store.put(b"one layer")
    store.remove(manifest)
    assert findings(store) == [("index.json", "missing")]
    for name in ("notes.txt", "blobs/md5", "blobs/sha256/abc", "keys/x.json", "roots/a b/1.json"):
        (store.root / name).parent.mkdir(exist_ok=True)
        (store.root / name).touch()
    put_image(store, "demo", (b"one layer",))
    assert findings(store) == [
        ("notes.txt", "foreign"),
        ("blobs/md5", "foreign"),
        ("blobs/sha256/abc", "foreign"),
        ("keys/x.json", "foreign"),
        ("roots/a b/1.json", "foreign"),
    ]


def test_verify_reports_every_byte_of_blobs_that_it_reads(store: DirStore) -> None:
    put_image(store, "demo", (b"one layer", b"large" * 500_000))
    size = sum(path.stat().st_size for path in (store.root / "blobs/sha256").iterdir())
    events: list[Event] = []
    assert list(verify(store, events.append)) == []
    assert events[0] == Verifying(size=size)
    read = [event.size for event in events if isinstance(event, Verified)]
    assert len(read) == len(events) - 1
    assert sum(read) == size
    assert max(read) <= 1 << 20


def test_verify_says_what_the_bytes_are(store: DirStore) -> None:
    digest = store.put(b"right")
    store.path(digest).chmod(0o600)
    store.path(digest).write_bytes(b"wrong")
    assert list(verify(store)) == [
        Finding(
            path=f"blobs/sha256/{digest.hex}",
            kind="corrupt",
            problem=f"its 5 bytes are {Digest.of(b'wrong')}",
            digest=digest,
        )
    ]


def test_a_blob_that_can_be_written_to_is_found(store: DirStore) -> None:
    digest = store.put(b"right")
    store.path(digest).chmod(0o644)
    assert findings(store) == [(f"blobs/sha256/{digest.hex}", "corrupt")]


def test_a_manifest_that_two_readers_could_understand_differently_is_corrupt(
    store: DirStore,
) -> None:
    manifest = b'{"mediaType":"%s","layers":[],"layers":[],"config":{}}' % MANIFEST_TYPE.encode()
    digest = store.put(manifest)
    store.tag("a", manifest=digest, size=len(manifest), media_type=MANIFEST_TYPE, annotations={})
    (finding,) = verify(store)
    assert finding.problem == "a member is given twice"


def test_a_quarantined_blob_is_not_served_and_can_be_put_again(store: DirStore) -> None:
    digest = store.put(b"right")
    store.path(digest).chmod(0o600)
    store.path(digest).write_bytes(b"wrong")
    store.quarantine(digest)
    assert not store.has(digest)
    assert (store.root / "quarantine" / digest.hex).read_bytes() == b"wrong"
    store.put(b"right")
    assert store.source(digest).read(0, 9) == b"right"
    store.quarantine(Digest.of(b"not there"))


def test_put_replaces_a_blob_that_lies(store: DirStore) -> None:
    digest = store.put(b"right")
    store.path(digest).chmod(0o600)
    store.path(digest).write_bytes(b"wrong")
    store.put(b"right")
    assert findings(store) == []


def test_usage_tells_blobs_apart_by_what_names_them(store: DirStore) -> None:
    put_image(store, "demo", (b"a layer", b"another"))
    store.put(b"a wheel of 20 bytes.")
    (store.root / "tmp" / "x").write_bytes(b"123")
    (store.root / "facts" / "cache.db").write_bytes(b"12345")
    (store.root / "logs" / "work.log").write_bytes(b"1234567")
    used = usage(store)
    assert (used.layers, used.sources, used.temporary, used.facts) == (14, 20, 3, 5)
    blobs = sum(path.stat().st_size for path in (store.root / "blobs/sha256").iterdir())
    assert used.images == blobs - 34
    keys = [path.stat().st_size for path in (store.root / "keys").rglob("*.json")]
    index = (store.root / "index.json").stat().st_size
    assert used.rows == sum(keys) + 2 * index  # with its copy
    assert used.logs == 7
    assert used.total == blobs + used.rows + 15


# --- processes


def test_opening_removes_what_killed_processes_left(store: DirStore) -> None:
    for name in ("tmp/abc", "leases/abc.json", "locks/abc"):
        (store.root / name).write_text("4711")
    (store.root / "tmp" / "abc").chmod(0o444)
    with store.writer() as writer, store.lock(Key.of({}), lambda _: None):
        writer.write(b"being written")
        open_store(store.root, uid=UID)
        assert [len(list((store.root / n).iterdir())) for n in ("tmp", "leases", "locks")] == [
            1,
            0,
            1,
        ]
        digest, _ = writer.commit()
    assert store.has(digest)


def test_a_lock_leaves_no_file(store: DirStore) -> None:
    with store.lock(Key.of({}), lambda _: None):
        pass
    assert list((store.root / "locks").iterdir()) == []


def test_an_error_of_the_caller_passes_through_a_lock_unchanged(store: DirStore) -> None:
    with pytest.raises(ConnectionError), store.lock(Key.of({}), lambda _: None):
        raise ConnectionError


def test_free_bytes_of_a_place_that_does_not_exist_yet(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet") > 0
