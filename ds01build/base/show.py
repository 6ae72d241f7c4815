"""A base as people ask for it: its key packages by framework, or everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.base.stored import to_json
from ds01build.quantities import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ds01build.base.facts import BaseFacts

__all__ = ["answer", "every_package", "installed", "key_packages", "screen"]

# The frameworks that a base may be made for, by the distribution that says so, and their own.
_FRAMEWORKS = {
    "torch": ("PyTorch", ("torch", "torchvision", "torchaudio", "triton")),
    "tensorflow": ("TensorFlow", ("tensorflow", "keras", "tensorboard")),
    "jax": ("JAX", ("jax", "jaxlib", "flax", "optax")),
}
_LIBRARIES = (
    *("numpy", "scipy", "pandas", "scikit-learn", "matplotlib", "pillow", "opencv-python"),
    *("tqdm", "requests", "pyyaml"),
)
_TOOLS = ("conda", "ipython", "jupyterlab", "notebook", "psutil", "pip")
_CUDNN = ("nvidia-cudnn", "libcudnn")


def screen(facts: BaseFacts, reference: str, *, architecture: str = "") -> str:
    """Return the screen of a selected base; ``architecture`` is the catalogue's, if it has one."""
    python = counted(len(facts.distributions), "Python package")
    lines = [
        "━━━ Selected Base Image ━━━",
        f"Image: {reference}",
        *([f"Architecture: {architecture}"] if architecture else []),
        f"System: {_system(facts)}",
        f"Python: {_python(facts)}",
        *([f"Driver: {facts.driver}"] if facts.driver else []),
        "",
        "Key Pre-installed Packages:",
        *(f"  • {line}" for line in key_packages(facts)),
        "",
        f"{python}, {counted(len(facts.debs), 'Debian package')}",
    ]
    return "".join(f"{line}\n" for line in lines)


def every_package(facts: BaseFacts) -> str:
    """Return all packages, one a line: held Python ones, those that may be shadowed, .debs."""
    held = [f"{each.name} {each.version}" for each in facts.distributions if each.is_held]
    other = [f"{each.name} {each.version}" for each in facts.distributions if not each.is_held]
    groups = {
        "Python packages, held:": held,
        "Python packages that a tier may shadow:": other,
        "Debian packages:": [f"{each.name} {each.version}" for each in facts.debs],
    }
    blocks = ("\n  ".join([heading, *lines]) for heading, lines in groups.items() if lines)
    return "\n\n".join(blocks) + "\n"


def answer(facts: BaseFacts, reference: str, *, architecture: str = "") -> dict[str, object]:
    """Return all facts as a JSON object with a schema, but for the texts that only apt reads."""
    found = to_json(facts)["facts"]
    assert isinstance(found, dict), "the form of facts"
    found = {name: value for name, value in found.items() if name != "apt"}
    return {
        "schema": "ds01.base/1",
        "reference": reference,
        **found,
        "config": str(facts.config),
        "catalogue_architecture": architecture,
    }


def installed(facts: BaseFacts) -> Mapping[str, str]:
    """Return the version of each distribution, the one that Python finds first."""
    order = facts.interpreter.directories if facts.interpreter else ()
    by_directory = sorted(
        facts.distributions, key=lambda each: order.index(each.directory), reverse=True
    )
    return {each.name: each.version for each in by_directory}


def _system(facts: BaseFacts) -> str:
    glibc = f", glibc {facts.glibc[0]}.{facts.glibc[1]}" if facts.glibc else ""
    return f"{facts.title or facts.distribution or 'unknown'}, {facts.architecture}{glibc}"


def _python(facts: BaseFacts) -> str:
    found = facts.interpreter
    if found is None:
        return "none"
    manager = f", {facts.manager}" if facts.manager else ""
    return f"{found.version or 'of an unknown version'} ({found.path}{manager})"


def key_packages(facts: BaseFacts) -> Iterator[str]:
    """Yield lines about what a base is known for: its framework, CUDA, libraries, tools."""
    versions = installed(facts)
    for name, (title, members) in _FRAMEWORKS.items():
        if name in versions:
            present = ", ".join(each for each in members if each in versions)
            yield f"{title} {versions[name]} ({present})"
    if facts.cuda:
        yield f"CUDA {facts.cuda}{' + cuDNN' if _has_cudnn(facts, versions) else ''}"
    libraries = [f"{name} {versions[name]}" for name in _LIBRARIES if name in versions]
    tools = [f"{name} {versions[name]}" for name in _TOOLS if name in versions]
    if facts.manager == "conda" and "conda" not in versions:
        tools.insert(0, "conda")
    yield from (", ".join(names) for names in (libraries, tools) if names)
    if not versions:
        yield "no Python packages"


def _has_cudnn(facts: BaseFacts, versions: Mapping[str, str]) -> bool:
    names = [*versions, *(deb.name for deb in facts.debs)]
    return any(name.startswith(_CUDNN) for name in names)
