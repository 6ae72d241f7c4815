"""Stand-ins are what they are said to be; other tests rely on it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from engines import place
from images import require, run, succeed
from packaging.requirements import Requirement
from standins import conda, frameworks, recipes, variants
from standins.__main__ import parse
from standins.frameworks import LIBRARIES, TOOLKIT, Offer
from standins.layout import Layout, Made, tar
from standins.registry import Registry
from wheels import MODULE, TARGET, Bytes, pin, wheel
from world import wait_until

from ds01build.layers.wheel import install

if TYPE_CHECKING:
    from collections.abc import Callable

    from standin_fixtures import StandIns

    from ds01build.engine.api import Engine

pytest_plugins = ("engine_fixtures", "standin_fixtures")

DEBIANS = "/usr/lib/python3/dist-packages"
SERVE = """
import sys, time
from pathlib import Path
from standins.registry import running
with running(Path(sys.argv[1])) as registry:
    print(registry.address, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    "words", [["--port", "5000", "a", "c-light"], ["a", "--port", "5000", "c-light"]]
)
def test_names_and_options_stand_in_any_order(words: list[str]) -> None:
    chosen = parse(["serve", "somewhere", *words])
    assert (chosen.place, chosen.port, chosen.names) == ("somewhere", 5000, ["a", "c-light"])


def test_a_stand_in_that_there_is_not_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["push", "127.0.0.1:1", "nosuch"])
    assert "there is no stand-in nosuch; there are a, " in capsys.readouterr().err


def test_a_registry_ends_with_who_started_it(tmp_path: Path) -> None:
    require("docker-registry", "setpriv")
    tests = Path(__file__).parent
    words = [sys.executable, "-c", SERVE, str(tmp_path / "registry")]
    process = subprocess.Popen(words, cwd=tests, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    registry = Registry(process.stdout.readline().strip())
    assert registry.answers()
    process.kill()
    process.communicate()
    wait_until(lambda: not registry.answers(), 10)


def test_all_that_the_cuda_build_asks_for_is_there() -> None:
    offered = {name: version for name, version, _ in (*LIBRARIES, TOOLKIT)}
    asked = [Requirement(each) for each in (*frameworks.CUDA, *requirements())]
    ours = [each for each in asked if each.name.startswith(("cuda", "nvidia", "triton"))]
    assert {each.name for each in ours} == set(offered)
    assert all(each.specifier.contains(offered[each.name]) for each in ours)
    assert ours[0].extras == {extra.split('"')[1] for extra in TOOLKIT[2]}


def requirements() -> list[str]:
    return [each for _, _, requires in (*LIBRARIES, TOOLKIT) for each in requires]


@pytest.mark.parametrize("public", [True, False])
def test_light_wheels_are_sound(public: bool, tmp_path: Path) -> None:  # noqa: FBT001
    offers = frameworks.offers(public=public, real=False, scratch=tmp_path)
    assert [str(offer) for offer in offers[:2]] == (
        ["torch==2.13.0", "torchvision==0.28.0"]
        if public
        else ["torch==2.13.0+cpu", "torchvision==0.28.0+cpu"]
    )
    for offer in offers:
        assert f"Version: {offer.file.split('-')[1]}\n".encode() in offer.metadata
        assert read(offer)


def read(offer: Offer) -> set[str]:
    """Return the paths that ds01 writes for a wheel, once every byte of it has been checked."""
    entries = [e for _, e in install(Bytes(offer.body), pin(offer.body, offer.file), TARGET)]
    for entry in entries:
        assert sum(len(p.plain) for p in (entry.body() if entry.body else ())) == entry.size
    return {entry.path.removeprefix(f"{TARGET.schemes.purelib[1:]}/") for entry in entries}


def test_a_repacked_wheel_has_another_version_and_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(wheel(MODULE))
    changes = {"demo/__init__.py": b"VERSION = 2\n"}
    offer = frameworks.repacked(path, "2.0+cpu", changes, ("demo-1.0.dist-info/none",), ["other"])
    assert offer.file == "demo-2.0+cpu-py3-none-any.whl"
    assert b"Version: 2.0+cpu\nRequires-Dist: other\n\nName: not a header\n" in offer.metadata
    assert {"demo/__init__.py", "demo-2.0+cpu.dist-info/METADATA"} <= read(offer)
    with zipfile.ZipFile(io.BytesIO(offer.body)) as opened:
        assert opened.read("demo/__init__.py") == b"VERSION = 2\n"


def test_a_layout_that_is_changed_is_one_that_others_read(tmp_path: Path) -> None:
    first = Layout.create(tmp_path / "first", "one", "amd64")
    first.append(tar([Made(path="a", mode=0o2775, uid=70000), Made(path="a/b", content=b"b")]))
    second = first.copied(tmp_path / "second")
    second.rename("two")
    second.append(tar([Made(path="c", to="a")]))
    second.configure({"Env": ["A=1"]}, architecture="arm64")
    second.variable("A", "2")
    names = [[member.name for member, _ in layout.members()] for layout in (first, second)]
    assert names == [["a", "a/b"], ["a", "a/b", "c"]]
    assert (first.name, second.name) == ("one", "two")
    assert second.config["config"]["Env"] == ["A=2"]
    assert (first.config["architecture"], second.config["architecture"]) == ("amd64", "arm64")


@pytest.mark.network
@pytest.mark.parametrize(
    ("name", "version", "site"),
    [
        ("a-light", "2.13.0+cpu", recipes.SITE),
        ("b-light", "2.13.0", recipes.SITE),
        ("c-light", "2.13.0+cpu", f"/{conda.PLACE}/lib/python3.11/site-packages"),
    ],
)
def test_what_a_base_holds_lies_where_tiers_write(
    name: str, version: str, site: str, stand_ins: StandIns
) -> None:
    paths = {member.name for member, _ in stand_ins.layout(name).members()}
    infos = [path.removeprefix(f"{site[1:]}/") for path in paths if path.endswith("/METADATA")]
    found = {info.partition(".dist-info/")[0].lower() for info in infos}
    assert {f"{held}-{pinned}" for held, pinned in recipes.HELD.items()} <= found
    assert f"torch-{version}" in found
    assert ("nvidia_cublas-13.1.1.3" in found) is (name == "b-light")


@pytest.mark.network
def test_apt_has_its_sources_and_keys(stand_ins: StandIns) -> None:
    known = {member.name: content for member, content in stand_ins.layout("plain").members()}
    assert b"bookworm" in known["etc/apt/sources.list.d/debian.sources"]
    assert "usr/share/keyrings/debian-archive-keyring.gpg" in known


@pytest.mark.network
def test_variants_say_what_they_are(stand_ins: StandIns) -> None:
    def config(name: str) -> dict[str, object]:
        options = ("--tls-verify=false", "--raw", "--config")
        said = succeed("skopeo", "inspect", *options, f"docker://{stand_ins.reference(name)}")
        found: dict[str, object] = json.loads(said)
        return found

    inside = {name: config(name)["config"] for name in ("onbuild", "volume")}
    assert inside["onbuild"] == {
        **stand_ins.layout("plain").config["config"],
        "OnBuild": ["RUN echo from-the-base >/from-the-base"],
    }
    assert inside["volume"] == {
        **stand_ins.layout("plain").config["config"],
        "Volumes": {variants.VOLUME: {}},
    }
    assert config("foreign")["architecture"] != config("onbuild")["architecture"]


@pytest.mark.network
def test_odd_owners_and_modes_lie_on_top(stand_ins: StandIns) -> None:
    last = {member.name: member for member, _ in stand_ins.layout("owners").members()}
    for made in variants.OWNED:
        found = last[made.path]
        mode = 0o777 if made.to else made.mode
        assert (found.mode, found.uid, found.gid, found.linkname) == (
            mode,
            made.uid,
            made.gid,
            made.to,
        )


@pytest.fixture
def inside(graph_engine: Engine, stand_ins: StandIns) -> Callable[..., str]:
    """Return what runs a command in a stand-in, and returns what it prints."""
    host = place(graph_engine.kind)

    def prints(name: str, *command: str) -> str:
        words = ("docker", "--host", host, "run", "--rm", "--network=none")
        ended = run(*words, stand_ins.load(name, host), *command)
        assert (ended.code, ended.err) == (0, ""), f"{command}\n{ended.err}\n{ended.out}"
        return ended.out

    return prints


@pytest.mark.network
@pytest.mark.slow
class TestInside:
    @pytest.mark.parametrize(
        ("name", "site"), [("a", recipes.SITE), ("b", recipes.SITE), ("c", conda.SITE)]
    )
    def test_the_framework_works(self, name: str, site: str, inside: Callable[..., str]) -> None:
        assert inside(name, "pip", "check") == "No broken requirements found.\n"
        program = "import torch, torchvision.models; print(torch.ones(3).tolist(), torch.__file__)"
        said = inside(name, "python", "-c", program)
        assert said == f"[1.0, 1.0, 1.0] {site}/torch/__init__.py\n"

    @pytest.mark.parametrize("name", ["c", "c-light"])
    def test_the_prefix_is_where_conda_has_it(self, name: str, inside: Callable[..., str]) -> None:
        assert inside(name, "readlink", "/opt/conda") == "/srv/conda\n"
        status = inside(name, "stat", "--format=%a %u", f"/{conda.PLACE}/bin")
        assert status == f"2775 {conda.USER}\n"
        show = "import site, sys; print(sys.prefix, sys.executable, *site.getsitepackages())"
        said = inside(name, "python", "-c", show)
        assert said == f"{conda.PREFIX} {conda.PREFIX}/bin/python {conda.SITE}\n"
        (record,) = inside(
            name, "find", f"/{conda.PLACE}/conda-meta", "-name", "python-3.11.2-*.json"
        ).splitlines()
        assert record

    def test_old_packages_belong_to_debs(self, inside: Callable[..., str]) -> None:
        for module in ("numpy", "requests", "yaml"):
            show = f"import {module}; print({module}.__file__)"
            assert inside("d", "python3", "-c", show).startswith(f"{DEBIANS}/{module}/")
            owner = inside("d", "dpkg", "-S", f"{DEBIANS}/{module}/__init__.py")
            assert owner == f"python3-{module}: {DEBIANS}/{module}/__init__.py\n"

    def test_the_bare_one_has_apt_and_no_python(self, inside: Callable[..., str]) -> None:
        assert inside("e", "apt-get", "--version").startswith("apt ")
        assert "python" not in inside("e", "dpkg-query", "-W")
        assert inside("e", "find", "/usr/bin", "-name", "python*") == ""

    def test_no_base_has_devices(self, stand_ins: StandIns) -> None:
        for name in ("e", "plain"):
            members = [member for member, _ in stand_ins.layout(name).members()]
            assert "dev" in {member.name.strip("./") for member in members}
            assert [member.name for member in members if member.ischr() or member.isblk()] == []
