"""Jupyter in a container of one's own: started once, asked whether it is safe, and ended."""

from __future__ import annotations

import inspect
import json
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ds01build.container import jupyter as home
from ds01build.container import read, short_name
from ds01build.engine.inside import EngineInside
from ds01build.errors import Ds01Error
from ds01build.workflow import listener, owned
from ds01build.workflow.selecting import image_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ds01build.engine.containers import Row
    from ds01build.workflow.containers import Host

__all__ = ["Inside", "Lab", "Served", "ended", "lab", "serve", "served", "stop"]

_PATIENCE = 120.0  # seconds; a first start compiles what it imports
_PAUSE = 0.3  # seconds
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,256}")
_END = 65536  # bytes of a file that are read
_LINES = 20  # of a log that are shown
_FOUND, _NO_JUPYTER = 0, 3
_GUARDED = (401, 403)
_OK = 200

# The image's own Python, for what it can see of this container and nobody outside.
_LOOK = (
    "/bin/sh",
    "-c",
    f'command -v jupyter-lab >/dev/null || exit {_NO_JUPYTER}; exec python3 -I -c "$@"',
    "sh",
)
_START = (
    "/bin/sh",
    "-c",
    '[ -x /bin/bash ] && export SHELL=/bin/bash; exec jupyter-lab >"$1" 2>&1',
    "sh",
)


class Inside(Protocol):
    """The inside of a container that runs, seen as its user."""

    def ask(self, argv: Sequence[str]) -> tuple[int, bytes]:
        """Run a command to its end; return its status, and what it prints."""
        ...

    def begin(self, argv: Sequence[str], variables: Mapping[str, str]) -> Callable[[], int | None]:
        """Start a command and leave it; what is returned gives its status, None while it runs."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """Where a container's Jupyter is to be: ``port`` inside of it, ``published`` on this machine.

    ``home`` is its user's, in the container.
    """

    name: str  # of the container, without the uid
    home: str
    kernel: str
    port: int
    published: int
    image: str  # that of its user which the container is of, or else a full reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A Jupyter that answers its owner and nobody else. ``url`` lets whoever has it in."""

    name: str
    url: str = field(repr=False)
    port: int  # of this machine
    kernel: str
    log: str  # in the container
    is_new: bool  # it was started for this

    def answer(self) -> dict[str, object]:
        """Return all of it, as programs read it."""
        return {
            "schema": "ds01.jupyter/1",
            "name": self.name,
            "url": self.url,
            "port": self.port,
            "kernel": self.kernel,
            "log": self.log,
            "started": self.is_new,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What there is on the port of a lab: ``process`` is one of its container's user, else 0.

    ``stranger`` and ``owner`` are HTTP's status for who has no token and who has it, 0 for none.
    """

    uids: tuple[int, ...]  # of who listens
    process: int
    is_jupyter: bool
    stranger: int
    owner: int


def serve(name: str, host: Host) -> Served:
    """Start Jupyter in the user's container of that name, unless it answers already.

    Returns when it answers. Raises Ds01Error for a container that does not run or has no port, a
    port that somebody else has, a server that asks for no token or does not start; Unavailable.
    """
    row = owned.find_own(name, host)
    if row.state != "running":
        short, way = _short(row), "unpause" if row.state == "paused" else "start"
        raise Ds01Error(f"the container {short} does not run", hint=f"container-{way} {short}")
    return served(lab(row, host), EngineInside(engine=host.engine(), name=row.name))


def stop(name: str, host: Host) -> bool:
    """End the Jupyter of a container with its kernels, and say whether there was one.

    Raises Ds01Error, Unavailable.
    """
    row = owned.find_own(name, host)
    if row.state != "running":
        return False
    return ended(lab(row, host), EngineInside(engine=host.engine(), name=row.name))


def _short(row: Row) -> str:
    return (short_name(row.name) or (row.name, 0))[0]


def lab(row: Row, host: Host) -> Lab:
    """Return where the Jupyter of a container is to be. Raises Ds01Error for one without a port."""
    name, wish = _short(row), read(row.labels)
    if wish is None or not wish.port:
        raise Ds01Error(
            f"the container {name} was created without a port for Jupyter",
            hint=f"container-create --recreate --port 0 {name}",
        )
    return Lab(
        name=name,
        home=host.identity.home,
        kernel=home.kernel_name(wish.project or wish.name),
        port=home.listens(wish)[1],
        published=wish.port,
        image=image_of(wish.image, host.identity.uid) or wish.image,
    )


def served(where: Lab, inside: Inside) -> Served:
    """Have Jupyter answer in a container that runs, as ``serve`` does."""
    is_new = not _answers(_look("look", where, inside), where)
    token = _token(where, inside)
    if is_new:
        _start(where, inside, token)
    return Served(
        name=where.name,
        url=f"http://127.0.0.1:{where.published}/lab?token={token}",
        port=where.published,
        kernel=where.kernel,
        log=f"{where.home}/{home.LOG}",
        is_new=is_new,
    )


def _start(where: Lab, inside: Inside, token: str) -> None:
    """Start a Jupyter and wait until it answers; one that does not, or anybody, is ended."""
    status = inside.begin([*_START, f"{where.home}/{home.LOG}"], _variables(where.home))
    try:
        _wait(where, inside, status, token)
    except Ds01Error:
        with suppress(Ds01Error):
            ended(where, inside)
        raise


def ended(where: Lab, inside: Inside) -> bool:
    """End the Jupyter in a container that runs, and say whether there was one."""
    return _look("stop", where, inside).is_jupyter


def _variables(place: str) -> dict[str, str]:
    """Return what leads Jupyter to its user's home, whatever the image says."""
    return {
        "JUPYTER_CONFIG_DIR": f"{place}/{home.DIRECTORY}",
        "JUPYTER_DATA_DIR": f"{place}/{home.DATA}",
        "JUPYTER_RUNTIME_DIR": f"{place}/{home.DATA}/runtime",
        "JUPYTER_NO_CONFIG": "",
        "JUPYTER_PREFER_ENV_PATH": "0",
    }


def _token(where: Lab, inside: Inside) -> str:
    text = _text(home.TOKEN, where, inside).strip()
    if not _TOKEN.fullmatch(text):
        raise Ds01Error(
            f"~/{home.TOKEN} in the container {where.name} has no token of 16 to 256 letters,"
            " digits, '.', '_', '~' and '-'",
            hint=f"container-create --recreate --port {where.published} {where.name}",
        )
    return text


def _text(path: str, where: Lab, inside: Inside) -> str:
    """Return the end of a file of the user's home, empty where there is none."""
    code, content = inside.ask(["tail", "-c", str(_END), "--", f"{where.home}/{path}"])
    return content.decode(errors="replace") if code == 0 else ""


def _look(action: str, where: Lab, inside: Inside) -> _Seen:
    code, printed = inside.ask(
        [*_LOOK, inspect.getsource(listener), action, str(where.port), f"{where.home}/{home.TOKEN}"]
    )
    if code == _NO_JUPYTER:
        raise Ds01Error(
            f"the container {where.name} has no Jupyter Lab",
            hint=_way_to_jupyter(where),
        )
    try:
        found = json.loads(printed)
        return _Seen(
            uids=tuple(_number(each) for each in found["uids"]),
            process=_number(found["process"]),
            is_jupyter=found["is_jupyter"] is True,
            stranger=_number(found["stranger"]),
            owner=_number(found["owner"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Ds01Error(
            f"Python in the container {where.name} does not say who listens (status {code})"
        ) from error


def _way_to_jupyter(where: Lab) -> str:
    """Return the commands after which a container has a Jupyter Lab."""
    if not any(each in where.image for each in "/:@"):
        return f"image-update {where.image} --add jupyterlab && container-upgrade {where.name}"
    image = where.name.lower()
    return (
        f"image-create {image} --base {where.image} --jupyter yes --no-container &&"
        f" container-create --recreate --port {where.published} {where.name} {image}"
    )


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r:.20} is no number")
    return value


def _answers(seen: _Seen, where: Lab) -> bool:
    """Say whether a Jupyter answers its owner alone; False where nobody listens, or not yet.

    Raises Ds01Error for another server, and for one that lets strangers in.
    """
    if not seen.uids:
        return False
    if not seen.process:
        raise Ds01Error(
            f"port {where.port} is taken by a program of uid {seen.uids[0]} that is not in the"
            f" container {where.name}",
            hint=f"container-create --recreate --port 0 {where.name}",
        )
    if not seen.is_jupyter:
        raise Ds01Error(
            f"in the container {where.name}, process {seen.process} listens on port {where.port},"
            " and it is no Jupyter",
            hint=f"container-run {where.name} -- kill {seen.process}",
        )
    if seen.owner in _GUARDED or seen.stranger == _OK:
        who = "anybody" if seen.stranger == _OK else "who has another token"
        raise Ds01Error(
            f"the Jupyter in the container {where.name} answers {who}: it does not go by"
            f" ~/{home.DIRECTORY}",
            hint=f"container-jupyter {where.name} --stop",
        )
    return seen.owner == _OK and seen.stranger in _GUARDED


def _wait(where: Lab, inside: Inside, status: Callable[[], int | None], token: str) -> None:
    """Wait until a Jupyter that was started answers. Raises Ds01Error with the end of its log."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        code = status()  # asked first: one that somebody else started meanwhile answers, too
        if _answers(_look("look", where, inside), where):
            return
        if code is not None:
            raise Ds01Error(
                f"Jupyter in the container {where.name} ended with status {code}\n"
                f"{_last(where, inside, token)}"
            )
        time.sleep(_PAUSE)
    raise Ds01Error(
        f"Jupyter in the container {where.name} does not answer after {_PATIENCE:.0f} seconds\n"
        f"{_last(where, inside, token)}"
    )


def _last(where: Lab, inside: Inside, token: str) -> str:
    """Return the last lines of a log, without what a terminal would obey, and without the token."""
    text = _text(home.LOG, where, inside).replace(token, "****")
    lines = text.strip("\n").split("\n")[-_LINES:]
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)
