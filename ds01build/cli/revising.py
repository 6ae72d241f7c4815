"""``image-update`` without a flag: shows what an image holds, and lets a person change it."""

from __future__ import annotations

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
    from ds01build.workflow.containers import Host
    from ds01build.workflow.editing import Edit
    from ds01build.workflow.steps import Edges

__all__ = ["recreated", "revised"]


def revised(
    recipe: Path, asker: Asker, edges: Edges, attend: Callable[[Text], Text]
) -> Edit | None:
    """Return the changes that a person makes to a recipe, None for who cancels.

    ``attend`` opens an editor on a text. What cannot be done is said, and asked again.
    """
    from ds01build.base import show
    from ds01build.wizard import revision
    from ds01build.wizard.base_packages import BasePackages
    from ds01build.workflow import edits
    from ds01build.workflow.editing import edited, recipe_text

    before = text = recipe_text(recipe)
    base = _base(recipe)
    facts = edges.bases.known(base) if base else None
    while True:
        asker.say(f"\n{_contents(text, base, facts)}\n")
        action = revision.next_action(asker, changed=text.text != before.text)
        if action == "cancel":
            return None
        if action == "build":
            return edits.rewriting(before.text, text.text)
        try:
            if action == "list":
                asker.say(_everything(_locked(recipe)))
            elif action == "edit":
                text = attend(text)
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
    from ds01build.workflow import containers

    old = containers.of_image(name, host)
    return making.renewed(old, tag, host, asker) if old is not None else ""
