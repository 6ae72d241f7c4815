"""The files that a project starts with: equal projects start with equal bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.project.declaring import declaration

if TYPE_CHECKING:
    from ds01build.project.declaring import Project

__all__ = ["DECLARATION", "DEVCONTAINER", "LEAVES", "RECIPE", "files"]

DECLARATION, RECIPE = "pyproject.toml", "recipe.toml"
DEVCONTAINER = ".devcontainer/devcontainer.json"
LEAVES = (  # git keeps no empty directory
    "configs",
    "data/external",
    "data/processed",
    "data/raw",
    "models/checkpoints",
    "notebooks",
    "outputs/figures",
    "outputs/logs",
    "scripts",
    "tests",
)
_KEPT = ".gitkeep"
_IGNORED = """\
# What is large, or made again.
/data/**
/models/**
/outputs/**
!/data/**/
!/models/**/
!/outputs/**/
!.gitkeep
/.cache/
.ipynb_checkpoints/
__pycache__/
*.pyc

# What is yours alone: it names your uid, or a secret.
/.devcontainer/
.env
"""
_WORK = """\
## Work on it

```sh
# its image, if that is missing or stale, and a container
project-launch --dir .
# another package, for good
image-update {image} --add PACKAGE
```

`recipe.toml` says what the image holds, `recipe.lock` in which versions: with both, anybody makes
the same image. What lies here is `/workspace` in the container.
"""
_STRUCTURE = """\
## Where things lie

| | |
| --- | --- |
| `data/raw`, `data/processed`, `data/external` | data: as it came, as it is used, of others |
| `models/checkpoints` | trained models |
| `notebooks`, `scripts` | code to look around with, and code to run |
| `configs` | settings of runs |
| `outputs/logs`, `outputs/figures` | what runs leave behind |
| `tests` | tests |

What lies in `data`, `models` and `outputs` is in no commit.
"""


def files(project: Project, recipe: str, *, is_blank: bool) -> dict[str, str]:
    """Return the texts of a project's files by their paths; ``recipe`` is that of its recipe."""
    leaves = () if is_blank else LEAVES
    return {
        ".gitignore": _IGNORED,
        "README.md": _readme(project, is_blank=is_blank),
        DECLARATION: declaration(project),
        RECIPE: recipe,
        **{f"{leaf}/{_KEPT}": "" for leaf in leaves},
    }


def _readme(project: Project, *, is_blank: bool) -> str:
    about = [project.description] if project.description else []
    work = _WORK.format(name=project.name, image=project.image)
    return (
        "\n\n".join(
            part.rstrip("\n")
            for part in (f"# {project.name}", *about, work, *([] if is_blank else [_STRUCTURE]))
        )
        + "\n"
    )
