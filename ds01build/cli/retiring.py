"""``container-retire``: ends a container, and loses nothing that somebody wants to keep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ds01build.cli import completers, guidance, making, options, terminal

if TYPE_CHECKING:
    from ds01build.asking import Asker
    from ds01build.workflow.containers import Host
    from ds01build.workflow.deleting import Scene
    from ds01build.workflow.retiring import Leaving, Retired, Saving

__all__ = ["AGREED", "end", "retire"]

# The options of who has said already that a container is to be retired, and no more.
AGREED: dict[str, Any] = {
    **dict.fromkeys(("force", "save_packages", "images", "yes", "dry_run"), False),
    "as_json": False,
    "quiet": False,
    "skip_initial_confirm": True,
}


@click.command("container-retire", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", metavar="[NAME]", required=False, shell_complete=completers.containers)
@click.option("--force", "-f", is_flag=True, help="Kill it instead of stopping it; ask nothing.")
@click.option("--save-packages", is_flag=True, help="Add what was installed by hand to the recipe.")
@click.option("--images", is_flag=True, help="Delete its image, too, if nothing else needs it.")
@click.option("--skip-initial-confirm", is_flag=True, help="Do not ask whether to retire it.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@options.as_json
@options.quiet
def retire(name: str | None, **rest: Any) -> None:
    """Stop and remove the container NAME; its workspace stays.

    What was installed by hand in it can be added to the recipe of its image, and is locked before
    anything is stopped: where that fails the container stays. No image is made of a container.

    \b
    container-retire thesis
    container-retire thesis --save-packages --yes
    """  # noqa: D301
    from ds01build.cli import wiring
    from ds01build.cli.telling import tell

    host, asker = wiring.host(tell), _asker(rest)
    end(_named(name, host, asker), host, rest, asker)


def end(name: str, host: Host, rest: dict[str, Any], asker: Asker | None) -> None:
    """Show what a container has, ask what is to become of it, and end it. Raises Ds01Error."""
    from ds01build.cli import wiring
    from ds01build.workflow import retiring

    found = retiring.leaving(name, host, wiring.open_store(), Path.cwd())
    _tell(found, rest)
    if rest["save_packages"]:
        _require_savable(found)
    if rest["dry_run"]:
        _show_dry(found, rest)
        return
    if not _agreed(found, rest, asker):
        click.echo("nothing is retired", err=True)
        return
    saves, deletes = _saves(found, rest, asker), _deletes(found, rest, asker)
    done = retiring.retire(
        found.row.name,
        host,
        saving=_saving(found) if saves else None,
        scene=_scene(host) if deletes else None,
        seconds=None if rest["force"] else 10,
    )
    _show(found, done, rest)


def _asker(rest: dict[str, Any]) -> Asker | None:
    """Return who asks, None where nothing is asked. Raises UsageError where somebody has to be."""
    if rest["yes"] or rest["force"] or rest["dry_run"]:
        return None
    if not terminal.is_there():
        raise click.UsageError("there is no terminal to ask on: --yes goes on without")
    return terminal.Terminal(guidance.explainer(click.get_current_context()))


def _named(name: str | None, host: Host, asker: Asker | None) -> str:
    from ds01build.asking import Option
    from ds01build.errors import Ds01Error
    from ds01build.workflow import owned

    if name is not None:
        return name
    if asker is None:
        raise click.UsageError("name the container to retire")
    rows = owned.own(host)
    if not rows:
        raise Ds01Error("you have no container", hint="container-create")
    choices = [Option(value=each.name, title=f"{each.name} ({each.state})") for each in rows]
    return asker.choose("Container", choices, rows[0].name)


def _tell(found: Leaving, rest: dict[str, Any]) -> None:
    from ds01build.cli.phases import short

    row = found.row
    making.advise(f"container {row.name} ({row.state}) of {row.image}", rest)
    if found.workspace:
        making.advise(f"  stays: {short(Path(found.workspace), Path.home())}", rest)
    making.tell_by_hand(found.by_hand)


def _agreed(found: Leaving, rest: dict[str, Any], asker: Asker | None) -> bool:
    if asker is None or rest["skip_initial_confirm"]:
        return True
    asker.explain("container-retire.confirm")
    return asker.confirm(f"Retire {found.row.name}?", default=False)


def _require_savable(found: Leaving) -> None:
    """Raise Ds01Error where what was installed by hand cannot all be added to a recipe."""
    from ds01build.errors import Ds01Error

    by_hand, without = found.by_hand, f"container-retire {found.row.name}"
    if by_hand.unknown:
        raise Ds01Error(
            f"what was installed by hand is not known: {by_hand.unknown}",
            hint=f"{without}, without --save-packages, gives it up",
        )
    if by_hand.unsaved:
        lines = [f"{each} cannot be saved: {each.why}" for each in by_hand.unsaved]
        hint = f"{without}, without --save-packages, gives it up"
        raise Ds01Error("\n".join(lines), hint=hint)
    if by_hand.packages and found.recipe is None:
        raise Ds01Error(f"there is no recipe to add to: {found.homeless}", hint=_imports(found))


def _imports(found: Leaving) -> str:
    return f"ds01 import --from-container {found.row.name} makes a recipe of it"


def _saves(found: Leaving, rest: dict[str, Any], asker: Asker | None) -> bool:
    """Say whether the recipe is to have what was installed by hand."""
    if not found.by_hand.packages:
        return False
    if found.recipe is None:
        text = f"there is no recipe to add it to: {found.homeless}\n{_imports(found)}"
        making.advise(text, rest)
        return False
    if rest["save_packages"] or asker is None:
        return bool(rest["save_packages"])
    asker.explain("container-retire.packages")
    return asker.confirm(f"Add that to {found.recipe}?", default=True)


def _deletes(found: Leaving, rest: dict[str, Any], asker: Asker | None) -> bool:
    if rest["images"] or asker is None or not found.image:
        return bool(rest["images"])
    return asker.confirm(f"Delete the image {found.image}, too?", default=False)


def _saving(found: Leaving) -> Saving:
    from ds01build.cli import wiring
    from ds01build.cli.telling import tell
    from ds01build.workflow.retiring import Saving
    from ds01build.workflow.steps import Choices

    edit = found.edit()
    assert edit is not None, "there are packages"
    assert found.recipe is not None, "they have a recipe"
    return Saving(recipe=found.recipe, edit=edit, edges=wiring.edges(tell, Choices(load="never")))


def _scene(host: Host) -> Any:
    """Return what looks at store and engine once the container is gone."""
    from ds01build.cli import wiring
    from ds01build.engine.holdings import holdings
    from ds01build.workflow.deleting import scene

    def look() -> Scene:
        engine = host.engine()
        return scene(wiring.open_store(), engine, holdings(engine))

    return look


def _show_dry(found: Leaving, rest: dict[str, Any]) -> None:
    from ds01build.cli.output import print_json

    if rest["as_json"]:
        print_json({**_answer(found, None), "dry_run": True})
        return
    click.echo(f"container {found.row.name}")
    if rest["save_packages"] and found.recipe and found.by_hand.packages:
        click.echo(f"recipe {found.recipe}")
    if rest["images"] and found.image:
        click.echo(f"image {found.image}")
    click.echo("nothing is retired: this is what would be", err=True)


def _show(found: Leaving, done: Retired, rest: dict[str, Any]) -> None:
    """Print what has gone. Raises Ds01Error where the image has not, and was to."""
    from ds01build.cli.output import print_json
    from ds01build.errors import Ds01Error

    image = done.image
    if rest["as_json"]:
        print_json(_answer(found, done))
    else:
        if done.saved:
            making.advise(
                f"{found.recipe} asks for what was installed by hand;"
                f" image-update {found.image} --rebuild makes the image",
                rest,
            )
        click.echo(f"container {done.name}")
        if image and image.outcome == "deleted":
            click.echo(f"image {image.name}")
    if image and image.outcome != "deleted":
        raise Ds01Error(f"the image stays: {image.reason}", hint=image.hint)


def _answer(found: Leaving, done: Retired | None) -> dict[str, object]:
    return {
        "schema": "ds01.retired/1",
        "dry_run": False,
        "name": found.row.name,
        "workspace": found.workspace or None,
        "by_hand": list(found.by_hand.packages),
        "not_saved": [each.answer() for each in found.by_hand.unsaved],
        "unknown": found.by_hand.unknown or None,
        "recipe": str(found.recipe) if found.recipe else None,
        "saved": bool(done and done.saved),
        "image": found.image or None,
        "image_deleted": bool(done and done.image and done.image.outcome == "deleted"),
    }
