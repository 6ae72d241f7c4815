"""The command line: parses, calls one library function, prints its answer on stdout.

Everything for people goes to stderr. Commands import the library inside their bodies, so that
``--help`` and a build that changes nothing start fast.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from ds01build import __version__
from ds01build.cli import (
    base,
    build,
    catalogue,
    completion,
    create,
    delete,
    diff,
    dockerfile,
    edit,
    explain,
    export,
    graph,
    guidance,
    image,
    images,
    importing,
    lock,
    man,
    plan,
    show,
    store,
    update,
    verify,
    why,
)
from ds01build.cli.output import visible
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from types import FrameType

__all__ = [
    "ds01",
    "image_create",
    "image_delete",
    "image_list",
    "image_show",
    "image_update",
    "main",
    "programs",
]

INTERRUPTED = 130
BUG = 70  # EX_SOFTWARE of sysexits.h

# Nearly everything a command makes at first is code, which stays. Looking for garbage in it after
# every 700 objects takes 40 ms.
_GARBAGE = (50_000, 20, 20)
_ASKS = "_DS01_COMPLETE_LINE"  # a shell sets this to what its user has typed


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ds01")
def ds01() -> None:
    """Build container images for data science from recipes: no root, Docker only to use them."""


for command in (
    lock.lock,
    plan.plan,
    explain.explain,
    why.why,
    diff.diff,
    build.build,
    graph.graph,
    image.image,
    store.store,
    verify.verify,
    dockerfile.dockerfile,
    export.export,
    base.base,
    catalogue.catalogue,
    catalogue.bundle,
    edit.add,
    edit.remove,
    edit.upgrade,
    edit.rebase,
    completion.completion,
    man.man,
    importing.import_,
):
    ds01.add_command(command)
image.image.add_command(create.create, "create")
image.image.add_command(update.update, "update")
image.image.add_command(images.images, "list")
image.image.add_command(show.show, "show")
image.image.add_command(delete.delete, "delete")
guidance.add_to(ds01)


def programs() -> dict[str, click.Command]:
    """Return the commands that are programs of their own, by name."""
    named = {each.name or "": each for each in image.image.commands.values()}
    alone = {name: each for name, each in named.items() if name.startswith("image-")}
    return {"ds01": ds01, **alone}


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    _main(ds01, "ds01")


def image_create() -> NoReturn:
    """Run ``image-create``, which ``ds01 image create`` is too."""
    _main(create.create, "image-create")


def image_update() -> NoReturn:
    """Run ``image-update``, which ``ds01 image update`` is too."""
    _main(update.update, "image-update")


def image_delete() -> NoReturn:
    """Run ``image-delete``, which ``ds01 image delete`` is too."""
    _main(delete.delete, "image-delete")


def image_list() -> NoReturn:
    """Run ``image-list``, which ``ds01 image list`` is too."""
    _main(images.images, "image-list")


def image_show() -> NoReturn:
    """Run ``image-show``, which ``ds01 image show`` is too."""
    _main(show.show, "image-show")


def _main(command: click.Command, name: str) -> NoReturn:
    signal.signal(signal.SIGTERM, _interrupt)
    os.umask(0o077)
    if sys.stderr is None:  # closed by the caller: there is nobody to tell
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    gc.set_threshold(*_GARBAGE)
    if _ASKS in os.environ:
        _complete(command, name)
    sys.exit(run(sys.argv[1:], command, name))


def _complete(command: click.Command, name: str) -> NoReturn:
    """Answer a shell that completes a line, with nothing where something goes wrong."""
    from ds01build.cli.completing import answer

    with suppress(Exception):
        for row in answer(command, name, os.environ[_ASKS]):
            click.echo(row)
    sys.exit(0)


def run(arguments: list[str], command: click.Command = ds01, name: str = "ds01") -> int:
    """Run the command line and return its exit code; errors are printed, never raised."""
    try:
        command.main(args=arguments, prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except Ds01Error as error:
        _show(error)
        return error.exit_code
    except OSError as error:
        return _show_unwritable(error)
    except Exception:  # noqa: BLE001 (the one place where a bug ends)
        return _show_bug()
    return 0


def _show_unwritable(error: OSError) -> int:
    """Say why the answer could not be written, unless whoever read it has gone."""
    # Nothing more can be written, not even by Python at its exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if not isinstance(error, BrokenPipeError):
        place = f"{error.filename}: " if error.filename else ""
        _say(f"error: {visible(f'{place}{error.strerror or error}')}")
    return 1


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _show(error: Ds01Error) -> None:
    for line in str(error).splitlines():
        _say(f"{click.style('error:', fg='red')} {visible(line)}")
    if error.hint:
        _say(f"{click.style('hint:', fg='cyan')}  {visible(error.hint)}")


def _say(text: str) -> None:
    """Print on stderr; click itself does not know NO_COLOR (no-color.org)."""
    click.echo(text, err=True, color=False if os.environ.get("NO_COLOR") else None)


def _show_bug() -> int:
    if "DS01_DEBUG" in os.environ:
        traceback.print_exc()
    kind, value, trace = sys.exc_info()
    where = traceback.extract_tb(trace)[-1]
    name = kind.__name__ if kind else "error"
    click.echo(
        f"error: a bug in ds01 {__version__}: {name} in {where.name}, line {where.lineno} "
        f"of {Path(where.filename).name}: {visible(f'{value!s:.200}')}\n"
        "hint:  DS01_DEBUG=1 shows where it comes from; please report it",
        err=True,
    )
    return BUG
