"""Read-only stores: who is believed, and that nothing of one is written or taken on trust."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from values import digest, layer_for
from world import files_below

from ds01build.digest import DiffId, Digest, Key
from ds01build.errors import StoreError
from ds01build.layer import Layer
from ds01build.store import open_store
from ds01build.store.facts import open_facts, read_fact
from ds01build.store.readonly import ReadOnlyStore, open_read_only
from ds01build.store.rows import layer_row, row_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from world import Outcome, World

pytest_plugins = ("world_fixtures",)

ME = os.geteuid()
OTHER = 4321
KEY = Key.of({"schema": "t", "a": "1"})
CONTENT = b"a layer"
LAYER = Layer(digest=Digest.of(CONTENT), diff_id=DiffId(digest("plain").value), size=len(CONTENT))

needs_root = pytest.mark.skipif(ME != 0, reason="only root can give files away")


def opened(root: Path, *trusted: int) -> ReadOnlyStore:
    return open_read_only(root, trusted=frozenset({ME, *trusted}))


def reason(root: Path, *trusted: int) -> str:
    with pytest.raises(StoreError) as caught:
        opened(root, *trusted)
    return str(caught.value)


def state(root: Path) -> list[tuple[str, int, int, int]]:
    """Return what would show that something was written."""
    stats = {str(path): path.lstat() for path in (root, *root.rglob("*"))}
    return sorted((name, s.st_ino, s.st_mtime_ns, s.st_ctime_ns) for name, s in stats.items())


def give(root: Path, uid: int) -> None:
    for path in (root, *root.rglob("*")):
        os.chown(path, uid, -1, follow_symlinks=False)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a store with one layer that others may read."""
    root = tmp_path / "theirs"
    root.mkdir(mode=0o755)
    store = open_store(root, uid=ME)
    store.put(CONTENT)
    store.record(KEY, LAYER, {})
    for path in (root / "blobs", root / "blobs/sha256", root / "keys"):
        path.chmod(0o755)
    (root / "version").chmod(0o644)
    return root


def test_layers_and_blobs_are_found_and_nothing_is_written(place: Path) -> None:
    before = state(place)
    store = opened(place)
    assert store.layer(KEY) == LAYER
    assert store.layer(Key.of({"schema": "t", "a": "2"})) is None
    assert store.has(LAYER.digest, LAYER.size)
    assert not store.has(LAYER.digest, LAYER.size + 1)
    assert store.source(LAYER.digest, LAYER.size).read(0, 99) == CONTENT
    assert state(place) == before


def test_who_lets_others_read_a_store_lets_them_read_what_it_will_hold(place: Path) -> None:
    row = row_path(place / "keys", KEY)
    assert (row.stat().st_mode & 0o777, row.parent.stat().st_mode & 0o777) == (0o644, 0o755)
    place.chmod(0o700)
    other = Key.of({"schema": "t", "a": "2"})
    open_store(place, uid=ME).record(other, LAYER, {})
    row = row_path(place / "keys", other)
    assert (row.stat().st_mode & 0o777, row.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_row_is_believed_only_where_its_owner_alone_can_have_written_it(place: Path) -> None:
    row = row_path(place / "keys", KEY)
    row.chmod(0o646)
    assert opened(place).layer(KEY) is None
    row.chmod(0o644)
    assert opened(place).layer(KEY) == LAYER
    row.write_bytes(row.read_bytes().replace(b"plain", b"plane").replace(b'"size":7', b'"size":8'))
    assert opened(place).layer(KEY) is None, "a damaged one"
    row.write_bytes(layer_row(KEY, layer_for(KEY), {}))
    assert opened(place).layer(KEY) is None, "one whose blob is not there"


def test_facts_are_read_where_their_owner_alone_can_have_written_them(place: Path) -> None:
    assert opened(place).facts() is None, "there are none"
    theirs = open_facts(place / "facts")
    theirs.put("deb", "a", {"b": [1]})
    theirs.close()
    (place / "facts").chmod(0o755)
    before = state(place)
    file = opened(place).facts()
    assert file is not None
    assert read_fact(file, "deb", "a") == {"b": [1]}
    assert read_fact(file, "deb", "b") is None
    assert state(place) == before
    for path in (file, file.parent):
        mode = path.stat().st_mode
        path.chmod(mode | 0o020)
        assert opened(place).facts() is None
        path.chmod(mode)
    file.write_bytes(b"no database")
    assert read_fact(file, "deb", "a") is None


@needs_root
def test_a_row_of_somebody_else_is_not_believed(place: Path) -> None:
    os.chown(row_path(place / "keys", KEY), OTHER, -1)
    assert opened(place, OTHER).layer(KEY) is None


@needs_root
def test_a_store_is_believed_if_its_owner_is(place: Path) -> None:
    give(place, OTHER)
    assert reason(place) == f"it belongs to uid {OTHER}, whom nobody here trusts"
    assert opened(place, OTHER).layer(KEY) == LAYER
    os.chown(place / "keys", OTHER + 1, -1)
    problem = f"{place}/keys belongs to uid {OTHER + 1}, the store to uid {OTHER}"
    assert reason(place, OTHER, OTHER + 1) == problem


@needs_root
def test_nobody_else_may_own_what_leads_to_a_store(place: Path) -> None:
    os.chown(place.parent, OTHER, -1)
    assert reason(place) == f"{place.parent} belongs to uid {OTHER}, whom nobody here trusts"


def loosen(path: str, mode: int) -> Callable[[Path], None]:
    return lambda root: (root / path).chmod(mode)


def link_keys(root: Path) -> None:
    (root / "keys").rename(root / "elsewhere")
    (root / "keys").symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (loosen(".", 0o775), "{root} can be written by others (mode 0775)"),
        (loosen("blobs/sha256", 0o757), "{root}/blobs/sha256 can be written by others (mode 0757)"),
        (loosen("keys", 0o775), "{root}/keys can be written by others (mode 0775)"),
        (loosen("version", 0o666), "{root} is not a store that can be read"),
        (loosen("..", 0o777), "others can rename what is in {root.parent} (mode 0777)"),
        (link_keys, "{root}/keys is not a directory"),
        (
            lambda r: (r / "version").write_text("2\n"),
            "it has format b'2\\n', and this ds01 reads 1",
        ),
        (lambda r: (r / "version").unlink(), "{root} is not a store that can be read"),
        (shutil.rmtree, "{root}: No such file or directory"),
        (lambda r: shutil.rmtree(r / "keys"), "{root}/keys: No such file or directory"),
    ],
)
def test_a_store_that_others_could_change_or_that_is_none_is_refused(
    place: Path, spoil: Callable[[Path], None], problem: str
) -> None:
    spoil(place)
    assert reason(place) == problem.format(root=place)


def test_a_directory_where_nobody_renames_what_is_another_s_may_lead_to_a_store(
    place: Path,
) -> None:
    place.parent.chmod(0o1777)
    assert opened(place).layer(KEY) == LAYER


def test_a_store_on_a_network_file_system_is_refused(place: Path, tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"1 1 0:1 / {place} rw - nfs4 server:/ rw\n", encoding="utf-8")
    with pytest.raises(StoreError, match=r"on a network file system \(nfs4\)"):
        open_read_only(place, trusted=frozenset({ME}), mounts=mounts)


@pytest.fixture
def lent(world: World) -> World:
    """Return a world whose user has an empty store, beside one of the site that has everything."""
    site = world.root / "site"
    world.store.rename(site)
    for path in (site, *site.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o444)
    world.index.server.requests.clear()
    return replace(world, variables={"DS01_STORE_RO": str(site)})


def site_of(world: World) -> Path:
    return world.root / "site"


def fetched(world: World) -> list[str]:
    return [path for path in world.index.server.paths() if path.endswith((".whl", ".deb"))]


def warnings(outcome: Outcome) -> list[str]:
    return [line for line in outcome.err.splitlines() if line.startswith("warning")]


def test_layers_of_a_read_only_store_are_copied_and_nothing_is_downloaded(lent: World) -> None:
    before = state(site_of(lent))
    plan = lent.ds01("plan", "--json", "demo.toml").answer
    assert {step["action"] for step in plan["tiers"]} == {"fetch"}
    reason = f"all layers are in the read-only store {site_of(lent)}"
    assert {step["reason"] for step in plan["tiers"]} == {reason}
    assert plan["bytes"]["download"] == 0
    outcome = lent.build("--json", "--offline")
    assert outcome.code == 0, outcome.err
    assert {layer["action"] for layer in outcome.answer["layers"]} == {"fetched"}
    assert fetched(lent) == []
    assert state(site_of(lent)) == before
    shutil.rmtree(site_of(lent))
    assert lent.images() == lent.built, "the same image, and all of it is here"
    assert lent.verified() == ""
    again = lent.build("--json")
    assert warnings(again) == []
    assert {layer["action"] for layer in again.answer["layers"]} == {"reused"}


def test_files_of_a_read_only_store_are_taken_before_any_download(lent: World) -> None:
    kept = replace(lent, variables={"DS01_STORE": str(site_of(lent))})
    shutil.rmtree(site_of(lent))
    assert kept.build("--keep-sources").code == 0
    shutil.rmtree(site_of(lent) / "keys")
    for path in (site_of(lent), *site_of(lent).rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o444)
    (site_of(lent) / "keys").mkdir(mode=0o755)
    lent.index.server.requests.clear()
    outcome = lent.build("--json", "--offline")
    assert outcome.code == 0, outcome.err
    assert {layer["action"] for layer in outcome.answer["layers"]} == {"written"}
    assert outcome.answer["bytes"]["downloaded"] == 0
    assert fetched(lent) == []
    assert lent.images() == lent.built


FILES = '[tiers.config]\nkind = "files"\nfiles = [{ from = "x", to = "/etc/x" }]\n'


@pytest.mark.parametrize("believed", ["facts", ""])
def test_facts_of_debs_spare_their_bytes(lent: World, believed: str) -> None:
    layers = {path.name for path in blobs(lent)}
    for path in files_below(site_of(lent) / "blobs"):
        path.unlink() if path.name not in layers else None
    if not believed:
        (site_of(lent) / "facts").chmod(0o777)  # and so not believed
    (lent.recipe.parent / "x").write_bytes(b"x\n")
    lent.ask_for("app", more=FILES)
    assert lent.ds01("lock", "demo.toml").code == 0
    before = state(site_of(lent))
    outcome = lent.build("--json", "--offline")
    assert outcome.code == (0 if believed else 4), outcome.err
    assert state(site_of(lent)) == before
    if believed:
        actions = {layer["tier"]: layer["action"] for layer in outcome.answer["layers"]}
        assert actions == {**dict.fromkeys(actions, "fetched"), "config": "written"}


def blobs(world: World) -> list[Path]:
    """Return the layers of the site's store."""
    names = [row["layer"]["digest"] for row in rows(world) if "layer" in row]
    return [site_of(world) / "blobs/sha256" / name.partition(":")[2] for name in names]


def rows(world: World) -> list[dict[str, dict[str, str]]]:
    return [json.loads(path.read_bytes()) for path in files_below(site_of(world) / "keys")]


def flip(path: Path) -> None:
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_bytes_that_lie_are_passed_over_and_the_image_is_the_same(lent: World) -> None:
    damaged = blobs(lent)[0]
    flip(damaged)
    outcome = lent.build("--json")
    assert outcome.code == 0, outcome.err
    told = [line for line in outcome.err.splitlines() if "it is passed over" in line]
    assert len(told) == 1
    assert f"sha256:{damaged.name} of {site_of(lent)}" in told[0]
    assert lent.images() == lent.built
    assert {layer["action"] for layer in outcome.answer["layers"]} == {"reused", "written"}
    assert lent.verified() == ""


def test_a_row_that_names_other_bytes_than_its_blob_has_is_never_believed(lent: World) -> None:
    one, *_, two = blobs(lent)
    shutil.copyfile(two, one.with_name("copy"))
    (one.with_name("copy")).replace(one)
    row = next(path for path in files_below(site_of(lent) / "keys") if one.name in path.read_text())
    outcome = lent.build()
    assert outcome.code == 0, outcome.err
    assert row.exists()
    assert lent.images() == lent.built
    assert lent.verified() == ""


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (shutil.rmtree, "{site}: No such file or directory"),
        (loosen("keys", 0o777), "{site}/keys can be written by others (mode 0777)"),
    ],
)
def test_a_read_only_store_that_cannot_be_believed_is_told_and_passed_over(
    lent: World, spoil: Callable[[Path], None], problem: str
) -> None:
    site = site_of(lent)
    spoil(site)
    outcome = lent.build()
    assert outcome.code == 0, outcome.err
    told = f"the read-only store {site} is passed over: {problem.format(site=site)}"
    assert f"warning: {told}" in outcome.err
    assert lent.images() == lent.built


@needs_root
def test_whose_stores_are_believed_can_be_configured(lent: World) -> None:
    give(site_of(lent), OTHER)
    told = f"it belongs to uid {OTHER}, whom nobody here trusts"
    assert told in lent.ds01("plan", "demo.toml").err
    config = lent.root / "home/.config/ds01"
    config.mkdir(parents=True)
    text = f'[store]\nread-only = ["{site_of(lent)}"]\nowners = ["nosuchuser", "{OTHER}"]\n'
    (config / "config.toml").write_text(text, encoding="utf-8")
    lent.variables.clear()
    outcome = lent.build("--json")
    assert {layer["action"] for layer in outcome.answer["layers"]} == {"fetched"}
    assert "'nosuchuser', whose stores are to be believed, is no user" in outcome.err


def test_the_own_store_is_asked_first_and_lends_itself_nothing(lent: World) -> None:
    assert lent.build().code == 0
    lent.variables["DS01_STORE_RO"] = f"{lent.store}:{site_of(lent)}"
    plan = lent.ds01("plan", "--json", "demo.toml").answer
    assert {step["action"] for step in plan["tiers"]} == {"reuse"}
