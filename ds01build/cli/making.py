"""What commands that make containers say: what it is to be, what it has become."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ds01build.asking import Asker
    from ds01build.container import Wish
    from ds01build.engine.containers import Row
    from ds01build.workflow.byhand import ByHand
    from ds01build.workflow.containers import Host
    from ds01build.workflow.deploying import Made

__all__ = ["advise", "renewed", "show", "show_specification", "summary", "tell_by_hand"]


def summary(wish: Wish, home: Path) -> str:
    """Return for people what a container is, line by line."""
    from ds01build.cli.phases import short

    rows = {
        "Container": wish.name,
        "Image": wish.image,
        "Workspace": f"{short(Path(wish.workspace), home)} as /workspace",
        "Data": f"{wish.data} as /data" if wish.data else "",
        "Models": f"{wish.models} as /models" if wish.models else "",
        "GPUs": str(wish.gpus) if wish.gpus else "none",
        "Network": wish.network,
        "Port": f"{wish.port} of this machine alone" if wish.port else "",
        "Root": "sudo works, so that it can gain privileges" if wish.is_admin else "",
    }
    return "\n".join(f"  {f'{key}:':<11}{text}" for key, text in rows.items() if text)


def show_specification(wish: Wish, host: Host) -> None:
    """Print exactly what the engine would be asked for; nothing is made."""
    from ds01build.cli.output import print_json
    from ds01build.container import payload
    from ds01build.workflow import containers

    wanted = containers.specified(wish, host)
    answer = {"name": wanted.name, "body": payload(wanted)}
    print_json({"schema": "ds01.specification/1", **answer})


def show(made: Made, wish: Wish, rest: dict[str, Any]) -> None:
    """Print as JSON what has been made, or say it on stderr."""
    from ds01build.cli.output import print_json
    from ds01build.container import payload

    wanted = made.specification
    if rest["as_json"]:
        body = payload(wanted) if wanted else None
        answer = {"name": made.name, "outcome": made.outcome, "body": body}
        print_json({"schema": "ds01.container/1", **answer})
    elif wanted:
        advise(summary(wish, Path.home()), rest)
    else:
        advise(f"{made.name} stays as it is", rest)


def advise(text: str, rest: dict[str, Any]) -> None:
    """Say something on stderr, unless nobody wants to hear it."""
    from ds01build.cli.phases import tell

    tell(text, rest)


def tell_by_hand(found: ByHand) -> None:
    """Say what was installed by hand, and what no recipe can ask for: none of it is to be lost."""
    import click

    from ds01build.cli.output import visible

    lines = [f"  installed by hand: {package}" for package in found.packages]
    lines += [f"  installed by hand: {each} ({each.why})" for each in found.unsaved]
    lines += [f"  {note.text}: {note.reason}" for note in found.removed]
    if found.unknown:
        lines.append(f"  what was installed by hand is not known: {found.unknown}")
    for line in lines:
        click.echo(visible(line), err=True)


def renewed(old: Row, tag: str, host: Host, asker: Asker) -> str:
    """Let a container run another build of its image, if it is one and a person agrees.

    Returns its name, or an empty text. Raises what ``renew`` raises.
    """
    from ds01build.workflow.renewing import renew, renewal

    found = renewal(old, host, tag)
    if found.state != "old":
        return ""
    tell_by_hand(found.by_hand)
    asker.explain("image-update.container")
    if not asker.confirm(f"Recreate the container {old.name} on the new image?", default=True):
        return ""
    renew(found, host)
    return old.name
