"""``image-update`` without a flag: shows what an image holds, and lets a person change it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.asking import Asker
    from ds01build.base.facts import BaseFacts
    from ds01build.lock import Lock, LockedImage
    from ds01build.pin import DebPin, WheelPin
    from ds01build.recipe.editing import Text
    from ds01build.wizard.base_packages import BasePackages
    from ds01build.wizard.revision import Action
    from ds01build.workflow.built import Built
    from ds01build.workflow.containers import Host
    from ds01build.workflow.editing import Edit
    from ds01build.workflow.steps import Edges

    Carry = Callable[[Edit], Built | None]

__all__ = ["recreated", "revised"]


def revised(
    recipe: Path, asker: Asker, edges: Edges, attend: Callable[[Text], Text], carry: Carry
) -> Built | None:
    """Let a person change a recipe until ``carry`` carries the changes out, and return the image.

    None where none is made, or who it is cancels. ``attend`` opens an editor on a text. What cannot
    be carried out is said, and the changes are on the menu again. Raises Ds01Error where the recipe
    has changed meanwhile.
    """
    from ds01build.wizard.phases import explained
    from ds01build.workflow import edits
    from ds01build.workflow.editing import recipe_text

    before = text = recipe_text(recipe)
    while True:
        changed = _changed(recipe, before, text, asker, _Desk(edges, attend))
        if changed is None:
            asker.say("nothing is changed")
            return None
        text = changed
        try:
            return carry(edits.rewriting(before.text, text.text))
        except Ds01Error as error:
            is_theirs = recipe_text(recipe).text != before.text
            if is_theirs or not asker.can_correct(explained(error)):
                raise


@dataclass(frozen=True, slots=True)
class _Desk:
    """What the menu works with: ``attend`` opens an editor on a text."""

    edges: Edges
    attend: Callable[[Text], Text]


def _changed(recipe: Path, before: Text, text: Text, asker: Asker, at: _Desk) -> Text | None:
    """Return a text as a person changes it, None for who cancels.

    What cannot be done is said, and asked again.
    """
    from ds01build.base import show
    from ds01build.wizard import revision
    from ds01build.wizard.base_packages import BasePackages
    from ds01build.workflow.editing import edited

    base = _base(recipe)
    facts = at.edges.bases.known(base) if base else None
    while True:
        asker.say(f"\n{_contents(text, base, facts)}\n")
        action = revision.next_action(asker, changed=text.text != before.text)
        if action == "cancel":
            return None
        if action == "build":
            return text
        try:
            if action == "list":
                asker.say(_everything(_locked(recipe)))
            elif action == "edit":
                text = at.attend(text)
            else:
                installed = BasePackages(show.installed(facts)) if facts else BasePackages()
                text = edited(recipe, text, _edit(action, text, asker, installed))
        except Ds01Error as error:
            asker.say("\n".join(filter(None, (f"error: {error}", error.hint))))


def _locked(recipe: Path) -> Lock | None:
    from ds01build.workflow.quick import lock_path
    from ds01build.workflow.steps import read_lock

    return read_lock(lock_path(recipe))[0]


def _contents(text: Text, base: LockedImage | None, facts: BaseFacts | None) -> str:
    from ds01build.reference import parse_reference
    from ds01build.wizard import revision

    reference = parse_reference(base.reference).familiar if base else ""
    return revision.contents(text.recipe, reference, facts)


def _base(recipe: Path) -> LockedImage | None:
    from ds01build.lock import LockedImage

    lock = _locked(recipe)
    return lock.base if lock and isinstance(lock.base, LockedImage) else None


def _everything(lock: Lock | None) -> str:
    """Return every locked package by tier."""
    tiers: dict[str, list[str]] = {}
    pins: list[DebPin | WheelPin] = [*lock.debs, *lock.wheels] if lock else []
    for pin in pins:
        tiers.setdefault(pin.tier, []).append(f"{pin.name} {pin.version}")
    blocks = ("\n  ".join([f"{tier}:", *sorted(pins)]) for tier, pins in tiers.items())
    return "\n\n".join(blocks) or "Nothing is locked yet."


def _edit(action: Action, text: Text, asker: Asker, installed: BasePackages) -> Edit:
    from ds01build.wizard import revision
    from ds01build.wizard.answers import debs, requirements
    from ds01build.workflow import edits

    asker.explain(f"image-update.{action}")
    if action == "add":
        packages = asker.text("Python packages (separated by spaces)", requirements)
        return edits.adding(packages, edits.Goal(kind="python", fallback="custom"))
    if action == "system":
        packages = asker.text("System packages (separated by spaces)", debs)
        return edits.adding(packages, edits.Goal(kind="apt", fallback="system"))
    if action == "import":
        file = asker.text("File", _file)
        return edits.importing(file, edits.Goal(kind="python", fallback="custom"))
    if action == "remove":
        return edits.removing(asker.text("Packages to remove (separated by spaces)", str.split))
    changes = revision.asked(text.recipe, asker, installed)
    bundles = [(each.tier, each.bundle) for each in changes if each.bundle is not None]
    more = [
        edits.adding(each.packages, edits.Goal(kind="python", tier=each.tier))
        for each in changes
        if each.packages
    ]
    return edits.together(edits.bundling(bundles), *more)


def _file(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_file():
        raise ValueError(f"there is no file {text!r:.200}")
    return path


def recreated(name: str, tag: str, host: Host, asker: Asker) -> str:
    """Let the container of an image run its new build, if there is one and a person agrees.

    Returns its name, or an empty text.
    """
    from ds01build.cli import making
    from ds01build.workflow import owned

    old = owned.of_image(name, host)
    return making.renewed(old, tag, host, asker) if old is not None else ""
