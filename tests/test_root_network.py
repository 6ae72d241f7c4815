"""A real root: Debian's own packages, unpacked and completed here, then used in a chroot."""

from __future__ import annotations

import os
import stat
import subprocess
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import debs
import pytest
from wheels import Bytes

from ds01build.digest import Digest
from ds01build.layers import root
from ds01build.layers.deb import DebFacts, unpack
from ds01build.resolve.apt import AptRequest, resolve
from ds01build.resolve.session import AptPlan, HostRunner, host_checks_expiry
from ds01build.resolve.sources import debian_sources, locations, parse_sources
from ds01build.resolve.update import open_apt

if TYPE_CHECKING:
    from ds01build.pin import DebPin
    from ds01build.resolve.sources import AptSource

pytestmark = [
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for chroot"),
]

MORE = ("apt", "curl", "git", "openssh-client", "sudo")
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent"}
INSIDE = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[DebFacts]]:
    """Return a root in a directory, and the facts of its packages."""
    work = tmp_path_factory.mktemp("root")
    files = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    texts = {str(path): path.read_text() for path in files if path.is_file()}
    host = parse_sources(texts, expires=host_checks_expiry(ENVIRONMENT))
    sources = debian_sources("bookworm", host=host, mirror=None, keyring=None)
    plan = AptPlan(sources=sources, architecture="amd64", title="Debian bookworm")
    session = open_apt(HostRunner(str(work / "apt")), plan, ENVIRONMENT)
    packages = (*root.BASE_PACKAGES, *MORE)
    pins = resolve(session, [AptRequest(tier="base", packages=packages)], keep={})
    tree = work / "tree"
    tree.mkdir()
    facts: list[DebFacts] = []
    with ThreadPoolExecutor(4) as pool:
        for pin, content in zip(
            pins, pool.map(lambda pin: _fetch(pin, sources), pins), strict=True
        ):
            debs.write(tree, unpack(Bytes(content), pin, facts.append))
    debs.write(tree, [entry for _, entry in root.entries(facts, "amd64")])
    os.mknod(tree / "dev/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    return tree, facts


def _fetch(pin: DebPin, sources: tuple[AptSource, ...]) -> bytes:
    for location in locations(pin, sources) * 3:
        try:
            with urllib.request.urlopen(location, timeout=60) as answer:
                content: bytes = answer.read()
        except OSError:
            continue
        if Digest.of(content) == pin.digest:
            return content
    raise AssertionError(f"{pin} cannot be fetched")


def inside(tree: Path, *words: str) -> str:
    done = subprocess.run(
        ["chroot", str(tree), *words], env=INSIDE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["dpkg", "--audit"], ""),
        (["dpkg", "--verify"], ""),
        (["dpkg", "-S", "/usr/bin/git"], "git: /usr/bin/git"),
        (["apt-get", "check", "-qq"], ""),
        (["sh", "-c", "dpkg -l | tail -n +6 | grep -vc ^ii || true"], "0"),
        (["python3", "-c", "import sys; print(sys.executable)"], "/usr/bin/python3"),
        (["python", "-m", "pip", "check"], "No broken requirements found."),
        (["awk", "BEGIN { print 1 }"], "1"),
        (["getent", "passwd", "_apt"], "_apt:x:42:65534::/nonexistent:/usr/sbin/nologin"),
        (["getent", "group", "_ssh"], "_ssh:x:101:"),
        (["getent", "services", "https"], "https                 443/tcp"),
        (["stat", "-c", "%a %U:%G", "/usr/bin/ssh-agent"], "2755 root:_ssh"),
        (["stat", "-c", "%a %U:%G", "/etc/shadow"], "640 root:shadow"),
        (["stat", "-c", "%a", "/etc/sudoers"], "440"),
        (["stat", "-c", "%a", "/tmp"], "1777"),
        (["readlink", "-f", "/lib64"], "/usr/lib64"),
        (["su", "-s", "/bin/sh", "-c", "whoami", "nobody"], "nobody"),
        (
            ["python3", "-c", "import ctypes.util as u; print(u.find_library('gomp'))"],
            "libgomp.so.1",
        ),
        (
            ["openssl", "verify", "/etc/ssl/certs/ISRG_Root_X1.pem"],
            "/etc/ssl/certs/ISRG_Root_X1.pem: OK",
        ),
    ],
)
def test_a_command_says_what_it_should(
    made: tuple[Path, list[DebFacts]], words: list[str], expected: str
) -> None:
    assert inside(made[0], *words) == expected


@pytest.mark.parametrize(
    "words",
    [
        *(["pip", "--version"], ["pip3", "--version"], ["git", "--version"], ["ssh", "-V"]),
        *(["curl", "--version"], ["sysctl", "--version"], ["pager", "--version"], ["which", "sh"]),
        *(["python3", "-m", "venv", "/tmp/v"], ["useradd", "-m", "tester"], ["sudo", "-n", "true"]),
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/tmp/key"],
    ],
)
def test_a_command_runs(made: tuple[Path, list[DebFacts]], words: list[str]) -> None:
    inside(made[0], *words)


def test_python_trusts_the_authorities(made: tuple[Path, list[DebFacts]]) -> None:
    count = "import ssl; print(len(ssl.create_default_context().get_ca_certs()))"
    assert int(inside(made[0], "python3", "-c", count)) > 100


def test_the_loader_cache_is_what_its_own_ldconfig_writes(
    made: tuple[Path, list[DebFacts]],
) -> None:
    path = made[0] / "etc/ld.so.cache"
    ours = path.read_bytes()
    path.unlink()
    inside(made[0], "ldconfig")
    assert path.read_bytes() == ours


def test_the_certificates_are_what_the_package_itself_writes(
    made: tuple[Path, list[DebFacts]],
) -> None:
    folder = made[0] / "etc/ssl/certs"
    ours = _shown(folder)
    inside(made[0], "update-ca-certificates", "--fresh")
    assert _shown(folder) == ours


def _shown(folder: Path) -> dict[str, str]:
    return {
        path.name: str(path.readlink()) if path.is_symlink() else path.read_text()
        for path in folder.iterdir()
    }


def test_alternatives_and_pam_are_what_their_tools_write(
    made: tuple[Path, list[DebFacts]],
) -> None:
    folders = [made[0] / name for name in ("etc/alternatives", "var/lib/dpkg/alternatives")]
    ours = [_shown(folder) for folder in folders]
    inside(made[0], "update-alternatives", "--auto", "awk")
    inside(made[0], "update-alternatives", "--auto", "pager")
    assert [_shown(folder) for folder in folders] == ours
    common = _shown(made[0] / "etc/pam.d")
    inside(made[0], "pam-auth-update", "--package", "--force")
    after = _shown(made[0] / "etc/pam.d")
    assert {name: text for name, text in after.items() if "pam-old" not in name} == common


def test_the_target_lies_in_this_base(made: tuple[Path, list[DebFacts]]) -> None:
    facts = made[1]
    entries = [entry for _, entry in root.entries(facts, "amd64")]
    target = root.target("3.11.2")
    assert set(target.directories) <= set(root.directories(facts, entries))
    assert set(target.links) <= set(root.links(facts, entries))
    schemes = inside(
        made[0],
        "python3",
        "-c",
        "import sysconfig as s; print(*(s.get_path(n) for n in ('purelib', 'scripts', 'data')))",
    )
    ours = target.schemes
    assert schemes == f"{ours.purelib} {ours.scripts} {ours.data}"


def test_only_bytecode_and_services_are_missing(made: tuple[Path, list[DebFacts]]) -> None:
    missing = {text for note in root.unreproduced(made[1]) for text in note.missing}
    assert missing == {"no bytecode is compiled", "no service is enabled or started"}
