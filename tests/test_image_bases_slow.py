"""Image bases as people have them: real packages, executed tiers, and Dockerfiles."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from desks import apt_tier, of_tier, python_tier, run_tier
from images import succeed
from standins import recipes
from standins.frameworks import LIBRARIES, LOCAL, TORCH, VISION
from standins.layout import Made, tar

from ds01build.catalogue import bundle

if TYPE_CHECKING:
    from collections.abc import Callable

    from desks import Desk
    from standin_fixtures import StandIns

    from ds01build.lock import Lock

pytest_plugins = ("standin_fixtures", "desk_fixtures")
pytestmark = [pytest.mark.network, pytest.mark.slow]

BUNDLES = ("jupyter", "data-science", "cv", "nlp")
MODULES = (
    *("ipykernel", "ipywidgets", "jupyterlab", "notebook"),
    *("matplotlib", "pandas", "scipy", "seaborn", "sklearn"),
    *("albumentations", "cv2", "kornia", "timm", "ultralytics"),
    *("accelerate", "datasets", "evaluate", "peft", "safetensors", "sentencepiece"),
    *("tokenizers", "transformers"),
)
QUIET = "NO_ALBUMENTATIONS_UPDATE=1 YOLO_OFFLINE=true PYTHONDONTWRITEBYTECODE=1"


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store for desks that build much of the same."""
    return tmp_path_factory.mktemp("shared") / "store"


def required(lock: Lock) -> set[str]:
    """Return the names of pins that a tier asks for, or that such a one needs."""
    pins = {pin.name: pin for pin in lock.wheels}
    todo = [name for tier in lock.tiers for name in tier.requests]
    todo.append("aiohttp")  # datasets asks for fsspec[http]; fsspec is the base's
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name in pins and name not in found:
            found.add(name)
            todo.extend(pins[name].requires)
    return found


@pytest.mark.parametrize(("base", "local"), [("a", LOCAL), ("b", ""), ("c", LOCAL)])
def test_the_bundles_work_over_a_framework(
    base: str,
    local: str,
    desk_at: Callable[..., Desk],
    stand_ins: StandIns,
    shared_store: Path,
) -> None:
    desk = desk_at("graph", store=shared_store)
    tiers = "".join(f'\n[tiers.{b}]\nkind = "python"\nbundle = "{b}"\n' for b in BUNDLES)
    recipe = desk.recipe(stand_ins.load(base, desk.host), tiers)
    image = desk.build(recipe, "--keep-sources")["image"]["reference"]
    lock = desk.lock(recipe)
    locked = {pin.name for pin in lock.wheels}
    assert not locked & {"torch", "torchvision", *recipes.HELD, *(row[0] for row in LIBRARIES)}
    assert locked == required(lock)
    assert locked.issuperset({name for b in BUNDLES for name in bundle(b).packages} - {"jupyter"})
    assert desk.inside(image, "python3 -m pip check") == "No broken requirements found.\n"
    show = "print(torch.__version__, torchvision.__version__, numpy.__version__)"
    modules = ", ".join(("torch", "torchvision", "numpy", *MODULES))
    said = desk.inside(image, f"cd /; {QUIET} python3 -c 'import {modules}; {show}'")
    versions = f"{TORCH}{local} {VISION}{local} {recipes.HELD['numpy']}"
    assert said.splitlines()[-1] == versions


def test_a_base_without_python_takes_everything_else(plain_desk: Desk, stand_ins: StandIns) -> None:
    desk = plain_desk
    base = stand_ins.load("e", desk.host)
    ended = desk.refused(desk.recipe(base, python_tier("six")))
    assert (ended.code, ended.out) == (1, "")
    assert "Python" in ended.err.splitlines()[0]
    (desk.place.root / "motd").write_text("hello")
    files = '\n[tiers.files]\nkind = "files"\nfiles = [{ from = "motd", to = "/etc/motd" }]\n'
    answer = desk.build(desk.recipe(base, apt_tier("hello") + files))
    image = answer["image"]["reference"]
    assert desk.inside(image, "cat /etc/motd; hello; dpkg --audit") == "helloHello, world!\n"


def test_each_of_two_apt_tiers_keeps_its_packages(plain_desk: Desk, stand_ins: StandIns) -> None:
    desk = plain_desk
    base = stand_ins.load("plain", desk.host)
    tiers = apt_tier("hello", name="one") + apt_tier("tree", name="two")
    answer = desk.build(desk.recipe(base, tiers))
    image = answer["image"]["reference"]
    assert [layer["action"] for layer in answer["layers"]] == ["ran", "ran"]
    listed = "dpkg -l hello tree | grep -c ^ii; dpkg --audit; dpkg --verify hello tree"
    assert desk.inside(image, listed) == "2\n"
    again = desk.build(desk.recipe(base, apt_tier("hello", name="one") + python_tier("six")))
    assert [layer["action"] for layer in of_tier(again, "one")] == ["reused"]


ENVIRONMENT = "python3 -m pip list --format=freeze; dpkg -l"


def test_docker_gives_the_same_environment_and_builds_each_stage_once(
    each_plain_desk: Desk, stand_ins: StandIns
) -> None:
    desk, docker = each_plain_desk, ("--builder", "docker")
    base = stand_ins.load("a-light", desk.host)
    tiers = '\n[resolve]\nallow-base-change = ["numpy"]\n' + apt_tier("hello")
    tiers += python_tier("pygments", "jupyterlab-widgets", name="notebooks")
    recipe = desk.recipe(base, tiers + python_tier("six==1.16.0", "numpy<2"))
    native = desk.inside(desk.build(recipe)["image"]["reference"], ENVIRONMENT)
    assert native.count("numpy==1.26.4") == native.count("numpy==") == 1
    first = desk.build(recipe, *docker)
    assert first["stages"]["ran"]
    assert desk.inside(first["image"]["reference"], ENVIRONMENT) == native
    assert desk.build(recipe, *docker)["stages"]["ran"] == []
    changed = desk.recipe(base, tiers + python_tier("six==1.17.0", "numpy<2"))
    assert desk.build(changed, *docker)["stages"]["ran"] == ["tier-code", "image"]


CHANGES = r"""
import os
os.chdir('/srv')
open('capable', 'w').write('x')
os.setxattr('capable', 'security.capability', bytes.fromhex('0100000200040000' + '00' * 12))
open('first', 'w').write('linked')
os.link('first', 'second')
os.mkfifo('pipe')
open('owned', 'w').write('z')
os.chown('owned', 4000000000, 12345)
os.utime('owned', (0, 978307200))
"""
REPLACED = (
    "rm /etc/issue",
    "rm -r /etc/skel && mkdir -m 700 /etc/skel && echo new >/etc/skel/.profile",
    "rm -r /usr/share/pam-configs && echo now a file >/usr/share/pam-configs",
    "rm -r /usr/share/lintian && ln -s /etc /usr/share/lintian",
)
SEEN = r"""
cd /srv; stat -c '%n %F %h %u:%g %Y' capable first owned; test first -ef second
python3 -c 'import os; print(os.getxattr("capable", "security.capability").hex())'
test ! -e /etc/issue; test ! -e pipe
find /etc/skel -printf '%p %m\n' | sort; cat /etc/skel/.profile /usr/share/pam-configs
readlink /usr/share/lintian
"""


def test_an_executed_tier_is_what_its_container_had(
    each_plain_desk: Desk, stand_ins: StandIns
) -> None:
    desk = each_plain_desk
    (desk.place.root / "changes.py").write_text(CHANGES)
    files = '\n[tiers.files]\nkind = "files"\n'
    files += 'files = [{ from = "changes.py", to = "/opt/changes.py" }]\n'
    tier = run_tier("python3 /opt/changes.py", *REPLACED)
    recipe = desk.recipe(stand_ins.load("plain", desk.host), files + tier)
    ended = desk.place.ds01("build", "--load", recipe)
    assert ended.code == 0, ended.err
    image = ended.out.strip()
    desk.made.append(image)
    assert "models: /srv/pipe is a FIFO, and is left out" in ended.err
    said = desk.inside(image, SEEN).splitlines()
    times = [line.rsplit(" ", 1) for line in said[:3]]
    assert [row[0] for row in times] == [
        "capable regular file 1 0:0",
        "first regular file 2 0:0",
        "owned regular file 1 4000000000:12345",
    ]
    assert times[2][1] == "978307200"
    assert said[3:] == [
        "0100000200040000" + "00" * 12,
        "/etc/skel 700",
        "/etc/skel/.profile 644",
        "new",
        "now a file",
        "/etc",
    ]


@pytest.mark.parametrize(("kind", "base"), [("graph", "c-light"), ("containerd", "owners")])
def test_the_image_of_the_dockerfile_keeps_everything_of_its_base(
    kind: str,
    base: str,
    desk_at: Callable[..., Desk],
    stand_ins: StandIns,
    tmp_path: Path,
) -> None:
    desk = desk_at(kind)
    # pip in the build finds the index as it does on this machine, with the site's certificates.
    layout = stand_ins.layout(base).copied(tmp_path / "layout")
    certificates = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    layout.append(tar([Made(path="srv/site.pem", content=Path(certificates).read_bytes())]))
    layout.variable("PIP_CERT", "/srv/site.pem")
    layout.rename(f"{base}-trusting")
    reference = stand_ins.registry.push(layout)
    (desk.place.root / "own").write_text("own")
    files = '\n[tiers.files]\nkind = "files"\n'
    files += 'files = [{ from = "own", to = "/opt/shared/deep/own" }]\n'
    tiers = python_tier("pygments", "jupyterlab-widgets") + files
    ended = desk.place.ds01(
        "dockerfile", "--json", "-o", tmp_path / "out", desk.recipe(reference, tiers)
    )
    assert ended.code == 0, ended.err
    image = f"ds01-test/{desk.name}:latest"
    desk.made.append(image)
    words = ("docker", "--host", desk.host, "build", "--quiet", "--network=host", "--tag", image)
    succeed(*words, "--file", ended.answer["dockerfile"], ended.answer["context"])
    try:
        before, after = desk.tree(reference), desk.tree(image)
        changed = {
            path: (seen, after.get(path))
            for path, seen in before.items()
            if after.get(path) != seen
        }
        assert changed == {}
        assert desk.inside(image, "pygmentize -V >/dev/null; cat /opt/shared/deep/own") == "own"
    finally:
        desk.docker("rmi", "--force", reference)
