"""``project-init``: begins a project, or completes one that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import beginning, completers, creation, options

if TYPE_CHECKING:
    from ds01build.project import Outline
    from ds01build.workflow.projects import Draft

__all__ = ["init"]


@click.command("project-init", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", metavar="[NAME]", required=False)
@click.option(
    "--type",
    "-t",
    "kind",
    metavar="TYPE",
    shell_complete=completers.kinds,
    help="Use case: ml, cv, nlp, rl, audio, ts, llm or custom; ml otherwise.",
)
@click.option("--desc", "description", metavar="TEXT", help="What it is about, in one line.")
@click.option("--blank", is_flag=True, default=None, help="Make no directories for data and such.")
@click.option("--git/--no-git", default=None, help="Begin a git repository, or do not.")
@click.option(
    "--devcontainer/--no-devcontainer", default=None, help="Write a devcontainer.json, or do not."
)
@beginning.base_options
@click.option("--quick", is_flag=True, help="Ask nothing: needs a NAME.")
@click.option("--yes", "-y", is_flag=True, help="The same.")
@click.option("--dry-run", is_flag=True, help="Only say what would be written.")
@options.as_json
@options.quiet
def init(name: str | None, **rest: Any) -> None:
    """Begin the project NAME: its directory, its recipe, a README, a git repository.

    What lies there stays as it is, byte for byte, and what lacks is added: it can be run twice. The
    packages are in recipe.toml and nowhere else; no image is built. Prints the directory.

    \b
    project-init
    project-init thesis --type nlp --desc "What parties promise" --quick
    """  # noqa: D301
    from ds01build.cli.output import print_json

    is_silent = rest["quick"] or rest["yes"] or rest["dry_run"]
    if is_silent and name is None:
        flag = next(each for each in ("quick", "yes", "dry_run") if rest[each])
        raise click.UsageError(f"--{flag.replace('_', '-')} asks nothing: give NAME")
    asker = creation.asker(is_silent=is_silent)
    draft = beginning.drafted(beginning.outlined(_given(name, rest), rest, asker), rest)
    if rest["dry_run"]:
        _show_draft(draft, rest)
        return
    found = beginning.begun(draft)
    beginning.show(found, rest)
    beginning.tell(f"Work on it: {beginning.launching(draft.directory)}", rest)
    if rest["as_json"]:
        print_json({"schema": "ds01.project/1", "dry_run": False, **found.answer()})
    else:
        click.echo(draft.directory)


def _given(name: str | None, rest: dict[str, Any]) -> Outline:
    """Return what arguments and options say. Raises UsageError."""
    from ds01build.project import Outline, described, kind_of
    from ds01build.wizard.answers import image_name

    made = name if name is None else beginning.read("NAME", image_name, name)
    if made != name:
        beginning.tell(f"It is going to be called {made}.", rest)
    kind, said = rest["kind"], rest["description"]
    return Outline(
        name=made,
        kind=None if kind is None else beginning.read("--type", kind_of, kind),
        description=None if said is None else beginning.read("--desc", described, said),
        is_blank=rest["blank"],
        has_git=rest["git"],
        has_devcontainer=rest["devcontainer"],
    )


def _show_draft(draft: Draft, rest: dict[str, Any]) -> None:
    from ds01build.cli.output import print_json, print_lines

    if rest["as_json"]:
        answer = {**draft.answer(), "git": None}
        print_json({"schema": "ds01.project/1", "dry_run": True, **answer})
        return
    print_lines(
        f"{'keep' if each.is_there else 'write':<6}{draft.directory / each.path}"
        for each in draft.entries
    )
