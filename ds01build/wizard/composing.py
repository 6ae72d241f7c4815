"""Writes the recipe that answers come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.grammar import requirement_name
from ds01build.recipe import DebianBase, FrameworkBase, ImageBase, parse
from ds01build.recipe.arrays import literal
from ds01build.wizard.answers import Answers, Picked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ds01build.recipe import Base

__all__ = ["compose"]

_WIDTH = 100  # columns of a line that holds an array

# Caches go where a project's files are mounted, so that they outlive the container.
_ENVIRONMENT = {
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    "HF_HOME": "/workspace/.cache/huggingface",
    "MPLCONFIGDIR": "/workspace/.cache/matplotlib",
    "PYTHONUNBUFFERED": "1",
    "TORCH_HOME": "/workspace/.cache/torch",
}
_JUPYTER_PORT = 8888


def compose(answers: Answers) -> str:
    """Return the text of the recipe; what was not answered is left out.

    The name and the base have to be there. Raises RecipeError for what does not go together.
    """
    assert answers.name is not None, "an image has a name"
    assert answers.base is not None, "an image has a base"
    blocks = [
        "# Written by ds01, and yours to edit: docs/recipe.md says what can stand here.",
        f"schema = 1\nname = {literal(answers.name)}",
        f"[base]\n{_base(answers.base)}",
        *_tiers(answers),
        f"[image]\n{_image(answers)}",
    ]
    text = "\n\n".join(blocks) + "\n"
    parse(text, source=f"the recipe of {answers.name}")
    return text


def _base(base: Base) -> str:
    if isinstance(base, ImageBase):
        return f"image = {literal(base.reference)}"
    if isinstance(base, DebianBase):
        return f"debian = {literal(base.suite)}"
    assert isinstance(base, FrameworkBase), "the three kinds of bases"
    keys = {"framework": base.framework, "version": base.version, "arch": base.architecture}
    return "\n".join(f"{key} = {literal(value)}" for key, value in keys.items() if value)


def _tiers(answers: Answers) -> Iterator[str]:
    """Yield the tables of the tiers, in the order of the phases."""
    if answers.system:
        yield _tier("system", "apt", answers.system)
    tiers = {
        "essential": answers.essential,
        "jupyter": answers.jupyter,
        "data-science": answers.data_science,
    }
    for name, picked in tiers.items():
        if picked:
            yield _tier(name, "python", picked)
    cases = [picked for picked in answers.use_cases or () if picked]
    for picked in cases:
        name = picked.bundle if len(cases) > 1 and picked.bundle else "use-case"
        yield _tier(name, "python", picked)
    if answers.requirements:
        yield _required(answers.requirements)
    if answers.packages:
        yield _tier("custom", "python", Picked(packages=answers.packages))


def _tier(name: str, kind: str, picked: Picked) -> str:
    lines = [f"[tiers.{name}]", f"kind = {literal(kind)}"]
    if picked.bundle:
        lines.append(f"bundle = {literal(picked.bundle)}")
    if picked.packages:
        lines.append(_array("packages", picked.packages))
    return "\n".join(lines)


def _required(requirements: str | tuple[str, ...]) -> str:
    head = '[tiers.requirements]\nkind = "python"\n'
    if isinstance(requirements, str):
        return f"{head}requirements = {literal(requirements)}"
    return head + _array("packages", requirements)


def _array(key: str, values: Sequence[str]) -> str:
    line = f"{key} = [{', '.join(map(literal, values))}]"
    if len(line) <= _WIDTH:
        return line
    entries = "".join(f"    {literal(value)},\n" for value in values)
    return f"{key} = [\n{entries}]"


def serves_notebooks(picked: Iterable[Picked]) -> bool:
    """Say whether something of Jupyter that listens is among what is picked."""
    return any(
        each.bundle == "jupyter" or requirement_name(package).startswith(("jupyter", "notebook"))
        for each in picked
        for package in (*each.packages, "")
    )


def _image(answers: Answers) -> str:
    lines = ['workdir = "/workspace"', 'cmd = ["/bin/bash"]']
    if serves_notebooks(each for each in (answers.jupyter, answers.essential) if each):
        lines.append(f"ports = [{_JUPYTER_PORT}]")
    lines.append("")
    lines.append("# Caches lie among the project's files, so that they outlive the container.")
    lines.append("[image.env]")
    lines += [f"{name} = {literal(value)}" for name, value in _ENVIRONMENT.items()]
    return "\n".join(lines)
