"""The command line: parses, calls one library function, prints its answer on stdout.

Everything for people goes to stderr. Commands import the library inside their bodies, so that
``--help`` and a build that changes nothing start fast.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click

from ds01build import __version__
from ds01build.cli import guidance, interrupts
from ds01build.cli.lazily import LazyGroup, command
from ds01build.cli.output import visible
from ds01build.errors import Ds01Error

__all__ = ["ds01", "main", "programs"]

INTERRUPTED = 130
BUG = 70  # EX_SOFTWARE of sysexits.h

# Nearly everything a command makes at first is code, which stays. Looking for garbage in it after
# every 700 objects takes 40 ms.
_GARBAGE = (50_000, 20, 20)
_ASKS = "_DS01_COMPLETE_LINE"  # a shell sets this to what its user has typed


# Where each command is made, as ``command`` takes it.
_COMMANDS = {
    "add": "edit:add",
    "base": "base:base",
    "build": "build:build",
    "bundle": "catalogue:bundle",
    "catalogue": "catalogue:catalogue",
    "completion": "completion:completion",
    "container": "container:container",
    "diff": "diff:diff",
    "dockerfile": "dockerfile:dockerfile",
    "doctor": "doctor:doctor",
    "explain": "explain:explain",
    "export": "export:export",
    "gpus": "gpus:gpus",
    "graph": "graph:graph",
    "image": "image:image",
    "import": "importing:import_",
    "limits": "limits:limits",
    "lock": "lock:lock",
    "man": "man:man",
    "plan": "plan:plan",
    "project": "project:project",
    "rebase": "edit:rebase",
    "remove": "edit:remove",
    "store": "store:store",
    "upgrade": "edit:upgrade",
    "user": "user:user",
    "verify": "verify:verify",
    "why": "why:why",
}
# Those of groups that are programs of their own, too.
_PROGRAMS = {
    "container-attach": "running:attach",
    "container-create": "containing:create",
    "container-exit": "living:leave",
    "container-list": "containers:containers",
    "container-pause": "living:pause",
    "container-remove": "removal:remove",
    "container-run": "running:run",
    "container-start": "living:start",
    "container-stats": "stats:stats",
    "container-stop": "living:stop",
    "container-unpause": "living:unpause",
    "container-deploy": "deploying:deploy",
    "container-retire": "retiring:retire",
    "container-upgrade": "renewing:upgrade",
    "container-jupyter": "jupyter:jupyter",
    "image-create": "create:create",
    "image-delete": "delete:delete",
    "image-list": "images:images",
    "image-show": "show:show",
    "image-update": "update:update",
    "project-init": "initiating:init",
    "project-launch": "launching:launch",
    "user-setup": "user:setup",
}


@click.group(
    cls=LazyGroup, places=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="ds01")
def ds01() -> None:
    """Build container images for data science from recipes: no root, Docker only to use them."""


guidance.add_to(ds01)


def programs() -> dict[str, click.Command]:
    """Return the commands that are programs of their own, by name."""
    return {"ds01": ds01, **{name: command(place) for name, place in _PROGRAMS.items()}}


def main(name: str = "ds01") -> NoReturn:
    """Run the program of that name, ds01 where there is none, and exit with its code."""
    if name in _PROGRAMS:
        _main(command(_PROGRAMS[name]), name)
    _main(ds01, "ds01")


def _main(program: click.Command, name: str) -> NoReturn:
    interrupts.listen()
    os.umask(0o077)
    if sys.stderr is None:  # closed by the caller: there is nobody to tell
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    gc.set_threshold(*_GARBAGE)
    if _ASKS in os.environ:
        _complete(program, name)
    code = run(sys.argv[1:], program, name)
    interrupts.close(was_interrupted=code == INTERRUPTED)
    sys.exit(code)


def _complete(program: click.Command, name: str) -> NoReturn:
    """Answer a shell that completes a line, with nothing where something goes wrong."""
    from ds01build.cli.completing import answer

    with suppress(Exception):
        for row in answer(program, name, os.environ[_ASKS]):
            click.echo(row)
    sys.exit(0)


def run(arguments: list[str], program: click.Command = ds01, name: str = "ds01") -> int:
    """Run the command line and return its exit code; errors are printed, never raised."""
    try:
        code = program.main(args=arguments, prog_name=name, standalone_mode=False)
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
    return code if isinstance(code, int) else 0


def _show_unwritable(error: OSError) -> int:
    """Say why the answer could not be written, unless whoever read it has gone."""
    # Nothing more can be written, not even by Python at its exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if not isinstance(error, BrokenPipeError):
        place = f"{error.filename}: " if error.filename else ""
        _say(f"error: {visible(f'{place}{error.strerror or error}')}")
    return 1


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
