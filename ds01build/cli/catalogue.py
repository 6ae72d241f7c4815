"""``ds01 catalogue`` and ``ds01 bundle``: what ds01 knows by name."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ds01build.cli import completers, options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.base.present import Present
    from ds01build.catalogue import Bundle, Entry, Framework

__all__ = ["bundle", "catalogue"]

_ARCHITECTURE = click.option(
    "--arch", "architecture", default="", metavar="ARCH", help="The kind, such as CUDA_ADA."
)


@click.group()
def catalogue() -> None:
    """Look into the frameworks that [base] of a recipe may name."""


@catalogue.command("list")
@_ARCHITECTURE
@click.option("--framework", default="", metavar="NAME", help="List this framework alone.")
@options.as_json
def list_frameworks(architecture: str, framework: str, as_json: bool) -> None:
    """List frameworks and versions, with the images that they stand for.

    \b
    ds01 catalogue list --framework pytorch --arch CUDA_ADA
    """  # noqa: D301
    from ds01build.catalogue import entries
    from ds01build.cli.output import print_json, table

    found = entries(framework, architecture)
    if as_json:
        rows = [_row(each) for each in found]
        print_json({"schema": "ds01.catalogue/1", "entries": rows})
        return
    lines = [
        [each.name.lower(), each.version, ", ".join(each.architectures) or "any", each.image]
        for each in found
    ]
    click.echo(table(["FRAMEWORK", "VERSION", "ARCHITECTURES", "IMAGE"], lines))


@catalogue.command("show")
@click.argument("name", metavar="FRAMEWORK[:VERSION]", shell_complete=completers.frameworks)
@_ARCHITECTURE
@options.as_json
def show_framework(name: str, architecture: str, as_json: bool) -> None:
    """Print which image a framework is on this machine, and why.

    Without a version, the latest for the machine's kind of processor.

    \b
    ds01 catalogue show pytorch
    ds01 catalogue show pytorch:2.7.1 --arch CUDA_BLACKWELL
    """  # noqa: D301
    from ds01build.catalogue import LATEST, NotInCatalogue, describe
    from ds01build.cli.output import print_json, print_lines
    from ds01build.workflow.machine import this_machine

    machine = this_machine(os.environ)
    framework, _, version = name.partition(":")
    version = version or LATEST
    try:
        entry = describe(
            framework,
            version,
            architecture=architecture,
            mlc_arch=machine.mlc_arch,
            driver=machine.driver,
        )
    except NotInCatalogue as error:
        # What there is instead is told as a command here, not as lines of a recipe.
        there = error.version or version
        words = [framework if there == LATEST else f"{framework}:{there}"]
        kind = error.architecture or architecture
        words += ["--arch", kind] if kind else []
        raise replace(error, hint=f"ds01 catalogue show {' '.join(words)}") from error
    if as_json:
        print_json(_answer(entry))
    else:
        print_lines(_screen(entry))


def _row(each: Framework) -> dict[str, object]:
    from ds01build.catalogue import least_driver

    drivers = {one: least_driver(each, one) for one in each.architectures}
    return {
        "framework": each.name.lower(),
        "version": each.version,
        "architectures": list(each.architectures),
        "image": each.image,
        "least_drivers": {one: driver for one, driver in drivers.items() if driver},
        "note": each.note,
    }


def _answer(entry: Entry) -> dict[str, object]:
    chosen = entry.selected
    return {
        "schema": "ds01.catalogue-entry/1",
        **_row(chosen.framework),
        "architecture": chosen.architecture,
        "reason": chosen.reason,
        "least_driver": entry.driver,
        "warnings": list(chosen.warnings),
        "is_latest": entry.is_latest,
        "latest": {
            "version": entry.latest.framework.version,
            "image": entry.latest.reference,
            "reason": entry.latest.reason,
        },
        "others": [_row(each) for each in entry.others],
    }


def _screen(entry: Entry) -> Iterator[str]:
    chosen, found = entry.selected, entry.selected.framework
    latest = "this one" if entry.is_latest else entry.latest.framework.version
    kind = entry.latest.architecture or "every architecture"
    yield f"{found.name.lower()} {found.version}"
    yield f"  image:          {found.image}"
    yield f"  architectures:  {', '.join(found.architectures) or 'any'}"
    yield f"  chosen here:    {chosen.reason}"
    yield f"  least driver:   {entry.driver or 'not documented'}"
    yield f"  latest here:    {latest}, the highest release for {kind}"
    for each in entry.others:
        yield f"  on {', '.join(each.architectures)}: {each.image}"
    for warning in chosen.warnings:
        yield f"  warning: {warning}"


@click.group()
def bundle() -> None:
    """Look into the bundles that a tier of a recipe may name."""


@bundle.command("list")
@options.as_json
def list_bundles(as_json: bool) -> None:
    """List the bundles, in the order in which a first lock stacks them."""
    from ds01build.catalogue import bundles
    from ds01build.cli.output import print_json, table

    found = list(bundles().values())
    if as_json:
        print_json({"schema": "ds01.bundles/1", "bundles": [_bundle(each) for each in found]})
        return
    rows = [[each.name, each.kind, str(len(each.packages)), each.title] for each in found]
    click.echo(table(["NAME", "KIND", "PACKAGES", "TITLE"], rows))


@bundle.command("show")
@click.argument("name", shell_complete=completers.bundles)
@click.option("--base", metavar="REF", help="Say what this image or framework has of it already.")
@options.as_json
@options.quiet
def show_bundle(name: str, base: str | None, as_json: bool, quiet: bool) -> None:
    """Print what a bundle asks for.

    \b
    ds01 bundle show cv --base pytorch
    """  # noqa: D301
    from ds01build.catalogue import bundle as named
    from ds01build.cli.output import print_json, print_lines

    found = named(name)
    reference, there = _looked(found, base, quiet=quiet) if base else ("", None)
    if as_json:
        answer: dict[str, object] = {"schema": "ds01.bundle/1", **_bundle(found)}
        if there is not None:
            rows = {
                each: {"version": one.version, "held": one.is_held} for each, one in there.items()
            }
            answer.update(base=reference, present=rows)
        print_json(answer)
    else:
        print_lines(_bundle_screen(found, reference, there))


def _looked(found: Bundle, base: str, *, quiet: bool) -> tuple[str, dict[str, Present]]:
    """Return the reference of a base, and what it has of a bundle."""
    from ds01build.base.present import present
    from ds01build.cli import wiring
    from ds01build.cli.progress import progress
    from ds01build.workflow.looking import look
    from ds01build.workflow.steps import Choices

    with progress(quiet=quiet) as report:
        seen = look(wiring.edges(report, Choices(load="never")).bases, base)
    return seen.reference, present(seen.facts, found.kind, found.packages)


def _bundle(each: Bundle) -> dict[str, object]:
    return {
        "name": each.name,
        "kind": each.kind,
        "title": each.title,
        "packages": list(each.packages),
        "exclude": list(each.exclude),
        "note": each.note,
    }


def _bundle_screen(
    found: Bundle, reference: str, there: dict[str, Present] | None
) -> Iterator[str]:
    yield f"{found.name}: {found.title}, for a tier of kind {found.kind}"
    if there is not None:
        yield f"over {reference}"
    for each in found.packages:
        yield f"  {each}{_presence(found, there, each)}"
    if found.exclude:
        yield f"no image with it holds: {', '.join(found.exclude)}"
    if found.note:
        yield f"note: {found.note}"


def _presence(found: Bundle, there: dict[str, Present] | None, package: str) -> str:
    one = there.get(package) if there else None
    if one is None:
        return ""
    if found.kind == "apt":
        return f"  (the base has {one.version})"
    return f"  (the base {'holds' if one.is_held else 'has'} {one.version})"
