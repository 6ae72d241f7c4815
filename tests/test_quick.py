from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from values import directory, file

from ds01build.digest import DiffId, Digest
from ds01build.image import MANIFEST_TYPE, ImageConfig, StackedLayer, assemble
from ds01build.layer import Layer
from ds01build.store import DirStore, open_store
from ds01build.workflow import quick
from ds01build.workflow.built import Built, BuiltLayer, Seconds, remembered

if TYPE_CHECKING:
    from collections.abc import Callable

INCLUDED = {"requirements.txt": b"numpy\n", "files/motd": b"hello\n"}


@dataclass(frozen=True)
class Project:
    """A recipe that was built: its files, its store, and the build."""

    recipe: Path
    store: DirStore
    built: Built

    @property
    def lock(self) -> Path:
        return quick.lock_path(self.recipe)

    def find(self) -> Built | None:
        return quick.find(self.recipe, self.lock, self.store)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    recipe = tmp_path / "recipes" / "demo.toml"
    for path, content in {"demo.toml": b"schema = 1\n", **INCLUDED}.items():
        (recipe.parent / path).parent.mkdir(parents=True, exist_ok=True)
        (recipe.parent / path).write_bytes(content)
    lock = quick.lock_path(recipe)
    lock.parent.mkdir()
    lock.write_bytes(b"version = 1\n")
    store = open_store(tmp_path / "store", uid=os.getuid())
    built = build(store)
    row = quick.document(built, {path: Digest.of(content) for path, content in INCLUDED.items()})
    key = quick.build_key(Digest.of(recipe.read_bytes()), Digest.of(lock.read_bytes()))
    store.record_document(key, row)
    return Project(recipe, store, built)


def build(store: DirStore) -> Built:
    """Put an image of two layers into ``store``."""
    blobs = [b"layer one", b"layer two"]
    layers = [
        Layer(digest=store.put(blob), diff_id=DiffId(Digest.of(blob).value), size=len(blob))
        for blob in blobs
    ]
    stacked = [
        StackedLayer(tier="work", title="", layer=one, listing={"": directory(), "x": file()})
        for one in layers
    ]
    image = assemble(
        stacked, ImageConfig(architecture="amd64", env={}, labels={}, annotations={"a": "b"})
    )
    store.put(image.config)
    store.put(image.manifest)
    tag(store, image.digest, len(image.manifest))
    return Built(
        name="demo",
        digest=image.digest,
        config_digest=image.config_digest,
        size=image.size,
        manifest_size=len(image.manifest),
        config_size=len(image.config),
        layers=tuple(
            BuiltLayer(
                tier="work",
                digest=one.digest,
                diff_id=one.diff_id,
                size=one.size,
                action="written",
                reason="the store had none",
            )
            for one in layers
        ),
        downloaded=10,
        written=18,
        seconds=Seconds(total=5.0),
    )


def tag(store: DirStore, manifest: Digest, size: int) -> None:
    store.tag("demo", manifest=manifest, size=size, media_type=MANIFEST_TYPE, annotations={})


def test_where_nothing_has_changed_the_build_is_found_as_reused(project: Project) -> None:
    layers = tuple(
        replace(layer, action="reused", reason="nothing has changed")
        for layer in project.built.layers
    )
    assert project.find() == replace(
        project.built, layers=layers, downloaded=0, written=0, seconds=Seconds()
    )


def test_what_is_remembered_has_no_time_and_no_place(project: Project) -> None:
    document = project.built.document()
    assert remembered(document) == project.find()
    assert "seconds" not in document
    assert str(project.store.root) not in str(document)
    assert project.built.reference(Path("/s")) == f"oci:/s:demo@{project.built.digest}"


def append(path: Callable[[Project], Path]) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        with path(project).open("ab") as file:
            file.write(b"\n")

    return change


def remove(path: Callable[[Project], Path]) -> Callable[[Project], None]:
    return lambda project: path(project).unlink()


def shorten(path: Callable[[Project], Path]) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        content = path(project).read_bytes()
        path(project).unlink()
        path(project).write_bytes(content[:-1])

    return change


def link(path: Callable[[Project], Path]) -> Callable[[Project], None]:
    """Leave a symbolic link to the same bytes."""

    def change(project: Project) -> None:
        moved = path(project).rename(project.recipe.parent.parent / "moved")
        path(project).symlink_to(moved)

    return change


def move_tag(project: Project) -> None:
    other = project.store.put(b"{}")
    tag(project.store, other, 2)


def drop_tags(project: Project) -> None:
    (project.store.root / "index.json").unlink()


def damage_row(project: Project) -> None:
    for row in (project.store.root / "keys").glob("*/*.json"):
        row.write_bytes(row.read_bytes().replace(b"demo", b"dem0"))


FILES: dict[str, Callable[[Project], Path]] = {
    "recipe": lambda project: project.recipe,
    "lock": lambda project: project.lock,
    "requirements": lambda project: project.recipe.parent / "requirements.txt",
    "declared file": lambda project: project.recipe.parent / "files" / "motd",
}
BLOBS: dict[str, Callable[[Project], Path]] = {
    "manifest": lambda project: project.store.path(project.built.digest),
    "configuration": lambda project: project.store.path(project.built.config_digest),
    "lowest layer": lambda project: project.store.path(project.built.layers[0].digest),
    "last layer": lambda project: project.store.path(project.built.layers[1].digest),
}
CHANGES: dict[str, Callable[[Project], None]] = {
    **{f"{name} changed": append(path) for name, path in FILES.items()},
    **{f"{name} removed": remove(path) for name, path in FILES.items()},
    **{f"{name} is a link": link(path) for name, path in FILES.items()},
    **{f"{name} removed": remove(path) for name, path in BLOBS.items()},
    **{f"{name} cut short": shorten(path) for name, path in BLOBS.items()},
    "name of another image": move_tag,
    "no names": drop_tags,
    "damaged row": damage_row,
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_means_a_build(project: Project, change: str) -> None:
    assert project.find() is not None
    CHANGES[change](project)
    assert project.find() is None


def test_what_is_put_back_is_found_again(project: Project) -> None:
    text = project.recipe.read_bytes()
    project.recipe.write_bytes(text + b"# comment\n")
    assert project.find() is None
    project.recipe.write_bytes(text)
    assert project.find() is not None


def test_another_version_of_ds01_builds_anew(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick, "__version__", "0.0.0")
    assert project.find() is None


def test_what_another_schema_remembered_means_a_build(project: Project) -> None:
    assert remembered({**project.built.document(), "schema": "ds01.built/0"}) is None


def test_a_recipe_and_a_lock_cannot_be_exchanged() -> None:
    one, other = Digest.of(b"1"), Digest.of(b"2")
    assert quick.build_key(one, other) != quick.build_key(other, one)


@pytest.mark.parametrize(
    ("recipe", "lock"),
    [
        ("/p/recipes/demo.toml", "/p/lockfiles/demo.lock"),
        ("/p/demo.toml", "/p/demo.lock"),
        ("/p/recipes/more/demo.toml", "/p/recipes/more/demo.lock"),
        ("recipes/demo.toml", "lockfiles/demo.lock"),
    ],
)
def test_the_lock_lies_beside_the_recipe_or_in_lockfiles(recipe: str, lock: str) -> None:
    assert quick.lock_path(Path(recipe)) == Path(lock)
