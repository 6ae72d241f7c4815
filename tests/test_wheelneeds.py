"""What wheels need, as a fact that is left of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from values import wheel_pin

from ds01build.base.needs import variables
from ds01build.base.wheelneeds import to_fact, wanted_of

if TYPE_CHECKING:
    from ds01build.digest import Canonical

APP = wheel_pin("app")
HERE = variables("3.11.2", "x86_64")


def fact(*lines: str) -> Canonical:
    return to_fact("".join(f"{line}\n" for line in lines).encode(), APP)


def asked(value: object, name: str = "lib") -> list[str] | None:
    found = wanted_of(value, APP, name, HERE)
    return None if found is None else [str(need) for need in found]


def test_ranges_that_count_here_are_told_and_names_compared_in_their_normal_form() -> None:
    value = fact(
        "Requires-Dist: Some_Lib (>=1,<3)",
        "Requires-Dist: some-lib>=2 ; python_version >= '3.11'",
        "Requires-Dist: some.lib>=9 ; sys_platform == 'win32'",
        "Requires-Dist: other",
    )
    assert asked(value, "some-lib") == ["some-lib<3,>=1", "some-lib>=2"]
    assert asked(value, "other") == ["other"]
    assert asked(value, "absent") == []


def test_what_only_extras_need_is_told_with_them() -> None:
    extras = ["Provides-Extra: fast", "Requires-Dist: lib>=3 ; extra == 'fast'"]
    assert asked(fact(*extras)) == ["lib>=3 ; extra == 'fast'"]
    assert asked(fact(*extras, "Requires-Dist: lib>=1")) == ["lib>=1"]


def test_what_follows_the_headers_is_no_need() -> None:
    for end in ("\n", "\r\n"):
        text = f"Name: app{end}Requires-Dist: lib>=1{end}{end}Requires-Dist: lib>=9{end}"
        assert asked(to_fact(text.encode(), APP)) == ["lib>=1"]


@pytest.mark.parametrize(
    "value",
    [None, [], "x", {}, {"requires": "lib"}, {"requires": [1], "extras": []}, {"requires": []}],
)
def test_what_is_no_such_fact_is_not_known(value: object) -> None:
    assert asked(value) is None


def test_what_pep_508_has_no_meaning_for_is_left_out() -> None:
    assert asked(fact("Requires-Dist: lib @@ 1", "Requires-Dist: lib>=1")) == ["lib>=1"]
