from __future__ import annotations

import debs
import pytest

from ds01build.errors import Ds01Error
from ds01build.layers.root import ScriptNote, refuse, unreproduced


def notes(name: str, *lines: str, head: str = "#!/bin/sh") -> tuple[ScriptNote, ...]:
    return unreproduced([debs.package(name, [], {"postinst": "\n".join([head, *lines, ""])})])


def test_a_script_without_a_trace_is_not_noted() -> None:
    lines = ["set -e", 'if [ "$1" = configure ]; then', "ldconfig", "db_get x", "fi", "exit 0"]
    assert notes("tool", *lines) == ()
    assert unreproduced([debs.package("plain")]) == ()


def test_known_traces_are_put_in_words() -> None:
    assert notes("libgvc6", "libgvc6-config-update || true", "py3compile -p x") == (
        ScriptNote(
            "libgvc6", ("Graphviz finds no plug-ins (dot -c)", "no bytecode is compiled"), "known"
        ),
    )


def test_unknown_commands_are_named() -> None:
    (note,) = notes("tool", "/usr/lib/tool/build-index --all", "mkdir /var/lib/tool")
    assert note.missing == ("its own files and directories are not set up", "runs 'build-index'")
    assert note.verdict == "unknown"


def test_a_function_of_the_script_is_no_unknown_command() -> None:
    assert notes("tool", "build() {", "true", "}", "build x") == ()


def test_what_the_rules_make_is_not_missing() -> None:
    assert notes("base-files", "mkdir /srv", "chown root /srv") == ()
    assert notes("python3.11-minimal", "mkdir /x", "py_compile /usr/lib/py_compile.py") != ()
    assert notes("tool", "mkdir /srv") != ()


def test_a_computed_alternative_is_noted() -> None:
    (note,) = notes("xz", "update-alternatives --install /a a /b 1 $(slaves)")
    assert note.missing == ("some alternatives are computed by the script",)


def test_a_program_as_script_is_noted() -> None:
    (note,) = notes("tool", "print", head="#!/usr/bin/perl")
    assert note == ScriptNote("tool", ("its postinst is no shell script",), "unknown")


def test_hostile_words_are_quoted() -> None:
    (note,) = notes("tool", "'\x1b[2J\n'")
    assert note.missing == ("runs '\\x1b[2J\\n'",)


@pytest.mark.parametrize(
    "name",
    [
        *("linux-image-6.1.0-1-amd64", "initramfs-tools", "grub-pc", "nvidia-driver", "zfs-dkms"),
        *("mariadb-server", "postgresql-15", "slapd", "postfix", "exim4-config"),
    ],
)
def test_packages_that_would_be_wrong_are_refused(name: str) -> None:
    with pytest.raises(Ds01Error, match=name):
        refuse([name, "bash"])
    assert notes(name, "true")[0].verdict == "refused"


def test_packages_that_would_just_be_less_are_not_refused() -> None:
    refuse(["postgresql-client", "mariadb-client", "openssh-server", "linux-libc-dev", "cron"])


def test_the_refusal_names_all_and_why() -> None:
    with pytest.raises(Ds01Error) as error:
        refuse(["slapd", "grub-pc"])
    assert str(error.value) == (
        "maintainer scripts are not run, and cannot be done without: "
        "grub-pc boots a machine: its scripts write an initramfs or a boot loader; "
        "slapd keeps accounts and secrets that only its scripts create"
    )
    assert error.value.hint == "leave the package out, or use [base] image = ... and a run tier"
