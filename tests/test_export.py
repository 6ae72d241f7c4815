"""Images leave the store in three forms that skopeo, podman and Docker read."""

from __future__ import annotations

import json
import tarfile
import tempfile
import zlib
from typing import TYPE_CHECKING

import pytest
from images import Place, require, run, succeed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from images import Answer, Gallery, Shipped

    Exported = dict[tuple[str, bool], Path]

pytestmark = pytest.mark.network

FORMS = {"oci-dir": "oci", "oci-archive": "oci-archive", "docker-archive": "docker-archive"}
HOW = {"as it is": False, "recompressed": True}
CHUNK = 1 << 20


@pytest.fixture(scope="module")
def image(gallery: Gallery) -> Shipped:
    return gallery.built("slim")


@pytest.fixture(scope="module")
def exported(image: Shipped, gallery: Gallery) -> Exported:
    """The image in all forms, by form and whether its layers were compressed again."""
    directory = gallery.directory()
    found: Exported = {}
    for form in FORMS:
        for again in (False, True):
            destination = directory / f"{form}-{again}"
            options = ["--recompress"] if again else []
            ended = image.place.ds01("image", "export", "slim", f"--{form}", destination, *options)
            assert (ended.code, ended.out) == (0, f"{destination}\n"), ended.err
            found[form, again] = destination
    return found


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("form", FORMS)
def test_skopeo_reads_and_copies_every_form(
    form: str, how: str, image: Shipped, exported: Exported, tmp_path: Path
) -> None:
    require("skopeo")
    source = f"{FORMS[form]}:{exported[form, HOW[how]]}"
    found = json.loads(succeed("skopeo", "inspect", source))
    assert found["Labels"] == image.config["config"]["Labels"]
    assert (found["Digest"] == image.digest) is (form != "docker-archive" and not HOW[how])
    succeed("skopeo", "--insecure-policy", "copy", source, f"dir:{tmp_path}/copy")
    config = json.loads(succeed("skopeo", "inspect", "--config", f"dir:{tmp_path}/copy"))
    assert config["rootfs"]["diff_ids"] == image.config["rootfs"]["diff_ids"]


@pytest.mark.parametrize("how", HOW)
def test_both_oci_forms_hold_the_same_blobs(how: str, exported: Exported) -> None:
    root = exported["oci-dir", HOW[how]]
    in_directory = {
        str(path.relative_to(root)): path.stat().st_size
        for path in root.rglob("*")
        if path.is_file()
    }
    with tarfile.open(exported["oci-archive", HOW[how]]) as archive:
        in_archive = {member.name: member.size for member in archive}
    assert in_archive == in_directory


def test_recompressed_layers_are_one_member_each(image: Shipped, exported: Exported) -> None:
    members = [count_members(layer) for layer in layers(exported["oci-dir", True])]
    assert members == [1] * len(image.layers())
    assert 2 in [count_members(layer) for layer in layers(exported["oci-dir", False])]


def test_a_docker_archive_is_what_docker_saves(image: Shipped, exported: Exported) -> None:
    with tarfile.open(exported["docker-archive", False]) as archive:
        (row,) = json.loads(read(archive, "manifest.json"))
        assert row["RepoTags"] == ["slim:latest"]
        assert json.loads(read(archive, row["Config"])) == image.config
        assert set(archive.getnames()) == {"manifest.json", row["Config"], *row["Layers"]}


def test_an_archive_for_docker_has_no_gzip_members_to_join(
    exported: Exported,
) -> None:
    assert exported["docker-archive", False].read_bytes() == (
        exported["docker-archive", True].read_bytes()
    )


@pytest.fixture
def podman() -> Iterator[list[str]]:
    """What podman is called with so that it keeps its images to the test."""
    require("podman", root=True)
    with tempfile.TemporaryDirectory(prefix="podman") as root:  # podman wants a short path
        options = ["--storage-driver=vfs", "--cgroup-manager=cgroupfs"]
        command = ["podman", f"--root={root}/root", f"--runroot={root}/run", *options]
        if run(*command, "info").code != 0:
            pytest.skip("podman does not work on this machine")
        yield command


@pytest.mark.slow
def test_podman_loads_a_docker_archive(
    image: Shipped, exported: Exported, podman: list[str]
) -> None:
    loaded = run(*podman, "load", "--input", exported["docker-archive", False])
    assert loaded.code == 0, loaded.err
    (found,) = json.loads(succeed(*podman, "image", "inspect", "slim:latest"))
    assert f"sha256:{found['Id']}" == image.answer["image"]["config_digest"]
    assert found["RootFS"]["Layers"] == image.config["rootfs"]["diff_ids"]


@pytest.mark.parametrize("form", FORMS)
def test_an_existing_destination_is_left_alone(form: str, image: Shipped, tmp_path: Path) -> None:
    destination = tmp_path / "there"
    destination.write_text("precious")
    ended = image.place.ds01("image", "export", "slim", f"--{form}", destination)
    assert (ended.code, ended.out) == (1, "")
    hint = f"mv -T -- {destination} {destination}.old"
    assert ended.err == f"error: {destination} exists already\nhint:  {hint}\n"
    assert destination.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [destination]


def test_an_unknown_image_is_answered_with_those_that_there_are(
    image: Shipped, gallery: Gallery, tmp_path: Path
) -> None:
    listed = image.place.ds01("image", "list", "--json").answer["images"]
    names = ", ".join(sorted(row["name"] for row in listed))
    assert "slim" in names
    for place, there in ((image.place, names), (Place(root=gallery.directory()), "none")):
        ended = place.ds01("image", "export", "slime", "--oci-dir", tmp_path / "out")
        assert (ended.code, ended.out) == (1, "")
        problem = f"error: no image is called 'slime'; there are {there}"
        assert ended.err == f"{problem}\nhint:  ds01 image list\n"
    assert not list(tmp_path.iterdir())


def layers(layout: Path) -> list[Path]:
    """Return the files of the layers of an OCI layout with one image."""
    (descriptor,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    manifest: Answer = json.loads(blob(layout, descriptor).read_bytes())
    return [blob(layout, each) for each in manifest["layers"]]


def blob(layout: Path, descriptor: dict[str, str]) -> Path:
    return layout / "blobs" / descriptor["digest"].replace(":", "/")


def count_members(layer: Path) -> int:
    """Return how many gzip members a layer starts with, at most two."""
    with layer.open("rb") as file:
        inflate = zlib.decompressobj(wbits=31)
        while not inflate.eof:
            chunk = file.read(CHUNK)
            assert chunk, "the last member ends with the file"
            inflate.decompress(chunk)
        return 2 if inflate.unused_data or file.read(1) else 1


def read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()
