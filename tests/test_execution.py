"""Tiers executed in real engines: what is captured is what their containers had."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import replace
from typing import IO, TYPE_CHECKING

import docker
import pytest
from engines import place
from images import require
from late_engines import late
from sandboxes import KINDS, Furnished, furnished, stacked
from wheels import Bytes

from ds01build.digest import Digest
from ds01build.engine import debs, owner
from ds01build.engine.apt_runner import ContainerRunner
from ds01build.engine.connect import connect
from ds01build.engine.sandbox import LABEL, opened, sweep
from ds01build.engine.site import Site
from ds01build.errors import Ds01Error
from ds01build.layers import pack
from ds01build.layers.executed import Execution
from ds01build.layers.survey import NOT_CAPTURED, is_noise
from ds01build.pin import DebPin
from ds01build.process import Completed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from standin_fixtures import StandIns

    from ds01build.layers.entry import Entry

pytest_plugins = ("standin_fixtures",)
pytestmark = pytest.mark.network


@pytest.fixture(scope="session", params=KINDS)
def engine(request: pytest.FixtureRequest, stand_ins: StandIns) -> Iterator[Furnished]:
    with furnished(request.param, stand_ins) as engine:
        yield engine


@pytest.fixture
def spool() -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as file:
        yield file


@pytest.fixture
def execution(engine: Furnished, spool: IO[bytes], tmp_path: Path) -> Execution:
    return Execution(tier="models", image=engine.image, log=tmp_path / "log", spool=spool)


def sandboxes(engine: Furnished) -> list[str]:
    """Return the containers that this process has made."""
    label = {"label": f"{LABEL}={owner.current()}"}
    return [found["Id"] for found in engine.client.containers(all=True, filters=label)]


def run(engine: Furnished, execution: Execution, *commands: str) -> tuple[list[Entry], list[str]]:
    """Return what ``commands`` change, without bodies, and the notes."""
    with engine.executor().execute(replace(execution, commands=commands)) as captured:
        return list(captured.entries), captured.notes


def kinds(entries: list[Entry]) -> dict[str, str]:
    return {entry.path: entry.stat.kind for entry in entries}


MOUNTED = ("hosts", "hostname", "mtab", "resolv.conf")
Seen = dict[str, tuple[object, ...]]


def exported(engine: Furnished, container: str) -> Seen:
    """Return what the engine says of every path of a container that a layer may have."""
    with tempfile.TemporaryFile() as file:
        for chunk in engine.client.export(container, chunk_size=1 << 20):
            file.write(chunk)
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            return dict(_seen(archive))


def _seen(archive: tarfile.TarFile) -> Iterator[tuple[str, tuple[object, ...]]]:
    for member in archive:
        path = member.name.strip("/")
        outside = (*NOT_CAPTURED, *(f"etc/{name}" for name in MOUNTED), ".dockerenv")
        if member.isfifo() or path.startswith("ds01-"):
            continue
        if any(path == each or path.startswith(f"{each}/") for each in outside):
            continue
        source = archive.extractfile(member) if member.isfile() or member.islnk() else None
        content = hashlib.sha256(source.read()).hexdigest() if source else member.linkname
        attributes = [pair for pair in member.pax_headers.items() if "xattr" in pair[0]]
        kind = tarfile.REGTYPE if member.islnk() else member.type
        owned = (member.uid, member.gid)
        mtime = None if path in ("", "etc") else math.floor(member.mtime)  # engines write there
        yield (
            path,
            (kind, member.mode & 0o7777, *owned, mtime, content, attributes),
        )


def idle(engine: Furnished, image: str) -> str:
    """Return a new container that does nothing."""
    config = engine.client.create_host_config(network_mode="none")
    container = engine.client.create_container(
        image, entrypoint=["/bin/sh"], stdin_open=True, host_config=config
    )
    return str(container["Id"])


def linked(engine: Furnished, container: str, *paths: str) -> bool:
    """Tell whether ``paths`` are names of one file."""
    argv = ["stat", "--format=%i", "--", *paths]
    started = engine.client.exec_create(container, argv)["Id"]
    return len(set(engine.client.exec_start(started).split())) == 1


CHANGES = """\
python3 - <<'EOF'
import os
os.chdir('/srv')
open('capable', 'w').write('x')
os.setxattr('capable', 'security.capability', bytes.fromhex('0100000200040000' + '00' * 12))
open('marked', 'w').write('y')
os.setxattr('marked', 'user.note', b'\\xff\\0=\\n')
open('first', 'w').write('linked')
os.link('first', 'second')
os.mkfifo('pipe')
open('owned', 'w').write('z')
os.chown('owned', 4000000000, 12345)
open('old', 'w').write('o')
os.utime('old', (0, 86400.5))
os.utime('owned', (978307200, 978307200.75))
open('réseau et espaces', 'w').write('n')
open('-rf', 'w').write('n')
open('setuid', 'w').write('s')
os.chmod('setuid', 0o6755)
os.makedirs('deep/' + 'd' * 120 + '/' + 'e' * 120)
os.chmod('deep', 0o1777)
os.symlink('/nowhere/' + 'x' * 150, 'link')
open('big', 'wb').write(bytes(range(256)) * 20000)
os.truncate('big', 9_000_000)
EOF
rm /etc/motd
rm -r /etc/skel && mkdir -m 700 /etc/skel && echo new >/etc/skel/.profile
rm -r /usr/share/pam && ln -s /etc /usr/share/pam
rm /etc/issue && mkdir /etc/issue && echo in >/etc/issue/in
rm -r /usr/share/lintian
echo now a file >/usr/share/pam-configs.new && rm -r /usr/share/pam-configs
mv /usr/share/pam-configs.new /usr/share/pam-configs
chmod 711 /usr/share/zoneinfo
chown 5:6 /etc/debian_version
echo more >>/etc/profile
"""


@pytest.mark.slow
def test_the_layer_unpacks_to_what_the_container_had(
    engine: Furnished, execution: Execution, stand_ins: StandIns, tmp_path: Path
) -> None:
    execution = replace(execution, commands=(CHANGES,))
    with engine.executor().execute(execution) as captured:
        layer = b"".join(piece.plain for piece in pack.compress(captured.entries))
        [container] = sandboxes(engine)
        wanted = exported(engine, container)
    assert captured.notes == ["/srv/pipe is a FIFO, and is left out"]

    with stacked(engine, stand_ins, layer, tmp_path / "layout") as image:
        made = idle(engine, image)
        try:
            engine.client.start(made)
            found = exported(engine, made)
            assert linked(engine, made, "/srv/first", "/srv/second")
            read = "import os; print(os.getxattr('/srv/marked', 'user.note'))"
            started = engine.client.exec_create(made, ["python3", "-c", read])["Id"]
            assert engine.client.exec_start(started) == b"b'\\xff\\x00=\\n'\n"
        finally:
            engine.client.remove_container(made, force=True)
    differing = {
        path: (wanted.get(path), found.get(path))
        for path in wanted.keys() | found.keys()
        if path and wanted.get(path) != found.get(path)
    }
    assert differing == {}
    assert wanted["srv/capable"][-1]
    assert wanted["srv/old"][4] == 86400


def test_a_tier_that_changes_nothing_is_an_empty_layer(
    engine: Furnished, execution: Execution
) -> None:
    entries, notes = run(engine, execution, "cat /etc/passwd; echo x >/tmp/x; echo y >/run/y")
    assert (entries, notes) == ([], [])


def test_what_was_removed_comes_first_and_only_its_highest_path(
    engine: Furnished, execution: Execution
) -> None:
    entries, _ = run(engine, execution, "rm -r /usr/share/lintian /etc/motd; touch /etc/a")
    assert list(kinds(entries).items()) == [
        ("etc/motd", "whiteout"),
        ("usr/share/lintian", "whiteout"),
        ("", "directory"),
        ("etc", "directory"),
        ("etc/a", "file"),
        ("usr", "directory"),
        ("usr/share", "directory"),
    ]


def test_the_output_of_commands_is_in_the_log(engine: Furnished, execution: Execution) -> None:
    run(engine, execution, "echo one; echo two >&2", "pwd")
    assert set(execution.log.read_text().split()) == {"one", "two", "/"}


def test_commands_get_the_declared_variables_and_directory(
    engine: Furnished, execution: Execution
) -> None:
    execution = replace(execution, env=(("A", "$(touch /bad)"),), workdir="/work")
    entries, _ = run(engine, execution, 'printf %s "$A" >a')
    assert kinds(entries) == {"": "directory", "work": "directory", "work/a": "file"}
    assert entries[-1].stat.content == hashlib.sha256(b"$(touch /bad)").hexdigest()


def test_a_failing_command_ends_the_tier_and_shows_the_last_lines(
    engine: Furnished, execution: Execution
) -> None:
    with pytest.raises(Ds01Error) as caught:
        run(engine, execution, "seq 30; printf '\\033[31mred\\n'; exit 3", "touch /never")
    lines = str(caught.value).split("\n")
    assert lines[0] == (
        "models: \"seq 30; printf '\\\\033[31mred\\\\n'; exit 3\" ended with status 3"
    )
    assert lines[1:] == [*map(str, range(12, 31)), "?[31mred"]
    assert caught.value.exit_code == 1
    assert caught.value.hint == f"less {execution.log}"
    assert execution.log.read_bytes().count(b"\n") == 31
    assert sandboxes(engine) == []


@pytest.mark.parametrize("command", ["-c 'touch /bad'", "--version", "; false", "\n$(exit 1)\n"])
def test_a_command_is_one_word_to_the_shell(
    engine: Furnished, execution: Execution, command: str
) -> None:
    with pytest.raises(Ds01Error, match=r"^models: .* ended with status [0-9]+"):
        run(engine, execution, command)


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("touch \"/srv/$(printf 'a\\033b')\"", "has characters that can't be seen"),
        ("touch \"/srv/$(printf 'a\\nb')\"", "has characters that can't be seen"),
        (
            "touch \"/srv/$(printf 'a\\377b')\"",
            r"^models: the name /srv/a\\xffb is not UTF-8, and no layer can hold it$",
        ),
        (
            "ln -s \"$(printf 'a\\377b')\" /srv/link",
            r"^models: what tar in the container printed: b'a\\xffb' is not UTF-8, at /srv/link$",
        ),
        ("touch /srv/.wh.etc", "would remove files of other layers"),
    ],
)
def test_a_name_that_no_layer_may_have_is_refused(
    engine: Furnished, execution: Execution, command: str, problem: str
) -> None:
    with pytest.raises(Ds01Error, match=problem):
        run(engine, execution, command)


def test_what_is_below_a_volume_is_refused(engine: Furnished, execution: Execution) -> None:
    execution = replace(execution, volumes=("/srv",))
    with pytest.raises(Ds01Error) as caught:
        run(engine, execution, "touch /srv/x")
    assert str(caught.value) == (
        "models: '/srv/x' is below /srv, a volume of the base, which is no part of an image"
    )


def test_an_overdue_tier_is_ended(engine: Furnished, execution: Execution) -> None:
    started = time.monotonic()
    with pytest.raises(Ds01Error, match=r"^models: took longer than it may, and was ended$"):
        run(engine, replace(execution, seconds=4), "sleep 300")
    assert time.monotonic() - started < 60
    assert sandboxes(engine) == []


def test_what_commands_leave_running_is_ended_before_files_are_read(
    engine: Furnished, execution: Execution
) -> None:
    busy = "(while :; do date >>/srv/log; done) >/dev/null 2>&1 & sleep 1"
    entries, _ = run(engine, execution, busy)
    assert kinds(entries)["srv/log"] == "file"


def test_the_container_goes_when_an_exception_passes(engine: Furnished) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted(engine)
    assert sandboxes(engine) == []


def interrupted(engine: Furnished) -> None:
    with opened(engine.client, engine.image, owner=owner.current(), site=Site()):
        assert len(sandboxes(engine)) == 1
        raise KeyboardInterrupt


KILLED = """\
import os, signal, sys
import docker
from ds01build.engine import debs, owner
from ds01build.engine.sandbox import opened
from ds01build.engine.site import Site
client = docker.APIClient(base_url=sys.argv[1])
with opened(client, sys.argv[2], owner=owner.current(), site=Site()) as sandbox:
    print(sandbox.container, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_sandboxes_of_killed_processes_are_swept_and_no_others(engine: Furnished) -> None:
    url = place(engine.kind)
    argv = [sys.executable, "-c", KILLED, url, engine.image]
    left = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120).stdout
    with opened(engine.client, engine.image, owner=owner.current(), site=Site()) as own:
        assert engine.client.inspect_container(left.strip())["State"]["Running"]
        sweep(engine.client, owner.current())
        with pytest.raises(docker.errors.NotFound):
            engine.client.inspect_container(left.strip())
        assert engine.client.inspect_container(own.container)["State"]["Running"]


def test_certificates_and_proxies_reach_commands_and_no_layer(
    engine: Furnished, execution: Execution
) -> None:
    site = Site(certificates=b"PEM of the site", proxies={"https_proxy": "http://u:p@proxy:1"})
    command = (
        'cat "$SSL_CERT_FILE" "$PIP_CERT"; echo "$HTTPS_PROXY $https_proxy"; echo "$SSL_CERT_FILE"'
    )
    execution = replace(execution, commands=(command,))
    with engine.executor(site).execute(execution) as captured:
        assert list(captured.entries) == []
        [container] = sandboxes(engine)
        settings = json.dumps(engine.client.inspect_container(container))
    log = execution.log.read_text()
    assert log.startswith("PEM of the site" * 2 + "http://u:p@proxy:1 http://u:p@proxy:1\n")
    assert "proxy:1" not in settings
    assert "proxy:1" not in repr(site)


def test_there_is_no_network_unless_asked_for(engine: Furnished, execution: Execution) -> None:
    run(engine, execution, 'test "$(ls /sys/class/net)" = lo')


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return small real .debs that the base does not have, by name."""
    directory = tmp_path_factory.mktemp("debs")
    require("apt-get", "dpkg-deb")
    argv = ["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", "hello", "tree"]
    subprocess.run(argv, cwd=directory, capture_output=True, check=True, timeout=120)
    return {path.name.partition("_")[0]: path for path in directory.glob("*.deb")}


def packaged(
    directory: Path, name: str, *, depends: str = "", conflicts: str = "", script: str = ""
) -> Path:
    """Return a .deb made here."""
    tree = directory / name
    (tree / "DEBIAN").mkdir(parents=True)
    fields = {
        "Package": name,
        "Version": "1:1.0-1",
        "Architecture": "all",
        "Maintainer": "A <a@example.org>",
        "Description": "for a test",
        "Depends": depends,
        "Conflicts": conflicts,
    }
    control = "".join(f"{key}: {value}\n" for key, value in fields.items() if value)
    (tree / "DEBIAN/control").write_text(control)
    if script:
        (tree / "DEBIAN/postinst").write_text(f"#!/bin/sh\nset -e\n{script}\n")
        (tree / "DEBIAN/postinst").chmod(0o755)
    path = directory / f"{name}.deb"
    argv = ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(path)]
    subprocess.run(argv, capture_output=True, check=True)
    return path


def locked(path: Path) -> tuple[DebPin, Bytes]:
    """Return a .deb with the pin that a lock would have for it."""
    argv = ["dpkg-deb", "--field", str(path), "Package", "Version", "Architecture"]
    printed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    fields = dict(line.split(": ", 1) for line in printed.splitlines())
    content = path.read_bytes()
    pin = DebPin(
        name=fields["Package"],
        version=fields["Version"],
        architecture=fields["Architecture"],
        path=f"pool/{path.name}",
        size=len(content),
        digest=Digest.of(content),
        tier="system",
    )
    return pin, Bytes(content)


def installed(engine: Furnished, execution: Execution, *paths: Path) -> tuple[bytes, list[Entry]]:
    """Return the tar of a tier that installs ``paths``, and its entries."""
    entries: list[Entry] = []

    def noted(found: Iterator[Entry]) -> Iterator[Entry]:
        for entry in found:
            entries.append(entry)
            yield entry

    execution = replace(execution, debs=tuple(map(locked, paths)))
    with engine.executor().execute(execution) as captured:
        layer = b"".join(piece.plain for piece in pack.compress(noted(captured.entries)))
    return layer, entries


@pytest.mark.slow
def test_two_apt_tiers_keep_the_packages_of_both(
    engine: Furnished,
    execution: Execution,
    stand_ins: StandIns,
    archives: dict[str, Path],
    tmp_path: Path,
) -> None:
    layer, entries = installed(engine, execution, archives["hello"])
    paths = kinds(entries)
    assert paths["usr/bin/hello"] == "file"
    assert paths["var/lib/dpkg/status"] == "file"
    assert not [path for path in paths if is_noise(path) or "policy-rc.d" in path]
    assert not [path for path in paths if path.startswith(("tmp", "ds01", "var/log/apt"))]
    with stacked(engine, stand_ins, layer, tmp_path / "layout") as image:
        second = replace(execution, image=image, log=tmp_path / "second")
        second = replace(second, debs=(locked(archives["tree"]),))
        with engine.executor().execute(second) as captured:
            [container] = sandboxes(engine)
            argv = ["dpkg-query", "--show", "--showformat=${db:Status-Abbrev}${Package}\\n"]
            started = engine.client.exec_create(container, argv)["Id"]
            listed = engine.client.exec_start(started).decode().splitlines()
            assert "usr/bin/tree" in kinds(list(captured.entries))
    assert {"ii hello", "ii tree"} <= set(listed)


def test_a_package_starts_no_service_and_keeps_configuration(
    engine: Furnished, execution: Execution, tmp_path: Path
) -> None:
    script = "set +e; /usr/sbin/policy-rc.d; echo $? >/srv/answer; :"
    path = packaged(tmp_path, "ds01-service", script=script)
    _, entries = installed(engine, execution, path)
    [answer] = [entry for entry in entries if entry.path == "srv/answer"]
    assert answer.stat.content == hashlib.sha256(b"101\n").hexdigest()
    assert not [entry for entry in entries if "policy-rc.d" in entry.path]


def test_nothing_that_a_command_prints_is_lost_on_a_slow_way(
    engine: Furnished, tmp_path: Path
) -> None:
    with (
        late(place(engine.kind), tmp_path) as host,
        contextlib.closing(connect({"DOCKER_HOST": host}, tmp_path)) as slow,
        opened(slow.client, engine.image, owner=owner.current(), site=Site()) as sandbox,
    ):
        assert sandbox.capture(["printf", "short"]) == (0, b"short")
        assert sandbox.capture(["head", "--bytes=300000", "/dev/zero"]) == (0, bytes(300_000))
        runner = ContainerRunner(slow.client, sandbox.container, "/ds01-late")
        done = runner.run(["/bin/sh", "-c", "echo out; echo err >&2; exit 3"], {})
        assert done == Completed(3, "out\n", "err")


def test_a_base_without_apt_installs_with_dpkg(engine: Furnished, tmp_path: Path) -> None:
    paths = [packaged(tmp_path, "ds01-one", depends="ds01-two"), packaged(tmp_path, "ds01-two")]
    ran = []
    with opened(engine.client, engine.image, owner=owner.current(), site=Site()) as sandbox:
        sandbox.capture(["rm", "/usr/bin/apt-get"])

        def execute(argv: Sequence[str], name: str) -> None:
            ran.append(name)
            assert sandbox.capture(argv)[0] == 0

        debs.install(sandbox, list(map(locked, paths)), execute)
        code, listed = sandbox.capture(["dpkg-query", "--show", "ds01-one", "ds01-two"])
    assert (code, ran) == (0, ["dpkg"])
    assert listed.split() == [b"ds01-one", b"1:1.0-1", b"ds01-two", b"1:1.0-1"]


def test_a_package_whose_needs_are_not_locked_is_not_installed(
    engine: Furnished, execution: Execution, tmp_path: Path
) -> None:
    path = packaged(tmp_path, "ds01-needy", depends="ds01-nowhere")
    with pytest.raises(Ds01Error, match=r"^models: 'apt-get' ended with status 100\n"):
        installed(engine, execution, path)


def test_a_package_that_would_remove_another_is_not_installed(
    engine: Furnished, execution: Execution, tmp_path: Path
) -> None:
    path = packaged(tmp_path, "ds01-rival", conflicts="procps")
    with pytest.raises(Ds01Error, match=r"^models: 'apt-get' ended with status 100\n"):
        installed(engine, execution, path)


def test_another_version_than_the_locked_one_is_refused(
    engine: Furnished, execution: Execution, tmp_path: Path
) -> None:
    path = packaged(tmp_path, "ds01-forger")
    other = replace(locked(path)[0], version="1:2.0-1")
    execution = replace(execution, debs=((other, locked(path)[1]),))
    with pytest.raises(Ds01Error) as caught, engine.executor().execute(execution):
        pass
    assert str(caught.value) == (
        "models: after installing, 'ds01-forger' is at '1:1.0-1' ii, and not at 1:2.0-1"
    )
