"""apt over a base image: its status, sources, keys and pins, against archives on loopback."""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
import threading
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import docker.errors
import pytest
from archive import Package, Signer, publish
from engines import reach

from ds01build.base.facts import AptFacts, BaseFacts
from ds01build.digest import Digest
from ds01build.engine import apt_runner
from ds01build.engine.apt_runner import ContainerRunner
from ds01build.errors import MissingDebs, ResolveError, Unavailable
from ds01build.process import Completed
from ds01build.resolve.apt import AptRequest, AptWanted, replaced, resolve
from ds01build.resolve.archives import Site, alias_of, archives_of
from ds01build.resolve.installed import installed_of
from ds01build.resolve.machine import MachineResolver
from ds01build.resolve.session import AptPlan, HostRunner
from ds01build.resolve.sources import AptSource, parse_sources
from ds01build.resolve.update import open_apt
from ds01build.resolve.uv import Uv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from images import Gallery

    from ds01build.pin import DebPin

TOOLS = ("apt-get", "gpgv", "gpg")
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)} on this machine"
)
ENVIRONMENT = {"PATH": os.environ["PATH"]}
RING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PPA_RING = "/etc/apt/keyrings/ppa.asc"

CURSES = Package("curses", "6.4-4", fields={"Source": "terminal", "Installed-Size": "412"})

NOW = (
    CURSES,
    Package("curses-dev", "6.4-4", depends="curses (= 6.4-4)", fields={"Source": "terminal"}),
    Package("expat", "2.5-2"),
    Package("expat-dev", "2.5-2", depends="expat (= 2.5-2)"),
    Package("git", "1:2.40-1", depends="expat (>= 2.4)"),
    Package("htop", "3.0-1"),
    Package("ssl", "3.0-9"),
    Package("needs-new-ssl", depends="ssl (>= 3.0-8)"),
    Package("rival", fields={"Conflicts": "git"}),
    Package("asks-for-i386", depends="expat"),
)
SECURITY = (Package("ssl", "3.0-10"),)
PPA = (Package("htop", "3.0-2~ppa1"), Package("snake", "9.1"))
FLAT = (Package("cuda", "12.6"),)

HAD = (
    Package("expat", "2.5-1"),
    Package("git", "1:2.39-1", depends="expat (>= 2.4)"),
    Package("ssl", "3.0-7"),
    Package("local-only", "0.1"),
)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep the test's output quiet."""


@contextmanager
def serving(root: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def signing() -> Iterator[Signer]:
    directory = Path(tempfile.mkdtemp(prefix="gpg"))  # short: the agent's socket lies below it
    signer = Signer(directory / "home")
    signer.make()
    yield signer
    signer.close()
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def signer() -> Iterator[Signer]:
    with signing() as made:
        yield made


@pytest.fixture(scope="module")
def vendor() -> Iterator[Signer]:
    with signing() as made:
        yield made


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, signer: Signer, vendor: Signer) -> Iterator[str]:
    root = tmp_path_factory.mktemp("archives")
    publish(root / "debian", "bookworm", NOW, signer)
    publish(root / "debian", "bookworm-updates", (), signer)
    publish(root / "debian-security", "bookworm-security", SECURITY, signer)
    publish(root / "ubuntu", "noble", NOW, signer)
    publish(root / "ubuntu", "noble-security", SECURITY, signer)
    publish(root / "ppa", "bookworm", PPA, vendor)
    flat(root / "flat", vendor)
    with serving(root) as place:
        yield place


def flat(root: Path, signer: Signer) -> None:
    """Make an archive without suites, as vendors of drivers do."""
    publish(root, "x", FLAT, signer)
    index = (root / "dists/x/main/binary-amd64/Packages").read_text()
    for package in FLAT:
        name = Path(package.path()).name
        (root / package.path()).rename(root / name)
        index = index.replace(f"Filename: {package.path()}", f"Filename: ./{name}")
    shutil.rmtree(root / "dists")
    (root / "Packages").write_text(index)
    listed = f" {Digest.of(index.encode()).hex} {len(index.encode())} Packages\n"
    text = f"Origin: Flat\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n{listed}"
    (root / "InRelease").write_bytes(signer.clearsign(text))


def keyring(signer: Signer) -> str:
    return base64.b64encode((signer.home / "archive.gpg").read_bytes()).decode()


def armour(signer: Signer) -> str:
    return signer._gpg("--armor", "--export").decode()


def status(*packages: Package, **states: str) -> str:
    rows = []
    for package in packages:
        fields = {
            "Status": states.get(package.name, "install ok installed"),
            **package.control(),
        }
        rows.append("".join(f"{key}: {value}\n" for key, value in fields.items()))
    return "\n".join(rows)


def deb822(uri: str, suites: str, *, signed_by: str = RING, components: str = "main") -> str:
    signed = f"Signed-By: {signed_by}\n" if signed_by else ""
    parts = f"Components: {components}\n" if components else ""
    return f"Types: deb\nURIs: {uri}\nSuites: {suites}\n{parts}{signed}"


@pytest.fixture
def base(url: str, signer: Signer) -> BaseFacts:
    debian = deb822(f"{url}/debian", "bookworm bookworm-updates")
    security = deb822(f"{url}/debian-security", "bookworm-security")
    return BaseFacts(
        config=Digest.of(b"base"),
        architecture="amd64",
        distribution="debian",
        codename="bookworm",
        apt=AptFacts(
            status=status(*HAD),
            sources=(("/etc/apt/sources.list.d/debian.sources", f"{debian}\n{security}"),),
            keyrings=((RING, keyring(signer)),),
        ),
    )


def wanting(requests: Sequence[AptRequest]) -> AptWanted:
    return AptWanted(requests=tuple(requests))


def with_apt(base: BaseFacts, **fields: object) -> BaseFacts:
    return replace(base, apt=replace(base.apt, **fields))  # type: ignore[arg-type]


def with_source(base: BaseFacts, path: str, text: str, *rings: tuple[str, str]) -> BaseFacts:
    return with_apt(
        base,
        sources=(*base.apt.sources, (path, text)),
        keyrings=(*base.apt.keyrings, *rings),
    )


def knowing(url: str) -> Site:
    """Return a site that names this server, but no archive of any distribution."""
    known = AptSource(archive="debian", uri=f"{url}/x", suite="tools", components=("main",))
    return Site(host=(known,), installed=())


def request(tier: str, *packages: str) -> AptRequest:
    return AptRequest(tier=tier, packages=packages)


def resolved(
    base: BaseFacts,
    site: Site,
    directory: Path,
    *requests: AptRequest,
    keep: Mapping[str, str] | None = None,
    release: frozenset[str] = frozenset(),
) -> tuple[DebPin, ...]:
    archives = archives_of(base, site)
    plan = AptPlan(sources=archives.sources, architecture="amd64", title=archives.title)
    session = open_apt(HostRunner(str(directory / "apt")), plan, ENVIRONMENT)
    installed = installed_of(base)
    return resolve(session, requests, keep=keep or {}, release=release, base=installed)


def told(pins: Sequence[DebPin]) -> list[str]:
    return [f"{pin.tier}: {pin}" for pin in pins]


def test_a_tier_brings_what_the_base_does_not_have(
    base: BaseFacts, url: str, tmp_path: Path
) -> None:
    pins = resolved(base, knowing(url), tmp_path, request("system", "git", "htop", "local-only"))
    assert told(pins) == ["system: htop=3.0-1"]


def test_what_a_dependency_demands_is_upgraded_and_told_apart(
    base: BaseFacts, url: str, tmp_path: Path
) -> None:
    pins = resolved(
        base, knowing(url), tmp_path, request("dev", "expat-dev"), request("tls", "needs-new-ssl")
    )
    assert told(pins) == [
        "dev: expat=2.5-2",
        "dev: expat-dev=2.5-2",
        "tls: needs-new-ssl=1.0-1",
        "tls: ssl=3.0-10",
    ]
    assert [pin.archive for pin in pins] == ["debian", "debian", "debian", "security"]
    assert replaced(pins, installed_of(base)) == {"expat": "2.5-1", "ssl": "3.0-7"}
    same = [replace(pin, version="3.0-7") for pin in pins if pin.name == "ssl"]
    assert replaced(same, installed_of(base)) == {}


def test_a_version_that_is_asked_for_upgrades_the_base(
    base: BaseFacts, url: str, tmp_path: Path
) -> None:
    pins = resolved(base, knowing(url), tmp_path, request("system", "git=1:2.40*"))
    assert told(pins) == ["system: git=1:2.40-1"]


def test_a_version_that_the_base_has_is_met(base: BaseFacts, url: str, tmp_path: Path) -> None:
    assert resolved(base, knowing(url), tmp_path, request("system", "git=1:2.39*")) == ()


@pytest.mark.parametrize(
    ("had", "words", "change"),
    [
        (Package("git", "1:2.41-1"), "git=1:2.40-1", "change git 1:2.41-1 to 1:2.40-1"),
        (Package("git", "1:2.39-1"), "rival", "remove git"),
    ],
)
def test_the_base_loses_nothing(
    base: BaseFacts, url: str, tmp_path: Path, had: Package, words: str, change: str
) -> None:
    other = with_apt(base, status=status(had))
    with pytest.raises(ResolveError) as caught:
        resolved(other, knowing(url), tmp_path, request("system", words))
    assert str(caught.value) == (
        f"tier 'system' would {change} of the base; a tier can add packages to a base and upgrade "
        "those that are not on hold"
    )


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("expat-dev", "(= 2.5-2) but 2.5-1 is to be installed; expat is on hold in the base"),
        ("expat=2.5-2", "would change expat 2.5-1 to 2.5-2 of the base; a tier can add packages"),
    ],
)
def test_what_is_on_hold_in_the_base_stays(
    base: BaseFacts, url: str, tmp_path: Path, words: str, problem: str
) -> None:
    other = with_apt(base, status=status(*HAD, expat="hold ok installed"))
    with pytest.raises(ResolveError) as caught:
        resolved(other, knowing(url), tmp_path, request("dev", words))
    assert problem in str(caught.value)


def test_locked_versions_over_a_base_are_kept(base: BaseFacts, url: str, tmp_path: Path) -> None:
    asked = request("dev", "expat-dev", "htop")
    pins = resolved(base, knowing(url), tmp_path, asked)
    kept = {pin.name: pin.version for pin in pins}
    assert resolved(base, knowing(url), tmp_path, asked, keep=kept) == pins
    with pytest.raises(MissingDebs, match=r"htop=2\.9-1"):
        resolved(base, knowing(url), tmp_path, asked, keep={**kept, "htop": "2.9-1"})


def test_a_lock_does_not_take_a_base_back(base: BaseFacts, url: str, tmp_path: Path) -> None:
    moved = with_apt(base, status=status(Package("expat", "2.5-2")))
    kept = {"expat": "2.5-1", "expat-dev": "2.5-1"}
    pins = resolved(moved, knowing(url), tmp_path, request("dev", "expat-dev"), keep=kept)
    assert told(pins) == ["dev: expat-dev=2.5-2"]


def test_the_build_that_the_base_has_is_not_installed_again(
    base: BaseFacts, url: str, tmp_path: Path
) -> None:
    other = with_apt(base, status=status(CURSES))
    pins = resolved(other, knowing(url), tmp_path, request("system", "curses-dev"))
    assert told(pins) == ["system: curses-dev=6.4-4"]


def test_a_base_whose_packages_do_not_fit_is_refused(
    base: BaseFacts, url: str, tmp_path: Path
) -> None:
    other = with_apt(base, status=status(Package("ssl"), Package("tool", depends="ssl (>= 2)")))
    with pytest.raises(ResolveError) as caught:
        resolved(other, knowing(url), tmp_path, request("system", "htop"))
    assert str(caught.value) == (
        "the packages of the base (Debian bookworm) do not fit together: "
        "tool: Depends: ssl (>= 2) but 1.0-1 is installed"
    )


def test_packages_of_a_foreign_architecture_stay_and_count(
    base: BaseFacts, url: str, tmp_path: Path
) -> None:
    same = {"Multi-Arch": "same"}
    foreign = Package("expat", "2.5-1", fields={**same, "Architecture": "i386"})
    both = status(Package("expat", "2.5-1", fields=same), foreign)
    other = with_apt(base, status=both)
    assert told(resolved(other, knowing(url), tmp_path, request("system", "git"))) == [
        "system: git=1:2.40-1"
    ]


def test_a_vendor_in_the_base_serves_under_its_own_key(
    base: BaseFacts, url: str, vendor: Signer, tmp_path: Path
) -> None:
    line = f"deb [arch=amd64 signed-by={PPA_RING}] {url}/ppa bookworm main\n"
    ring = (PPA_RING, base64.b64encode(armour(vendor).encode()).decode())
    other = with_source(base, "/etc/apt/sources.list.d/ppa.list", line, ring)
    pins = resolved(other, knowing(url), tmp_path, request("system", "htop", "snake", "expat-dev"))
    assert [(pin.name, pin.version, pin.archive) for pin in pins] == [
        ("expat", "2.5-2", "debian"),
        ("expat-dev", "2.5-2", "debian"),
        ("htop", "3.0-2~ppa1", alias_of(f"{url}/ppa")),
        ("snake", "9.1", alias_of(f"{url}/ppa")),
    ]
    assert "127" not in pins[2].archive


def test_a_key_written_out_vouches_too(
    base: BaseFacts, url: str, vendor: Signer, tmp_path: Path
) -> None:
    lines = "\n".join(f" {line or '.'}" for line in armour(vendor).splitlines())
    text = deb822(f"{url}/ppa", "bookworm", signed_by=f"\n{lines}")
    other = with_source(base, "/etc/apt/sources.list.d/ppa.sources", text)
    assert told(resolved(other, knowing(url), tmp_path, request("system", "snake"))) == [
        "system: snake=9.1"
    ]


def test_a_flat_archive_serves(base: BaseFacts, url: str, vendor: Signer, tmp_path: Path) -> None:
    line = f"deb {url}/flat /\n"
    ring = ("/etc/apt/trusted.gpg.d/flat.gpg", keyring(vendor))
    other = with_source(base, "/etc/apt/sources.list.d/flat.list", line, ring)
    (pin,) = resolved(other, knowing(url), tmp_path, request("system", "cuda"))
    assert (pin.path, pin.archive) == ("cuda_12.6_amd64.deb", alias_of(f"{url}/flat"))


@pytest.mark.parametrize("options", ["", "trusted=yes ", "allow-insecure=yes "])
def test_a_vendor_with_a_wrong_key_is_left_out(
    base: BaseFacts, url: str, signer: Signer, tmp_path: Path, options: str
) -> None:
    line = f"deb [{options}signed-by={PPA_RING}] {url}/ppa bookworm main\n"
    ring = (PPA_RING, keyring(signer))
    other = with_source(base, "/etc/apt/sources.list.d/ppa.list", line, ring)
    notes: list[str] = []
    found = machine(tmp_path, notes, host=knowing(url).host)
    assert told(found.debs_over(other, wanting([request("system", "htop")]))) == [
        "system: htop=3.0-1"
    ]
    (note,) = [text for text in notes if "going on without" in text]
    assert note.startswith(f"going on without bookworm of {url}/ppa: GPG error:")
    with pytest.raises(ResolveError, match="Debian bookworm has no package 'snake'"):
        found.debs_over(other, wanting([request("system", "snake")]))


def test_the_release_itself_needs_its_key(
    base: BaseFacts, url: str, vendor: Signer, tmp_path: Path
) -> None:
    other = with_apt(base, keyrings=((RING, keyring(vendor)),))
    with pytest.raises(ResolveError, match="is not vouched for by the keys of the base"):
        resolved(other, knowing(url), tmp_path, request("system", "htop"))


def test_the_pins_of_a_base_hold(base: BaseFacts, url: str, vendor: Signer, tmp_path: Path) -> None:
    line = f"deb {url}/ppa bookworm main\n"
    ring = ("/etc/apt/trusted.gpg.d/ppa.gpg", keyring(vendor))
    other = with_source(base, "/etc/apt/sources.list.d/ppa.list", line, ring)
    pin = "Explanation: ours\nPackage: htop\nPin: version 3.0-1\nPin-Priority: 900\n"
    pinned = with_apt(other, preferences=(("/etc/apt/preferences.d/ours", pin),))
    assert told(resolved(pinned, knowing(url), tmp_path, request("system", "htop"))) == [
        "system: htop=3.0-1"
    ]


@pytest.fixture
def ubuntu(base: BaseFacts, url: str, signer: Signer) -> BaseFacts:
    lines = f"deb {url}/ubuntu noble main\ndeb {url}/ubuntu noble-security main\n"
    return replace(
        with_apt(
            base,
            sources=(("/etc/apt/sources.list", lines),),
            keyrings=(("/etc/apt/trusted.gpg.d/ubuntu-keyring.gpg", keyring(signer)),),
        ),
        distribution="ubuntu",
        codename="noble",
    )


def test_of_a_base_that_has_all_no_mirror_is_asked(ubuntu: BaseFacts, tmp_path: Path) -> None:
    found = machine(tmp_path, [], mirror="http://127.0.0.1:9/debian")
    has = installed_of(ubuntu).packages[0].name
    assert found.debs_over(ubuntu, wanting([request("system", has)])) == ()
    with pytest.raises(Unavailable, match="cannot download"):
        found.debs_over(ubuntu, wanting([request("system", has, "snake")]))


def test_a_mirror_of_another_distribution_is_passed_over(
    ubuntu: BaseFacts, url: str, tmp_path: Path
) -> None:
    notes: list[str] = []
    found = machine(tmp_path, notes, mirror=f"{url}/debian")
    asked = [request("system", "htop")]
    (pin,) = found.debs_over(ubuntu, wanting(asked))
    assert f"the mirror does not serve the base: {url}/debian has no suite noble" in notes[0]
    assert f"{url}/ubuntu/{pin.path}" in found.deb_urls_over(pin, ubuntu)
    offline = replace(found, tool=replace(found.tool, offline=True))
    assert offline.debs_over(ubuntu, wanting(asked)) == (pin,)


def test_an_ubuntu_is_resolved_as_itself(ubuntu: BaseFacts, url: str, tmp_path: Path) -> None:
    other = ubuntu
    pins = resolved(other, knowing(url), tmp_path, request("system", "needs-new-ssl", "htop"))
    assert [(pin.name, pin.version, pin.archive) for pin in pins] == [
        ("htop", "3.0-1", "ubuntu"),
        ("needs-new-ssl", "1.0-1", "ubuntu"),
        ("ssl", "3.0-10", "ubuntu"),
    ]
    with pytest.raises(ResolveError, match="Ubuntu noble has no package 'htopp'"):
        resolved(other, knowing(url), tmp_path, request("system", "htopp"))


def machine(
    directory: Path, notes: list[str], *, host: tuple[AptSource, ...] = (), mirror: str = ""
) -> MachineResolver:
    tool = Uv(program=Path("/none"), interpreter=Path("/none"), environment={}, indexes=())
    return MachineResolver(
        tool=tool,
        cache=directory / "cache",
        memory=Forgetful(),
        architecture="amd64",
        host_sources=lambda: host,
        mirror=mirror,
        environment=ENVIRONMENT,
        size_of=lambda _: 0,
        note=notes.append,
        warn=notes.append,
    )


class Forgetful:
    def get(self, kind: str, key: str) -> object:  # noqa: ARG002 (the Protocol's)
        return None

    def put(self, kind: str, key: str, value: object) -> None:
        """Keep nothing."""


def test_a_configured_mirror_serves_the_distribution_and_not_its_vendors(
    base: BaseFacts, url: str, vendor: Signer, tmp_path: Path
) -> None:
    elsewhere = with_apt(
        base,
        sources=tuple((p, t.replace(url, "http://base.example")) for p, t in base.apt.sources),
    )
    line = f"deb {url}/ppa bookworm main\n"
    ring = ("/etc/apt/trusted.gpg.d/ppa.gpg", keyring(vendor))
    other = with_source(elsewhere, "/etc/apt/sources.list.d/ppa.list", line, ring)
    notes: list[str] = []
    found = machine(tmp_path, notes, mirror=f"{url}/debian")
    pins = found.debs_over(other, wanting([request("system", "snake", "expat-dev")]))
    assert told(pins) == ["system: expat=2.5-2", "system: expat-dev=2.5-2", "system: snake=9.1"]
    assert "tier system upgrades expat 2.5-1 to 2.5-2" in notes
    assert [found.deb_urls_over(pin, other)[0] for pin in pins] == [
        f"{url}/debian/{pins[0].path}",
        f"{url}/debian/{pins[1].path}",
        f"{url}/ppa/{pins[2].path}",
    ]
    assert len(found.deb_urls_over(pins[2], other)) == 1
    with pytest.raises(Unavailable, match=r"the base has no archive 'archive-"):
        found.deb_urls_over(pins[2], elsewhere)


def test_indexes_over_a_base_are_used_again_without_a_network(
    base: BaseFacts, url: str, tmp_path: Path
) -> None:
    online = machine(tmp_path, [], host=knowing(url).host)
    asked = [request("dev", "expat-dev")]
    pins = online.debs_over(base, wanting(asked))
    offline = replace(online, tool=replace(online.tool, offline=True))
    assert offline.debs_over(base, wanting(asked)) == pins


def test_indexes_of_one_base_are_never_those_of_another(
    base: BaseFacts, url: str, vendor: Signer, tmp_path: Path
) -> None:
    online = machine(tmp_path, [], host=knowing(url).host)
    online.debs_over(base, wanting([request("dev", "expat-dev")]))
    offline = replace(online, tool=replace(online.tool, offline=True))
    hostile = with_apt(base, keyrings=((RING, keyring(vendor)),))
    with pytest.raises(Unavailable, match="no package index of bookworm"):
        offline.debs_over(hostile, wanting([request("dev", "expat-dev")]))


@pytest.mark.network
def test_another_release_than_the_host_is_served_by_its_mirror(
    base: BaseFacts, tmp_path: Path
) -> None:
    files = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    texts = {str(path): path.read_text() for path in files if path.is_file()}
    other = replace(
        with_apt(
            base,
            status=status(Package("libc6", "2.41-12"), Package("base-files", "13.8")),
            sources=(
                ("/etc/apt/sources.list", "deb http://base.example/debian trixie main contrib\n"),
            ),
            keyrings=(),
        ),
        codename="trixie",
    )
    found = machine(tmp_path, [], host=parse_sources(texts, expires=False))
    pins = found.debs_over(other, wanting([request("system", "zlib1g", "hello")]))
    assert {pin.name for pin in pins} >= {"zlib1g", "hello"}
    assert {pin.archive for pin in pins} <= {"debian", "security"}


@pytest.fixture(params=["graph", "containerd"])
def client(request: pytest.FixtureRequest) -> Iterator[docker.APIClient]:
    with closing(reach(request.param)) as engine:
        yield engine.client


@pytest.fixture(scope="module")
def exported(gallery: Gallery) -> Path:
    """Return the docker-archive of a Debian with apt in it."""
    directory = gallery.directory()
    recipe = directory / "apt.toml"
    recipe.write_text(WITH_APT)
    gallery.place.build(recipe)
    path = directory / "image.tar"
    ended = gallery.place.ds01("image", "export", "--docker-archive", path, "apt-in-a-container")
    assert ended.code == 0, ended.err
    return path


WITH_APT = """\
schema = 1
name = "apt-in-a-container"
[base]
debian = "bookworm"
packages = ["apt", "gpgv"]
"""


@contextmanager
def running(client: docker.APIClient, archive: Path) -> Iterator[str]:
    with archive.open("rb") as file:
        lines = [str(each.get("stream", "")) for each in client.load_image(file)]
    image = next(line.split(": ", 1)[1].strip() for line in lines if line.startswith("Loaded"))
    container = client.create_container(
        image,
        entrypoint=["/bin/sh"],
        stdin_open=True,
        host_config=client.create_host_config(network_mode="host"),
    )["Id"]
    try:
        client.start(container)
        yield container
    finally:
        client.remove_container(container, force=True, v=True)
        client.remove_image(image)


@pytest.mark.network
@pytest.mark.slow
def test_the_apt_of_a_base_finds_the_same_as_this_machine(
    base: BaseFacts,
    url: str,
    tmp_path: Path,
    exported: Path,
    client: docker.APIClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = [request("dev", "expat-dev"), request("tls", "needs-new-ssl", "htop")]
    here = machine(tmp_path, [], host=knowing(url).host)
    expected = here.debs_over(base, wanting(asked))
    with running(client, exported) as container:
        runner = ContainerRunner(client, container, "/ds01-apt-test/apt")
        elsewhere = replace(
            here,
            environment={"PATH": str(tmp_path)},
            apt_of=lambda _: nullcontext(runner),
        )
        try:
            runner.make(())
        except Unavailable as error:
            pytest.skip(str(error))
        assert elsewhere.debs_over(base, wanting(asked)) == expected
        offline = replace(elsewhere, tool=replace(here.tool, offline=True))
        with pytest.raises(Unavailable, match="need apt on this machine"):
            offline.debs_over(base, wanting(asked))
        done = runner.run(["/bin/sh", "-c", "echo $A; echo b >&2; exit 3"], {"A": "a"})
        assert done == Completed(3, "a\n", "b")
        monkeypatch.setattr(apt_runner, "OUTPUT_LIMIT", 100_000)
        with pytest.raises(Unavailable, match="head printed more than 100000 bytes"):
            runner.run(["head", "-c", "300000", "/dev/zero"], {})
        gone = ContainerRunner(client, "ds01-apt-none", "/x")
        with pytest.raises(Unavailable, match="the engine refused: No such container"):
            gone.run(["true"], {})


@pytest.mark.parametrize("directory", ["relative", "/", "/a/../b", '/a"b', "/a\nb", "/a/"])
def test_the_directory_in_a_container_has_a_plain_name(directory: str) -> None:
    with (
        closing(docker.APIClient(base_url="unix:///none", version="1.41")) as client,
        pytest.raises(ValueError, match="not an absolute path of plain names"),
    ):
        ContainerRunner(client, "x", directory)
