from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from archive import Package, Signer, publish
from hypothesis import given
from hypothesis import strategies as st

from ds01build.digest import Digest
from ds01build.errors import MissingDebs, ResolveError, Unavailable
from ds01build.pin import DebPin
from ds01build.resolve import update
from ds01build.resolve.apt import AptRequest, glibc_version, python_version, resolve
from ds01build.resolve.session import AptPlan, AptSession, HostRunner, host_checks_expiry
from ds01build.resolve.sources import AptSource, debian_sources, locations, parse_sources
from ds01build.resolve.stanza import Stanza, dependents, parse_offers, parse_stanzas

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TOOLS = ("apt-get", "gpgv", "gpg")
apt = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason=f"needs {', '.join(TOOLS)} on this machine"
)
ENVIRONMENT = {"PATH": os.environ["PATH"]}

PACKAGES = (
    Package("base-files", "12", fields={"Essential": "yes"}),
    Package("tool", "1:2.0-1", depends="libtool"),
    Package("tool", "1:3.0-1", depends="libtool (>= 2)"),
    Package("libtool", "1.0+b1"),
    Package("libtool", "2.0~rc1"),
    Package("libtool", "2.0-1"),
    Package("libtool-dev", "1.0+b1", depends="libtool (= 1.0+b1)"),
    Package("libtool-dev", "2.0-1", depends="libtool (= 2.0-1)"),
    Package("editor", fields={"Provides": "vi", "Architecture": "all"}),
    Package("other-editor", fields={"Provides": "vi", "Conflicts": "editor"}),
    Package("old-fashioned", depends="libtool (= 1.0+b1)"),
    Package("modern", depends="middle"),
    Package("middle", depends="libtool (= 2.0-1)"),
    Package("needs-either", depends="first | second"),
    Package("needs-second", depends="second"),
    Package("first"),
    Package("second"),
    Package("suggestive", fields={"Recommends": "tool", "Suggests": "editor"}),
)


@pytest.fixture(scope="session")
def signer() -> Iterator[Signer]:
    # A short path: the agent's socket lies below it.
    directory = Path(tempfile.mkdtemp(prefix="gpg"))
    signer = Signer(directory / "home")
    signer.make()
    yield signer
    signer.close()
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> Path:
    root = tmp_path_factory.mktemp("archive")
    publish(root, "bookworm", PACKAGES, signer)
    return root


@pytest.fixture(scope="session")
def session(
    tmp_path_factory: pytest.TempPathFactory, published: Path, signer: Signer
) -> AptSession:
    directory = tmp_path_factory.mktemp("apt")
    return open_apt(directory, (source(published, signer),), "amd64", ENVIRONMENT)


def planned(sources: tuple[AptSource, ...], architecture: str) -> AptPlan:
    return AptPlan(sources=sources, architecture=architecture, title="Debian bookworm")


def open_apt(
    directory: Path,
    sources: tuple[AptSource, ...],
    architecture: str,
    environment: Mapping[str, str],
) -> AptSession:
    plan = planned(sources, architecture)
    return update.open_apt(HostRunner(str(directory)), plan, environment)


def reopen_apt(directory: Path, sources: tuple[AptSource, ...]) -> AptSession:
    plan = planned(sources, "amd64")
    return update.reopen_apt(HostRunner(str(directory)), plan, ENVIRONMENT)


def source(root: Path | str, signer: Signer, suite: str = "bookworm") -> AptSource:
    return AptSource(
        archive="security" if suite.endswith("-security") else "debian",
        uri=f"file://{root}" if isinstance(root, Path) else root,
        suite=suite,
        components=("main",),
        signed_by=str(signer.home / "archive.gpg"),
        required=suite == "bookworm",
    )


def request(tier: str, *packages: str) -> AptRequest:
    return AptRequest(tier=tier, packages=packages)


def told(pins: tuple[DebPin, ...]) -> list[str]:
    return [f"{pin.tier}: {pin}" for pin in pins]


@apt
def test_each_tier_brings_what_the_tiers_before_it_do_not(session: AptSession) -> None:
    requests = [request("base", "base-files", "libtool"), request("none"), request("dev", "tool")]
    assert told(resolve(session, requests, keep={})) == [
        "base: base-files=12",
        "base: libtool=2.0-1",
        "dev: tool=1:3.0-1",
    ]


@apt
def test_a_pin_says_what_the_archive_has(session: AptSession, published: Path) -> None:
    for pin in resolve(session, [request("base", "tool", "editor")], keep={}):
        content = (published / pin.path).read_bytes()
        assert pin.size == len(content)
        assert pin.digest == Digest.of(content)
        assert pin.architecture == ("all" if pin.name == "editor" else "amd64")
        assert pin.archive == "debian"
        assert locations(pin, session.sources) == (f"file://{published}/{pin.path}",)


@apt
def test_the_order_of_packages_means_nothing(session: AptSession) -> None:
    names = ["needs-either", "needs-second", "base-files", "editor"]
    one = resolve(session, [request("base", *names)], keep={})
    assert resolve(session, [request("base", *reversed(names), "editor")], keep={}) == one


@apt
def test_nothing_that_is_only_recommended_comes_along(session: AptSession) -> None:
    assert told(resolve(session, [request("base", "suggestive")], keep={})) == [
        "base: suggestive=1.0-1"
    ]


@apt
@pytest.mark.parametrize("version", ["1:2.0-1", "1:2*"])
def test_a_version_may_be_asked_for(session: AptSession, version: str) -> None:
    pins = resolve(session, [request("base", f"tool={version}")], keep={})
    assert "base: tool=1:2.0-1" in told(pins)


@apt
def test_locked_versions_are_kept(session: AptSession) -> None:
    requests = [request("base", "tool"), request("dev", "libtool-dev")]
    kept = {"tool": "1:2.0-1", "libtool": "1.0+b1", "libtool-dev": "1.0+b1", "gone": "1"}
    pins = resolve(session, requests, keep=kept)
    assert told(pins) == ["base: libtool=1.0+b1", "base: tool=1:2.0-1", "dev: libtool-dev=1.0+b1"]
    assert resolve(session, requests, keep={pin.name: pin.version for pin in pins}) == pins


@apt
def test_a_locked_version_yields_to_the_recipe(session: AptSession) -> None:
    pins = resolve(session, [request("base", "tool=1:3*")], keep={"tool": "1:2.0-1"})
    assert "base: tool=1:3.0-1" in told(pins)


@apt
def test_a_locked_version_that_the_recipe_allows_is_kept(session: AptSession) -> None:
    pins = resolve(session, [request("base", "libtool=2.0*")], keep={"libtool": "2.0~rc1"})
    assert told(pins) == ["base: libtool=2.0~rc1"]


@apt
def test_versions_that_the_archive_no_longer_has_are_named(session: AptSession) -> None:
    kept = {"tool": "1:1.0-1", "libtool": "1.9-1", "editor": "0.1"}
    with pytest.raises(MissingDebs) as caught:
        resolve(session, [request("base", "tool")], keep=kept)
    assert caught.value.debs == ("libtool=1.9-1", "tool=1:1.0-1")
    assert "ds01 lock --update-missing" in caught.value.hint
    with pytest.raises(MissingDebs, match=r"libtool=2\.7"):
        resolve(session, [request("base", "libtool=2*")], keep={"libtool": "2.7"})


@apt
def test_versions_that_are_gone_are_named_when_the_rest_does_not_fit(session: AptSession) -> None:
    kept = {"libtool": "1.5-1", "libtool-dev": "1.0+b1"}
    with pytest.raises(MissingDebs) as caught:
        resolve(session, [request("base", "libtool-dev")], keep=kept)
    assert caught.value.debs == ("libtool=1.5-1",)


@apt
def test_only_what_is_gone_moves(session: AptSession) -> None:
    requests = [request("base", "tool", "libtool")]
    kept = {"tool": "1:2.0-1", "libtool": "1.9-1"}
    pins = resolve(session, requests, keep=kept, release=frozenset({"libtool"}))
    assert told(pins) == ["base: libtool=2.0-1", "base: tool=1:2.0-1"]


@apt
def test_what_depends_on_it_moves_along_where_it_must(session: AptSession) -> None:
    requests = [request("base", "libtool-dev", "tool", "editor")]
    kept = {"libtool": "1.9-1", "libtool-dev": "1.0+b1", "tool": "1:2.0-1", "editor": "1.0-1"}
    pins = resolve(session, requests, keep=kept, release=frozenset({"libtool"}))
    assert "base: libtool-dev=2.0-1" in told(pins)
    assert "base: editor=1.0-1" in told(pins)


@apt
def test_an_upgrade_takes_along_what_it_needs_in_one_version(session: AptSession) -> None:
    kept = {"libtool": "1.0+b1", "libtool-dev": "1.0+b1"}
    release = frozenset({"libtool-dev"})
    pins = resolve(session, [request("base", "libtool-dev")], keep=kept, release=release)
    assert told(pins) == ["base: libtool=2.0-1", "base: libtool-dev=2.0-1"]


NO_PACKAGE = "Debian bookworm has no package"
NO_VERSIONS = "no versions satisfy it"
OLD, NEW = "Depends: libtool (= 1.0+b1)", "Depends: libtool (= 2.0-1)"
INSTALLED = "is to be installed"


@apt
@pytest.mark.parametrize(
    ("packages", "message"),
    [
        ("libtol zzz", f"{NO_PACKAGE} 'libtol' (did you mean libtool?), 'zzz'"),
        ("vi", f"{NO_PACKAGE} 'vi' (provided by editor, other-editor: name one of them)"),
        ("edito.", f"{NO_PACKAGE} 'edito.' (did you mean editor?)"),
        ("libtool tool-", f"{NO_PACKAGE} 'tool-' (did you mean tool?)"),
        ("tool=9", "Debian bookworm has no tool '9'"),
        (
            "modern old-fashioned",
            f"{NO_VERSIONS}: old-fashioned: {OLD} but 2.0-1 {INSTALLED}; middle: {NEW}",
        ),
        (
            "editor other-editor",
            f"{NO_VERSIONS}: other-editor: Conflicts: editor but 1.0-1 {INSTALLED}",
        ),
        (
            "modern libtool=1.0*",
            f"{NO_VERSIONS}: middle: {NEW} but 1.0+b1 {INSTALLED}; the recipe: libtool=1.0*",
        ),
    ],
)
def test_what_cannot_be_met_is_explained(session: AptSession, packages: str, message: str) -> None:
    with pytest.raises(ResolveError) as caught:
        resolve(session, [request("base", *packages.split())], keep={})
    assert str(caught.value) == f"tier 'base': {message}"


@apt
def test_two_versions_of_one_package_cannot_be_met(session: AptSession) -> None:
    with pytest.raises(ResolveError, match="tier 'base' asks for tool in two versions"):
        resolve(session, [request("base", "tool", "tool=1:2*")], keep={})


@apt
def test_versions_that_exist_are_offered(session: AptSession) -> None:
    with pytest.raises(ResolveError) as caught:
        resolve(session, [request("base", "tool=9")], keep={})
    assert caught.value.hint == "it has 1:3.0-1 and 1:2.0-1"


@apt
def test_a_lock_that_stands_in_the_way_is_named(session: AptSession) -> None:
    with pytest.raises(ResolveError) as caught:
        resolve(session, [request("base", "modern")], keep={"libtool": "1.0+b1"})
    assert caught.value.hint == (
        "the lock holds versions: ds01 lock --upgrade-package libtool RECIPE"
    )


@apt
@pytest.mark.parametrize(
    ("first", "later", "change"),
    [
        ("editor", "other-editor", "remove editor"),
        ("other-editor", "editor", "remove other-editor"),
        ("libtool", "libtool=1.0*", "change libtool 2.0-1 to 1.0+b1"),
        ("libtool=1.0*", "libtool=2.0-1", "change libtool 1.0+b1 to 2.0-1"),
    ],
)
def test_a_tier_may_not_change_an_earlier_one(
    session: AptSession, first: str, later: str, change: str
) -> None:
    with pytest.raises(ResolveError) as caught:
        resolve(session, [request("base", first), request("more", later)], keep={})
    assert str(caught.value) == (
        f"tier 'more' would {change} of tier 'base'; a tier can only add packages"
    )


@apt
def test_a_tier_may_not_upgrade_an_earlier_one(session: AptSession) -> None:
    requests = [request("base", "libtool=1.0*"), request("more", "libtool-dev=2*")]
    with pytest.raises(ResolveError, match=r"libtool \(= 2\.0-1\).*libtool is of tier 'base'"):
        resolve(session, requests, keep={})


@apt
@pytest.mark.parametrize(
    "name",
    [
        "-oDir=/",
        "tool\nlibtool",
        "TOOL",
        "tool/bookworm",
        "tool:i386",
        "tool=",
        "tool=1 2",
        "t",
        "",
    ],
)
def test_a_name_that_apt_could_take_for_something_else_is_refused(
    session: AptSession, name: str
) -> None:
    with pytest.raises(ResolveError) as caught:
        resolve(session, [request("base", name)], keep={})
    assert str(caught.value) == f"tier 'base': not the name of a package: {name!r}"


@apt
@pytest.mark.parametrize("kept", [{"tool": "1\nPackage: *"}, {"tool\n": "1"}, {"tool": "*"}])
def test_a_lock_cannot_write_preferences(session: AptSession, kept: dict[str, str]) -> None:
    with pytest.raises(ResolveError, match="not a package and its version"):
        resolve(session, [request("base", "editor")], keep=kept)


@apt
@pytest.mark.parametrize(
    "fields",
    [
        {"Filename": "pool/../../../etc/passwd.deb"},
        {"Filename": "/etc/passwd.deb"},
        {"Filename": "pool/.hidden/x.deb"},
        {"Filename": "pool/x.deb?x"},
        {"Version": "1.0-1$(id)"},
        {"Size": "-1"},
    ],
)
def test_a_hostile_index_is_refused(tmp_path: Path, signer: Signer, fields: dict[str, str]) -> None:
    root = tmp_path / "archive"
    publish(root, "bookworm", [Package("evil", fields=fields)], signer)
    with pytest.raises(ResolveError, match=r"package index|cannot be locked|no package 'evil'"):
        resolve(
            open_apt(tmp_path / "apt", (source(root, signer),), "amd64", ENVIRONMENT),
            [request("base", "evil")],
            keep={},
        )


@apt
def test_a_mirror_may_lack_what_is_optional(tmp_path: Path, signer: Signer) -> None:
    root = tmp_path / "archive"
    publish(root, "bookworm", PACKAGES, signer)
    publish(root, "bookworm-updates", [], signer)
    suites = ("bookworm", "bookworm-updates", "bookworm-security")
    sources = tuple(source(root, signer, suite) for suite in suites)
    session = open_apt(tmp_path / "apt", sources, "amd64", ENVIRONMENT)
    assert [each.suite for each in session.sources] == ["bookworm", "bookworm-updates"]
    assert [each.suite for each, _ in session.absent] == ["bookworm-security"]
    assert told(resolve(session, [request("base", "editor")], keep={})) == ["base: editor=1.0-1"]


@apt
def test_a_security_update_is_taken_from_its_archive(tmp_path: Path, signer: Signer) -> None:
    publish(tmp_path / "debian", "bookworm", PACKAGES, signer)
    fixed = Package("editor", "1.0-1+deb12u1")
    publish(tmp_path / "debian-security", "bookworm-security", [fixed], signer)
    sources = (
        source(tmp_path / "debian", signer),
        source(tmp_path / "debian-security", signer, "bookworm-security"),
    )
    session = open_apt(tmp_path / "apt", sources, "amd64", ENVIRONMENT)
    (pin,) = resolve(session, [request("base", "editor")], keep={})
    assert (pin.version, pin.archive) == ("1.0-1+deb12u1", "security")
    urls = locations(pin, sources)
    assert urls[0] == f"file://{tmp_path}/debian-security/{pin.path.replace('+', '%2B')}"


@apt
def test_a_suite_that_must_be_there_is_missed(tmp_path: Path, signer: Signer) -> None:
    sources = (source(tmp_path, signer), source(tmp_path, signer, "bookworm-updates"))
    with pytest.raises(ResolveError) as caught:
        open_apt(tmp_path / "apt", sources, "amd64", ENVIRONMENT)
    assert str(caught.value) == (
        f"file://{tmp_path} has no suite bookworm; file://{tmp_path} has no suite bookworm-updates"
    )


@apt
def test_another_suite_is_not_taken_for_the_one_asked_for(tmp_path: Path, signer: Signer) -> None:
    root = tmp_path / "archive"
    publish(root, "bookworm", PACKAGES, signer, {"Suite": "old", "Codename": "bullseye"})
    with pytest.raises(ResolveError, match="answers for bookworm with 'bullseye'"):
        open_apt(tmp_path / "apt", (source(root, signer),), "amd64", ENVIRONMENT)


@apt
def test_a_component_that_a_suite_does_not_have_is_missed(
    tmp_path: Path, published: Path, signer: Signer
) -> None:
    extra = replace(source(published, signer), components=("main", "extra"))
    with pytest.raises(ResolveError, match="has no extra for amd64 in bookworm"):
        open_apt(tmp_path / "apt", (extra,), "amd64", ENVIRONMENT)


@apt
def test_an_outdated_index_is_refused_unless_it_is_meant(tmp_path: Path, signer: Signer) -> None:
    root = tmp_path / "archive"
    publish(root, "bookworm", PACKAGES, signer, {"Valid-Until": "Fri, 02 Jan 2026 00:00:00 UTC"})
    outdated = source(root, signer)
    with pytest.raises(Unavailable, match="is out of date"):
        open_apt(tmp_path / "apt", (outdated,), "amd64", ENVIRONMENT)
    meant = replace(outdated, expires=False)
    assert open_apt(tmp_path / "apt2", (meant,), "amd64", ENVIRONMENT).absent == ()


@apt
def test_a_key_that_does_not_fit_is_refused_although_old_indexes_are_there(
    tmp_path: Path, signer: Signer
) -> None:
    root = tmp_path / "archive"
    publish(root, "bookworm", PACKAGES, signer)
    good = source(root, signer)
    open_apt(tmp_path / "apt", (good,), "amd64", ENVIRONMENT)
    with tempfile.TemporaryDirectory(prefix="gpg") as directory:
        stranger = Signer(Path(directory) / "home")
        stranger.make()
        publish(root, "bookworm", [Package("evil")], stranger)
        stranger.close()
    with pytest.raises(ResolveError, match="is not vouched for by"):
        open_apt(tmp_path / "apt", (good,), "amd64", ENVIRONMENT)


@apt
def test_an_index_that_is_not_the_signed_one_is_refused(tmp_path: Path, signer: Signer) -> None:
    root = tmp_path / "archive"
    publish(root, "bookworm", PACKAGES, signer)
    for path in (root / "dists/bookworm/main/binary-amd64").iterdir():
        path.write_bytes(path.read_bytes().replace(b"tool", b"fool"))
    with pytest.raises(Unavailable, match="cannot download the package index of file:"):
        open_apt(tmp_path / "apt", (source(root, signer),), "amd64", ENVIRONMENT)


@apt
@pytest.mark.slow
def test_a_mirror_that_does_not_answer_is_named_without_its_password(
    tmp_path: Path, signer: Signer
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        root = f"http://me:hunter2@127.0.0.1:{unused.getsockname()[1]}/debian"
        with pytest.raises(Unavailable) as caught:
            open_apt(tmp_path / "apt", (source(root, signer),), "amd64", ENVIRONMENT)
    place = root.replace("me:hunter2@", "")
    assert str(caught.value).startswith(f"cannot download the package index of {place}: ")
    assert "Connection refused" in str(caught.value)
    assert "hunter2" not in f"{caught.value!r}{caught.value.hint}"


class Guarded(SimpleHTTPRequestHandler):
    """Serves a directory to one user."""

    word = base64.b64encode(b"u/s@er:p:w%d").decode()

    def do_GET(self) -> None:
        if self.headers.get("Authorization") == f"Basic {self.word}":
            super().do_GET()
        else:
            self.send_error(401)

    def log_message(self, *_: object) -> None:
        """Keep the test's output quiet."""


@contextlib.contextmanager
def served(root: Path, handler: type[SimpleHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@apt
def test_credentials_go_to_the_mirror_and_nowhere_else(
    tmp_path: Path, published: Path, signer: Signer
) -> None:
    with served(published, Guarded) as place:
        site = source(f"http://u%2fs%40er:p%3aw%25d@{place}", signer)
        session = open_apt(tmp_path / "apt", (site,), "amd64", ENVIRONMENT)
        pins = resolve(session, [request("base", "tool")], keep={})
        with pytest.raises(ResolveError) as caught:
            resolve(session, [request("base", "tool", "tool=3")], keep={})
    assert len(pins) == 2
    for text in (repr(session), repr(pins), repr(caught.value)):
        assert "p%3aw" not in text
        assert "p:w%d" not in text
    listing = tmp_path / "apt/etc/sources.list"
    assert stat.S_IMODE(listing.stat().st_mode) == 0o600


@apt
def test_everything_is_for_its_owner_only(tmp_path: Path, published: Path, signer: Signer) -> None:
    before = os.umask(0)
    try:
        open_apt(tmp_path / "apt", (source(published, signer),), "amd64", ENVIRONMENT)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "apt").stat().st_mode) == 0o700


@apt
def test_indexes_that_are_there_need_no_archive(
    tmp_path: Path, signer: Signer, published: Path
) -> None:
    root = tmp_path / "archive"
    shutil.copytree(published, root)
    sources = (source(root, signer), source(root, signer, "bookworm-updates"))
    first = open_apt(tmp_path / "apt", sources, "amd64", ENVIRONMENT)
    shutil.rmtree(root)
    again = reopen_apt(tmp_path / "apt", sources)
    assert again.sources == first.sources
    assert [each for each, _ in again.absent] == [each for each, _ in first.absent]
    assert len(resolve(again, [request("base", "tool")], keep={})) == 2


@apt
def test_indexes_that_are_not_there_are_missed(tmp_path: Path, signer: Signer) -> None:
    with pytest.raises(Unavailable) as caught:
        reopen_apt(tmp_path / "apt", (source(tmp_path, signer),))
    assert str(caught.value) == "no package index of bookworm has been downloaded yet"


@apt
def test_another_architecture_can_be_resolved(tmp_path: Path, signer: Signer) -> None:
    root = tmp_path / "archive"
    publish(root, "bookworm", PACKAGES, signer)
    with pytest.raises(ResolveError, match="has no main for arm64"):
        open_apt(tmp_path / "apt", (source(root, signer),), "arm64", ENVIRONMENT)


def test_a_machine_without_apt_is_told_so(tmp_path: Path) -> None:
    ring = tmp_path / "ring.gpg"
    ring.touch()
    site = AptSource(
        archive="debian",
        uri="file:///none",
        suite="bookworm",
        components=("main",),
        signed_by=str(ring),
    )
    with pytest.raises(Unavailable) as caught:
        open_apt(tmp_path / "apt", (site,), "amd64", {"PATH": str(tmp_path)})
    assert str(caught.value) == "apt-get is not installed"
    assert caught.value.hint == ("lock on a Debian or Ubuntu machine: the lock builds on any other")
    for name in ("apt-get", "apt-cache"):
        (tmp_path / name).touch(mode=0o755)
    with pytest.raises(Unavailable, match="gpgv is not installed"):
        open_apt(tmp_path / "apt", (site,), "amd64", {"PATH": str(tmp_path)})
    with pytest.raises(Unavailable, match=r"^the keyring '/none.gpg' does not exist"):
        open_apt(tmp_path / "apt", (replace(site, signed_by="/none.gpg"),), "amd64", {})
    with pytest.raises(Unavailable, match="apt cannot work in the directory"):
        open_apt(tmp_path / 'a"b', (site,), "amd64", {})
    with pytest.raises(ResolveError, match="not an architecture"):
        open_apt(tmp_path / "apt", (site,), 'amd64"; x', {})


@pytest.mark.parametrize(("answer", "checks"), [("CHECK='false'", False), ("", True)])
def test_the_apt_of_the_host_says_whether_indexes_expire(
    tmp_path: Path, answer: str, *, checks: bool
) -> None:
    assert host_checks_expiry({"PATH": str(tmp_path)})
    tool = tmp_path / "apt-config"
    tool.write_text(
        f'#!/bin/sh\n[ "$*" = "shell CHECK Acquire::Check-Valid-Until/b" ] && echo "{answer}"\n'
    )
    tool.chmod(0o755)
    assert host_checks_expiry({"PATH": str(tmp_path)}) is checks


AS_ANOTHER = """
import sys
from ds01build.resolve.apt import AptRequest, resolve
from ds01build.resolve.session import AptPlan, HostRunner
from ds01build.resolve.sources import AptSource
from ds01build.resolve.update import open_apt
root, ring, directory = sys.argv[1:]
site = AptSource(archive="debian", uri=root, suite="bookworm", components=("main",), signed_by=ring)
plan = AptPlan(sources=(site,), architecture="amd64", title="Debian bookworm")
session = open_apt(HostRunner(directory + "/apt"), plan, {})
pins = resolve(session, [AptRequest(tier="base", packages=("tool",))], keep={})
print(*pins)
"""


@apt
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_any_user_can_resolve(published: Path, signer: Signer) -> None:
    with (
        tempfile.TemporaryDirectory() as name,
        served(published, SimpleHTTPRequestHandler) as place,
    ):
        directory = Path(name)
        ring = directory / "ring.gpg"
        shutil.copy(signer.home / "archive.gpg", ring)
        ring.chmod(0o644)
        os.chown(directory, 54321, 54321)
        python = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", sys.executable]
        words = [AS_ANOTHER, f"http://{place}", str(ring), name]
        if run_clean([*python, "-I", "-c", "import ds01build.resolve.apt"]).returncode:
            pytest.skip("another user may not read this interpreter or this checkout")
        done = run_clean([*python, "-I", "-c", *words])
    assert done.stdout.split() == ["libtool=2.0-1", "tool=1:3.0-1"], done.stderr


def run_clean(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd="/", env={})


def deb_pin(name: str, version: str) -> DebPin:
    return DebPin(
        name=name,
        version=version,
        architecture="amd64",
        path="pool/x.deb",
        size=1,
        digest=Digest.of(b""),
        tier="base",
    )


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("3.11.2-6+deb12u6", "3.11.2"),
        ("3.14.0~rc2-1", "3.14.0rc2"),
        ("3.13.5-2", "3.13.5"),
    ],
)
def test_the_python_of_a_base_is_that_of_its_minimal_package(version: str, expected: str) -> None:
    minor = version.split(".")[1]
    pins = [deb_pin("python3-minimal", "3.9.9-1"), deb_pin(f"python3.{minor}-minimal", version)]
    assert python_version(pins) == expected
    with pytest.raises(ResolveError, match="the base has no Python"):
        python_version(pins[:1])


def test_the_c_library_of_a_base_is_libc6() -> None:
    assert glibc_version([deb_pin("libc6", "2.36-9+deb12u14")]) == (2, 36)
    with pytest.raises(ResolveError, match="the base has no C library"):
        glibc_version([deb_pin("libc6-dev", "2.36-9")])


def stanza(name: str, depends: str = "", provides: str = "") -> Stanza:
    return Stanza(
        name=name,
        version="1",
        architecture="all",
        path="x.deb",
        size=1,
        digest=Digest.of(b""),
        fields=(("Pre-Depends", depends), ("Provides", provides)),
    )


def test_dependents_follow_names_alternatives_and_what_is_provided() -> None:
    stanzas = [
        stanza("p1"),
        stanza("p2", "xx | p1 (>= 1)"),
        stanza("p3", "zz:any,\n p2:any (<< 2~) "),
        stanza("p4", "virtual"),
        stanza("p5", "", "virtual (= 2)"),
        stanza("p6", "p7 (= 1)"),
        stanza("p7"),
        stanza("p8", "p7 (>= 1)"),
    ]
    assert dependents(stanzas, {"p1"}) == {"p1", "p2", "p3"}
    assert dependents(stanzas, {"p5"}) == {"p4", "p5"}
    assert dependents(stanzas, {"p6"}) == {"p6", "p7", "p8"}
    assert dependents(stanzas, {"nowhere"}) == {"nowhere"}
    assert dependents(stanzas, set()) == set()


NAMES = st.sampled_from([f"p{number}" for number in range(8)])


@given(
    st.dictionaries(NAMES, st.lists(NAMES, max_size=3)), st.frozensets(NAMES), st.frozensets(NAMES)
)
def test_dependents_are_closed_and_add_up(
    needed: dict[str, list[str]], one: frozenset[str], other: frozenset[str]
) -> None:
    stanzas = [stanza(name, ", ".join(names)) for name, names in needed.items()]
    found = dependents(stanzas, one)
    assert one <= found == dependents(stanzas, found)
    assert found | dependents(stanzas, other) == dependents(stanzas, one | other)


ENTRY = {
    "Package": "x1",
    "Version": "1:1.0~rc1-1+b2",
    "Architecture": "all",
    "Filename": "pool/main/x/x1/x1_1.0~rc1-1+b2_all.deb",
    "Size": "10",
    "SHA256": hashlib.sha256(b"").hexdigest(),
}


def test_an_entry_is_read_whole() -> None:
    (entry,) = parse_stanzas("".join(f"{key}: {value}\n" for key, value in ENTRY.items()))
    assert (entry.name, entry.version, entry.size) == ("x1", "1:1.0~rc1-1+b2", 10)
    assert entry.fields == tuple(ENTRY.items())


@pytest.mark.parametrize("field", sorted(ENTRY))
@given(value=st.text(max_size=20))
def test_a_field_of_an_entry_is_right_or_refused(field: str, value: str) -> None:
    text = "".join(f"{k}: {value if k == field else v}\n" for k, v in ENTRY.items())
    with contextlib.suppress(ResolveError):
        check_entries(parse_stanzas(text))


def test_an_entry_with_a_line_that_is_none_for_dpkg_is_refused() -> None:
    with pytest.raises(ResolveError, match="an entry that cannot be read"):
        parse_stanzas("Package: a\nDescription: b\n \x85\n\x850\n")


def check_entries(entries: tuple[Stanza, ...]) -> None:
    for entry in entries:
        assert "\n" not in f"{entry.name}{entry.version}{entry.architecture}{entry.path}"
        assert ".." not in entry.path.split("/")
        assert not entry.path.startswith("/")


@pytest.mark.parametrize(
    "line",
    [
        "'http://x/a b.deb' a_1_all.deb 1 SHA256:" + "0" * 64,
        "'http://x/a.deb' a_1_all.deb 1 MD5Sum:" + "0" * 32,
        "'http://x/a.deb' a_1_all.deb 1 ",
        "'http://x/a.deb' a.deb 1 SHA256:" + "0" * 64,
    ],
)
def test_an_offer_without_a_digest_is_refused(line: str) -> None:
    with pytest.raises(ResolveError, match="apt offers a file that cannot be locked"):
        parse_offers(f"Reading package lists...\n{line}\n")


ESSENTIAL = (
    "base-files base-passwd bash bsdutils coreutils dash debianutils diffutils dpkg findutils grep "
    "gzip hostname init-system-helpers libc-bin login mawk ncurses-base ncurses-bin perl-base sed "
    "sysvinit-utils tar util-linux usr-is-merged python3 python3-pip python3-venv procps "
    "ca-certificates tzdata less libgomp1 git openssh-client apt"
)


@apt
@pytest.mark.network
def test_a_real_base_resolves_and_stays_as_it_is(tmp_path: Path) -> None:
    files = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    texts = {str(path): path.read_text() for path in files if path.is_file()}
    host = parse_sources(texts, expires=host_checks_expiry(ENVIRONMENT))
    sources = debian_sources("bookworm", host=host, mirror=None, keyring=None)
    start = time.monotonic()
    session = open_apt(tmp_path / "apt", sources, "amd64", ENVIRONMENT)
    requests = [request("base", *ESSENTIAL.split()), request("system", "curl", "vim", "htop")]
    pins = resolve(session, requests, keep={})
    assert 130 < sum(pin.tier == "base" for pin in pins) < 156
    assert resolve(session, requests, keep={pin.name: pin.version for pin in pins}) == pins
    assert python_version(pins).startswith("3.11.")
    assert glibc_version(pins) == (2, 36)
    assert time.monotonic() - start < 60
