"""All bundles on one list of checkboxes, in the place of three phases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ds01build.asking import Option
from ds01build.catalogue import bundle
from ds01build.fields import did_you_mean
from ds01build.wizard import screens
from ds01build.wizard.answers import Answers, Picked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ds01build.asking import Asker
    from ds01build.wizard.base_packages import BasePackages

__all__ = ["ESSENTIAL", "pick", "selected"]

ESSENTIAL = "essential"
_PACKAGES = ("jupyter", "matplotlib", "numpy", "pandas", "scikit-learn")


def pick(answers: Answers, asker: Asker, contents: BasePackages) -> Answers:
    """Ask which bundles to install, unless that is answered."""
    if answers.use_cases is not None:
        return answers
    asker.explain("image-create.bundles")
    options = [
        Option(
            value=ESSENTIAL,
            title="Essential (recommended)",
            detail=(_lacking(_PACKAGES, contents), "→ Interactive notebooks + core data science"),
        ),
        *(
            Option(
                value=name,
                title=f"Use Case: {case.title}",
                detail=(_lacking(bundle(name).packages, contents), f"→ {case.use}"),
            )
            for name, case in screens.use_cases().items()
        ),
    ]
    question = "Select package bundles to install"
    return selected(answers, asker.check(question, options, (ESSENTIAL,)))


def selected(answers: Answers, names: Iterable[str]) -> Answers:
    """Return ``answers`` with these bundles. Raises ValueError for one that is not on the list."""
    chosen = list(dict.fromkeys(names))
    known = (ESSENTIAL, *screens.use_cases())
    for name in chosen:
        if name not in known:
            near = did_you_mean(name, known)
            raise ValueError(f"no bundle {name!r:.60}; there are {', '.join(known)}{near}")
    return replace(
        answers,
        essential=Picked(packages=_PACKAGES) if ESSENTIAL in chosen else Picked(),
        jupyter=Picked(),
        data_science=Picked(),
        use_cases=tuple(Picked(bundle=name) for name in known[1:] if name in chosen),
    )


def _lacking(packages: Iterable[str], contents: BasePackages) -> str:
    return " ".join(contents.lacking(packages)) or "(all of it is in the base)"
