"""The images of the shipped recipes, as other tools see them and from the inside."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
import re
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from images import CLONE, SCRIPT, require, succeed, total
from inflated import contents
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from values import target_of

from ds01build import graph
from ds01build.spec import sources
from ds01build.workflow.quick import lock_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from images import Gallery, Shipped, Tree

pytestmark = pytest.mark.network

RECIPES = ["slim", "quickstart", pytest.param("ml", marks=pytest.mark.slow)]
WITH_NOTEBOOKS = RECIPES[1:]
CONSTANT = 315619200  # 1980-01-02: what every file and document says of time
IMPORT = """
import importlib, json, sys
failed = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        failed[name] = repr(error)
print(json.dumps(failed))
"""


@pytest.fixture(scope="module", params=RECIPES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def image(name: str, gallery: Gallery) -> Shipped:
    # The sources of ml are what another test starts from.
    return gallery.built(name, *(["--keep-sources"] if name == "ml" else []))


@pytest.fixture(scope="module")
def tree(image: Shipped, name: str, gallery: Gallery) -> Tree:
    return gallery.unpacked(name)


def test_nothing_is_downloaded_that_the_lock_does_not_name(image: Shipped, name: str) -> None:
    lock = lock_path(image.recipe)
    if lock.read_bytes() != (CLONE / "lockfiles" / lock.name).read_bytes():
        pytest.skip("the mirror has dropped .debs of the shipped lock, so they were looked for too")
    # A layer that another recipe has in common is there without what it was made from.
    stack = zip(graph.of(image.lock).stack, image.answer["layers"], strict=True)
    made = [layer for (_, layer), row in stack if row["action"] != "reused"]
    named = {str(pin.digest): pin for layer in made for pin in sources(layer)}
    missing = [pin for digest, pin in named.items() if digest not in image.known]
    assert image.answer["bytes"]["downloaded"] == total(missing)


def test_skopeo_reads_the_reference_that_is_printed(image: Shipped) -> None:
    require("skopeo")
    found = json.loads(succeed("skopeo", "inspect", image.reference))
    assert found["Digest"] == image.digest
    assert found["Layers"] == [layer["digest"] for layer in image.answer["layers"]]
    assert (found["Architecture"], found["Os"]) == ("amd64", "linux")


def test_a_copy_to_a_directory_and_back_has_the_same_digest(image: Shipped, tmp_path: Path) -> None:
    require("skopeo")
    copy = ("skopeo", "--insecure-policy", "copy")
    succeed(*copy, image.reference, f"dir:{tmp_path}/directory")
    succeed(*copy, f"dir:{tmp_path}/directory", f"oci:{tmp_path}/layout:back")
    found = json.loads(succeed("skopeo", "inspect", f"oci:{tmp_path}/layout:back"))
    assert found["Digest"] == image.digest


def test_pip_finds_no_broken_requirement(tree: Tree) -> None:
    assert tree.prints("python3", "-m", "pip", "check") == "No broken requirements found.\n"


def test_every_requested_package_imports(image: Shipped, tree: Tree) -> None:
    requests = {
        canonicalize_name(Requirement(line).name)
        for tier in image.lock.tiers
        if tier.kind == "python"
        for line in tier.requests
    }
    found = {name: modules(each) for name, each in distributions(image, tree).items()}
    assert requests <= set(found)
    empty = {name for name in requests if not found[name]}
    assert empty <= {"jupyter"}, "only a package that is nothing but requirements has no module"
    names = sorted(module for name in requests for module in found[name])
    assert names
    assert json.loads(tree.enter("python3", "-c", IMPORT, *names).out) == {}


def test_no_extension_of_a_wheel_lacks_a_library(image: Shipped, tree: Tree) -> None:
    rows = [row for each in distributions(image, tree).values() for row in each.files or ()]
    # What lies in NAME.libs is found by those that need it, not by what lies beside it.
    libraries = [row for row in rows if ".so" in row.suffixes and ".libs" not in row.parts[0]]
    paths = [Path(str(row.locate())) for row in libraries]
    inside = [f"/{path.relative_to(tree.root)}" for path in paths]
    assert inside or image.lock.name == "slim"
    found = tree.enter("ldd", *inside).out if inside else ""
    assert [line for line in found.splitlines() if "not found" in line] == []


@pytest.mark.parametrize("command", ["python", "python3"])
def test_the_interpreter_is_that_of_the_lock(command: str, image: Shipped, tree: Tree) -> None:
    assert tree.prints(command, "--version") == f"Python {target_of(image.lock).version}\n"


@pytest.mark.parametrize("command", ["pip", "pip3"])
def test_pip_works_by_both_names(command: str, image: Shipped, tree: Tree) -> None:
    (pip,) = (pin.version for pin in image.lock.debs if pin.name == "python3-pip")
    assert tree.prints(command, "--version").startswith(f"pip {pip.partition('+')[0]} from /usr/")


@pytest.mark.parametrize("name", WITH_NOTEBOOKS, indirect=True)
def test_jupyter_and_git_start(image: Shipped, tree: Tree) -> None:
    versions = {pin.name: pin.version for pin in image.pins.values()}
    assert tree.prints("jupyter", "lab", "--version") == f"{versions['jupyterlab']}\n"
    upstream = re.sub(r"^\d+:|-[^-]*$", "", versions["git"])
    assert tree.prints("git", "--version") == f"git version {upstream}\n"


def test_dpkg_has_nothing_to_complain_about(tree: Tree) -> None:
    assert tree.prints("dpkg", "--audit") == ""
    assert tree.prints("dpkg", "--verify") == ""


def test_the_debs_of_the_image_are_those_of_the_lock(image: Shipped, tree: Tree) -> None:
    form = "${binary:Package} ${Version} ${Architecture} ${db:Status-Abbrev}\n"
    rows = [line.split() for line in tree.prints("dpkg-query", "-W", "-f", form).splitlines()]
    found = {(name.partition(":")[0], *rest) for name, *rest in rows}
    locked = {(pin.name, pin.version, pin.architecture, "ii") for pin in image.lock.debs}
    assert found == locked
    assert len(rows) == len(image.lock.debs)


def test_dpkg_lists_the_debs_of_the_lock(image: Shipped, tree: Tree) -> None:
    rows = [line.split() for line in tree.prints("dpkg", "-l").splitlines()]
    listed = [(row[1].partition(":")[0], row[2], row[3]) for row in rows if row[0] == "ii"]
    assert sorted(listed) == sorted((p.name, p.version, p.architecture) for p in image.lock.debs)
    assert not [row for row in rows[5:] if row[0] != "ii"]


def test_pip_lists_the_wheels_of_the_lock(image: Shipped, tree: Tree) -> None:
    pip = ("python3", "-m", "pip", "list", "--format", "json")
    rows = json.loads(tree.prints(*pip, "--path", target_of(image.lock).schemes.purelib))
    found = sorted((canonicalize_name(row["name"]), row["version"]) for row in rows)
    assert found == sorted((pin.name, pin.version) for pin in image.lock.wheels)
    seen = json.loads(tree.prints(*pip))
    assert {row["name"]: row["version"] for row in rows}.items() <= {
        (row["name"], row["version"]) for row in seen
    }


def test_files_of_wheels_are_as_their_records_say(image: Shipped, tree: Tree) -> None:
    rows = [row for each in distributions(image, tree).values() for row in each.files or ()]
    assert len(rows) >= 3 * len(image.lock.wheels)
    wrong = [str(row) for row in rows if not is_sound(row)]
    assert wrong == []


def test_the_configuration_is_that_of_recipe_and_lock(image: Shipped) -> None:
    config = image.config
    own = config["config"]
    variables = dict(each.split("=", 1) for each in own["Env"])
    assert variables["PATH"].split(":")[:2] == ["/usr/local/sbin", "/usr/local/bin"]
    assert variables.items() >= dict(image.lock.image.env).items()
    assert own["Cmd"] == list(image.lock.image.cmd or ())
    assert own.get("WorkingDir", "") == image.lock.image.workdir
    assert list(own.get("ExposedPorts", {})) == list(image.lock.image.ports)
    assert "User" not in own
    labels = own["Labels"]
    assert labels["ds01.name"] == image.lock.name
    assert labels["ds01.lock"] == str(image.lock.digest)
    assert labels["ds01.recipe"] == str(image.lock.recipe)
    for tier in image.lock.tiers:
        assert any(label.startswith(f"ds01.tier.{tier.name}") for label in labels)


def test_the_only_time_is_the_constant(image: Shipped) -> None:
    text = json.dumps([image.manifest, image.config])
    times = re.findall(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[^\"]*", text)
    assert set(times) == {"1980-01-02T00:00:00Z"}


def test_nothing_in_the_image_knows_this_machine_or_the_time(
    image: Shipped, gallery: Gallery
) -> None:
    words = [word.encode() for word in machine(gallery)]
    config = image.place.path(image.manifest["config"]["digest"])
    for document in (image.place.path(image.digest).read_bytes(), config.read_bytes()):
        assert not [word for word in words if word in document]
    for layer in image.layers():
        members, found = contents(layer, words)
        assert not found
        stamps = {(member.mtime, member.uname, member.gname) for member in members}
        assert stamps == {(CONSTANT, "", "")}


def machine(gallery: Gallery) -> Iterator[str]:
    """Yield names of this machine that no image has for another reason."""
    yield gallery.token  # in the home, the store, the recipe's path, and as the user's name
    if not str(SCRIPT).startswith("/usr/"):
        yield str(SCRIPT.parent)
    if len(socket.gethostname()) >= 8 and socket.gethostname() != "localhost":
        yield socket.gethostname()


def distributions(image: Shipped, tree: Tree) -> dict[str, importlib.metadata.Distribution]:
    """Return what the unpacked image's tiers have installed, by normalised name."""
    site = tree.root / target_of(image.lock).schemes.purelib[1:]
    found = importlib.metadata.distributions(path=[str(site)])
    return {canonicalize_name(each.metadata["Name"]): each for each in found}


def modules(distribution: importlib.metadata.Distribution) -> set[str]:
    """Return the public top-level modules that the RECORD of a distribution names."""
    files = [path for path in distribution.files or () if path.suffix in (".py", ".so")]
    names = {path.parts[0].partition(".")[0] for path in files}
    return {name for name in names if name.isidentifier() and not name.startswith("_")}


def is_sound(row: importlib.metadata.PackagePath) -> bool:
    """Say whether an installed file has the bytes of its row, root as owner, and pip's modes."""
    path = Path(str(row.locate()))
    status = path.lstat()
    modes = (stat.S_IFREG | 0o644, stat.S_IFREG | 0o755)
    if (status.st_uid, status.st_gid) != (0, 0) or status.st_mode not in modes:
        return False
    if row.hash is None:
        return row.name == "RECORD"
    actual = hashlib.new(row.hash.mode, path.read_bytes()).digest()
    encoded = base64.urlsafe_b64encode(actual).decode().rstrip("=")
    return (encoded, status.st_size) == (row.hash.value, row.size)
