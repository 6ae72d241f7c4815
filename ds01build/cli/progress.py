"""Shows the events of long work on stderr: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ds01build.cli.output import visible
from ds01build.events import (
    Expected,
    Note,
    Received,
    Sent,
    Verified,
    Verifying,
    Warned,
    Written,
)
from ds01build.quantities import counted, readable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, TaskID

    from ds01build.events import Event, Report

__all__ = ["progress"]

_EVERY = 2.0  # seconds between plain lines about bytes


@contextmanager
def progress(*, quiet: bool) -> Iterator[Report]:
    """Yield what shows events; ``quiet`` shows warnings alone. ``NO_COLOR`` is honoured by rich."""
    if quiet:
        yield _warn
    elif sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        bars = _bars()
        try:
            yield _Bars(bars).show
        finally:
            bars.stop()
    else:
        lines = _Lines()
        yield lines.show
        lines.end()


def _warn(event: Event) -> None:
    if isinstance(event, Warned):
        click.echo(visible(event.text), err=True)


def _bars() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TransferSpeedColumn,
    )

    class Sizes(DownloadColumn):
        """Bytes for downloads, a count for layers."""

        def render(self, task):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            counted = task.fields.get("counted")
            return MofNCompleteColumn().render(task) if counted else super().render(task)

    class Speed(TransferSpeedColumn):
        """Bytes per second, and nothing for what is counted."""

        def render(self, task):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            from rich.text import Text

            return Text("") if task.fields.get("counted") else super().render(task)

    return Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(),
        Sizes(binary_units=True),
        Speed(),
        console=Console(stderr=True),
        transient=True,
    )


class _Bars:
    """Bars of bytes that come, go or are read, and of layers; notes scroll by above them.

    They start with the first: stopping without any would leave an empty line.
    """

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._download: TaskID | None = None
        self._layers: TaskID | None = None
        self._sent: TaskID | None = None
        self._verified: TaskID | None = None

    def show(self, event: Event) -> None:
        if isinstance(event, (Note, Warned)):
            self._bars.console.print(visible(event.text), markup=False, highlight=False)
        elif isinstance(event, Expected):
            if event.size or event.layers:
                self._bars.start()
            if event.size:
                self._download = self._bars.add_task("download", total=event.size)
            if event.layers:
                self._layers = self._bars.add_task("layers", total=event.layers, counted=True)
        elif isinstance(event, Received) and self._download is not None:
            self._bars.advance(self._download, event.size)
        elif isinstance(event, Written) and self._layers is not None:
            self._bars.advance(self._layers)
        elif isinstance(event, Sent):
            self._send(event)
        elif isinstance(event, (Verifying, Verified)):
            self._verify(event)

    def _verify(self, event: Verifying | Verified) -> None:
        if isinstance(event, Verified):
            if self._verified is not None:
                self._bars.advance(self._verified, event.size)
        elif self._verified is not None:
            self._bars.reset(self._verified, total=event.size)
        elif event.size:
            self._bars.start()
            self._verified = self._bars.add_task("verify", total=event.size)

    def _send(self, event: Sent) -> None:
        if self._sent is None:
            self._bars.start()
            self._sent = self._bars.add_task("sent", total=None)
        self._bars.advance(self._sent, event.size)


class _Lines:
    """A line for each layer, and one now and then for what comes and goes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expected = Expected(files=0, size=0, layers=0)
        self._received = 0
        self._files = 0
        self._written = 0
        self._sent = self._told_sent = 0
        self._verified, self._verifying = 0, Verifying(size=0)
        self._begin = self._told = time.monotonic()

    def show(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, (Note, Warned)):
                click.echo(visible(event.text), err=True)
            elif isinstance(event, Expected):
                self._expect(event)
            elif isinstance(event, Received):
                self._receive(event)
            elif isinstance(event, Sent):
                self._send(event)
            elif isinstance(event, Written):
                self._write(event)
            else:
                self._verify(event)

    def _verify(self, event: Verifying | Verified) -> None:
        if isinstance(event, Verifying):
            self._verifying, self._verified = event, 0
            return
        self._verified += event.size
        now = time.monotonic()
        if now - self._told > _EVERY:
            self._told = now
            size = readable(self._verifying.size)
            click.echo(f"verified {readable(self._verified)} of {size}", err=True)

    def _write(self, event: Written) -> None:
        self._written += 1
        place = f"{self._written}/{self._expected.layers}"
        what = visible(f"{event.tier}: {event.title}")
        click.echo(f"layer {place}  {what} ({readable(event.size)})", err=True)

    def _send(self, event: Sent) -> None:
        self._sent += event.size
        now = time.monotonic()
        if now - self._told > _EVERY:
            self._told = now
            self._tell_sent()

    def _tell_sent(self) -> None:
        self._told_sent = self._sent
        click.echo(f"sent {readable(self._sent)} to the engine", err=True)

    def end(self) -> None:
        """Say how much was sent in all, unless that was the last that was said of it."""
        if self._sent != self._told_sent:
            self._tell_sent()

    def _expect(self, event: Expected) -> None:
        files, size = self._expected.files, self._expected.size
        if self._files >= files:  # a base's layers may have come before
            files = size = self._files = self._received = 0
            self._begin = time.monotonic()
        self._expected = Expected(
            files=files + event.files,
            size=size + event.size,
            layers=self._expected.layers + event.layers,
        )
        if event.files:
            click.echo(f"fetching {counted(event.files, 'file')}, {readable(event.size)}", err=True)

    def _receive(self, event: Received) -> None:
        if not self._expected.files:  # nothing was announced, so nothing is a part of it
            return
        self._received += event.size
        self._files += event.complete
        now = time.monotonic()
        done = event.complete and self._files == self._expected.files
        if done or now - self._told > _EVERY:
            self._told = now
            rate = readable(self._received / max(now - self._begin, 0.001))
            click.echo(
                f"fetched {self._files}/{self._expected.files} files, "
                f"{readable(self._received)} of {readable(self._expected.size)}, {rate}/s",
                err=True,
            )
