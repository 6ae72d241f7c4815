"""A container that is kept alive while commands are executed in it, and removed in every case."""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import docker.errors
import requests.exceptions

from ds01build.engine.answering import answering
from ds01build.engine.frames import STDERR, STDOUT, executed
from ds01build.engine.outage import advised
from ds01build.engine.owner import Owner
from ds01build.errors import Ds01Error, Unavailable
from ds01build.layers.tar import END, header, padding
from ds01build.stack import Stat

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from docker import APIClient

    from ds01build.engine.site import Site
    from ds01build.layers.entry import Source

__all__ = ["Ended", "InMemory", "Sandbox", "Supply", "opened", "sweep"]

LABEL = "ds01.sandbox"
_READ = 1 << 20  # bytes
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~%-]{0,254}")


@dataclass(frozen=True, slots=True)
class InMemory:
    """Bytes as a source."""

    content: bytes

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.content)

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes; fewer than ``length`` at the end."""
        return self.content[offset : offset + length]


class Supply(NamedTuple):
    """A file to put into a sandbox."""

    name: str
    source: Source


class Ended(NamedTuple):
    """A command that ended."""

    code: int
    stderr: bytes  # the last of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A running container.

    ``scratch`` is a directory of its own in it, absolute, that no layer may have. ``variables``
    are set for every command; they are in no image's configuration.
    """

    client: APIClient
    container: str
    scratch: str
    variables: Mapping[str, str] = field(repr=False)
    volumes: tuple[str, ...]  # absolute
    overdue: threading.Event

    def put(self, supplies: Iterable[Supply]) -> None:
        """Stream files into ``scratch``, readable by all."""
        with _answered(self):
            self.client.put_archive(self.container, self.scratch, _archive(supplies))

    def stream(
        self,
        argv: Sequence[str],
        ended: Callable[[Ended], None],
        *,
        env: Mapping[str, str] | None = None,
        workdir: str = "",
        both: bool = False,
    ) -> Generator[bytes, None, None]:
        """Yield what a command prints to standard output, and to both where ``both``.

        ``ended`` is called after the last of it. Raises Unavailable when the engine is lost and
        Ds01Error when the sandbox is overdue.
        """
        errors = b""
        with _answered(self):
            started = self.client.exec_create(
                self.container,
                list(argv),
                environment={**self.variables, **(env or {})},
                workdir=workdir or None,
                user="0",
            )["Id"]
            with executed(self.client, started) as frames:
                for channel, printed in frames:
                    if channel == STDERR:
                        errors = (errors + printed)[-_READ:]
                    if both or channel == STDOUT:
                        yield printed
            code = self.client.exec_inspect(started)["ExitCode"]
        if self.overdue.is_set() or code is None:
            raise _lost(self)
        ended(Ended(code, errors))

    def capture(self, argv: Sequence[str], *, limit: int = _READ) -> tuple[int, bytes]:
        """Return exit status and standard output, at most ``limit`` bytes, of a command."""
        ends: list[Ended] = []
        output = b""
        for chunk in self.stream(argv, ends.append):
            output += chunk
            if len(output) > limit:
                raise Ds01Error(f"{argv[0]} in the container printed more than {limit} bytes")
        return ends[0].code, output

    def settle(self) -> None:
        """End whatever commands have left running, so that files no longer change."""
        with _answered(self):
            try:
                left = len(self.client.top(self.container)["Processes"])
            except docker.errors.APIError:  # engines ask a ps on their side, which may be missing
                left = 0
            if left != 1:
                self.client.kill(self.container)
                self.client.wait(self.container, timeout=60)
                self.client.start(self.container)


@contextlib.contextmanager
def opened(
    client: APIClient,
    image: str,
    *,
    owner: Owner,
    site: Site,
    network: str = "none",
    seconds: float = 3600,
) -> Iterator[Sandbox]:
    """Keep a container of ``image`` until the context is left, or ``seconds`` have passed.

    It runs as root with no more privileges than an engine gives by default.
    """
    name = f"ds01-{secrets.token_hex(8)}"
    overdue = threading.Event()
    container = _created(client, image, name, owner, network)
    watch = threading.Timer(seconds, _end, (client, container, overdue))
    watch.daemon = True
    try:
        with advised(network), answering():
            client.start(container)
            found = client.inspect_container(container)
        watch.start()
        sandbox = Sandbox(
            client=client,
            container=container,
            scratch=f"/{name}",
            variables={
                "DEBIAN_FRONTEND": "noninteractive",
                "PYTHONDONTWRITEBYTECODE": "1",
                **site.environment(f"/{name}"),
            },
            volumes=_volumes(found),
            overdue=overdue,
        )
        _make_scratch(sandbox, site)
        _check_inside(sandbox)
        yield sandbox
    finally:
        watch.cancel()
        _remove(client, container)


def _created(client: APIClient, image: str, name: str, owner: Owner, network: str) -> str:
    with answering():
        container = client.create_container(
            image,
            command=[],
            entrypoint=["/bin/sh"],  # as process 1 it waits for input that never comes
            stdin_open=True,
            user="0",
            healthcheck={"test": ["NONE"]},
            labels={LABEL: str(owner)},
            name=name,
            host_config=client.create_host_config(
                network_mode=network,
                security_opt=["no-new-privileges:true"],
                init=False,
            ),
        )
    return str(container["Id"])


def sweep(client: APIClient, owner: Owner) -> int:
    """Remove the sandboxes of processes of this user that are no more; return how many.

    Those of another machine, or of another boot of this one, go when they have stopped.
    """
    count = 0
    with answering():
        for found in client.containers(all=True, filters={"label": LABEL}):
            other = Owner.parse(found["Labels"].get(LABEL, ""))
            if other is None or other.uid != owner.uid:
                continue
            stopped = found["State"] in ("exited", "dead")
            if not other.is_alive if other.is_visible else stopped:
                _remove(client, found["Id"])
                count += 1
    return count


def _end(client: APIClient, container: str, overdue: threading.Event) -> None:
    """Kill an overdue container: whoever reads from it sees the end of the stream."""
    overdue.set()
    with contextlib.suppress(docker.errors.APIError, requests.exceptions.RequestException):
        client.kill(container)


def _remove(client: APIClient, container: str) -> None:
    with contextlib.suppress(docker.errors.APIError, requests.exceptions.RequestException):
        client.remove_container(container, force=True, v=True)


def _volumes(found: Mapping[str, Any]) -> tuple[str, ...]:
    mounts = found.get("Mounts") or ()
    return tuple(sorted(str(each["Destination"]) for each in mounts if each["Type"] == "volume"))


def _make_scratch(sandbox: Sandbox, site: Site) -> None:
    name = sandbox.scratch[1:]
    content = header(name, Stat("directory", 0o755, 0, 0, ""), 0)
    if site.certificates:
        size = len(site.certificates)
        content += header(f"{name}/ca.pem", Stat("file", 0o644, 0, 0, ""), size)
        content += site.certificates + padding(size)
    with _answered(sandbox):
        sandbox.client.put_archive(sandbox.container, "/", content + END)


def _check_inside(sandbox: Sandbox) -> None:
    """Raise Unavailable unless commands see the file system that files are put into.

    Where an engine itself was started in a chroot, what it executes in a running container has the
    root of the whole machine, and would change that.
    """
    code, _ = sandbox.capture(["/bin/sh", "-c", '[ -d "$1" ]', "sh", sandbox.scratch])
    if code != 0:
        raise Unavailable("the engine executes commands outside of their container")


def _archive(supplies: Iterable[Supply]) -> Iterator[bytes]:
    for name, source in supplies:
        if not _FILE.fullmatch(name):
            raise Ds01Error(f"{name!r:.100} is not the name of a file for a container")
        yield header(name, Stat("file", 0o644, 0, 0, ""), source.size)
        for offset in range(0, source.size, _READ):
            yield source.read(offset, min(_READ, source.size - offset))
        yield padding(source.size)
    yield END


@contextlib.contextmanager
def _answered(sandbox: Sandbox) -> Iterator[None]:
    """Translate what goes wrong between engine and sandbox."""
    try:
        with answering():
            yield
    except Ds01Error as error:
        if sandbox.overdue.is_set():
            raise _lost(sandbox) from error
        raise


def _lost(sandbox: Sandbox) -> Ds01Error:
    if sandbox.overdue.is_set():
        return Ds01Error("took longer than it may, and was ended")
    return Unavailable("the engine lost the container")
