from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01build.errors import Issue
from ds01build.fields import Fields, Issues, did_you_mean, load, single_line


def read(text: str) -> tuple[Fields, Issues]:
    issues = Issues()
    return Fields(load(text), "", issues), issues


def word(text: str) -> str:
    if not text.isalpha():
        raise ValueError("not a word")
    return text.lower()


def test_a_value_has_its_type_and_its_normal_form() -> None:
    table, issues = read('a = "X"\nb = ["Y", "Z"]\nc = true\nd = 3\n[e]\nf = "G"\n[[h]]\n[[h]]\n')
    assert table.text("a", word) == "x"
    assert table.texts("b", word) == ("y", "z")
    assert table.flag("c")
    assert table.integer("d") == 3
    assert table.pairs("e", word, word) == (("f", "g"),)
    assert len(table.tables("h")) == 2
    table.close()
    assert issues.found() == ()


def test_what_is_absent_is_empty_and_no_issue() -> None:
    table, issues = read("")
    assert (table.text("a", word), table.texts("b", word), table.flag("c")) == ("", (), False)
    assert (table.pairs("d", word, word), table.tables("e"), table.table("f").names()) == (
        (),
        (),
        [],
    )
    table.close()
    assert issues.found() == ()


def test_what_is_required_is_an_issue_when_absent() -> None:
    table, issues = read("")
    assert (table.required("a", word), table.integer("b")) == ("", 0)
    assert issues.found() == (Issue("a", "required"), Issue("b", "required"))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("1", "an integer"),
        ("1.5", "a float"),
        ("true", "a boolean"),
        ("[]", "an array"),
        ("{}", "a table"),
        ("2026-11-01", "a date or time"),
    ],
)
def test_a_value_of_another_type_is_named_by_its_type(value: str, kind: str) -> None:
    table, issues = read(f"a = {value}")
    assert table.text("a", word) == ""
    assert issues.found() == (Issue("a", f"expected a string, found {kind}"),)


def test_every_getter_refuses_another_type() -> None:
    table, issues = read('a = "x"\nb = true\nc = [1]\n')
    table.texts("a", word)
    table.flag("a")
    table.integer("b")
    table.table("a")
    table.tables("c")
    assert [str(issue) for issue in issues.found()] == [
        "a: expected an array, found a string",
        "a: expected true or false, found a string",
        "b: expected an integer, found a boolean",
        "a: expected a table, found a string",
        "c[0]: expected a table, found an integer",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("-1", "-1"),
        (f"{2**53 + 1}", f"{2**53 + 1}"),
        (f"0x{'f' * 4000}", "an integer of more than 64 bits"),
    ],
)
def test_a_number_out_of_range_is_told_with_what_is_allowed(value: str, shown: str) -> None:
    table, issues = read(f"a = {value}")
    assert table.number("a") == 0
    assert issues.found() == (Issue("a", f"{shown} is not a number from 0 to {2**53}"),)


def test_the_path_leads_through_tables_and_arrays() -> None:
    table, issues = read('[a]\n[[a.b]]\n[[a.b]]\nc = ["x", "1"]\n')
    for entry in table.table("a").tables("b"):
        entry.texts("c", word)
    assert issues.found() == (Issue("a.b[1].c[1]", "not a word"),)


def test_a_key_that_no_path_can_show_is_quoted() -> None:
    table, issues = read('"a b\\n\\u202e" = 1')
    table.close()
    assert issues.found() == (Issue(r"'a b\n\u202e'", "unknown key"),)


def test_an_unknown_key_gets_a_suggestion() -> None:
    table, issues = read("packges = 1\nzzz = 2\n")
    table.texts("packages", word)
    table.close()
    assert [str(issue) for issue in issues.found()] == [
        "packges: unknown key; did you mean 'packages'?",
        "zzz: unknown key",
    ]


def test_wrong_names_and_values_of_a_table_of_strings_are_both_told() -> None:
    table, issues = read('[a]\n"1" = "x"\ny = 2\n')
    assert table.pairs("a", word, word) == (("y", ""),)
    assert [str(issue) for issue in issues.found()] == [
        "a.1: not a word",
        "a.y: expected a string, found an integer",
    ]


def test_issues_are_kept_once_and_a_hundred_at_most() -> None:
    issues = Issues()
    for number in range(300):
        issues.add(str(number // 2), "wrong")
    assert len(issues.found()) == 100
    assert len(set(issues.found())) == 100


@pytest.mark.parametrize("character", ["\n", "\x00", "\x1b", "\x85", "\u202e", "\u200b", "\u2028"])
def test_a_string_that_is_not_one_visible_line_is_refused(character: str) -> None:
    with pytest.raises(ValueError, match=rf"^contains the character U\+{ord(character):04X}$"):
        single_line(f"a{character}b")


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_visible_text_of_any_language_passes(text: str) -> None:
    assert single_line(text) == text


def test_a_long_file_and_a_long_line_are_refused_before_parsing() -> None:
    with pytest.raises(ValueError, match=r"^longer than 1048576 characters$"):
        load("#\n" * 600_000)
    with pytest.raises(ValueError, match=r"^line 3 is longer than 4096 characters$"):
        load("\n\n" + "#" * 4097)
    assert load("a = '''\n" + ("x" * 4096 + "\n") * 200 + "'''")


DEEP = ".".join("a" * 990)


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(".".join("a" * 20_000) + " = 1", id="one dotted key"),
        pytest.param("\n".join(f"b{n}.{DEEP} = 1" for n in range(500)), id="dotted keys"),
        pytest.param("\n".join(f"[b{n}.{DEEP}]" for n in range(500)), id="deep tables"),
        pytest.param("\n".join(f"[[b{n}.{DEEP}]]" for n in range(500)), id="arrays of tables"),
        pytest.param("x = {a=1, " + DEEP + "=1}", id="inline tables"),
        pytest.param('\'a\' . "\\".".' * 500 + "a = 1", id="quoted keys"),
        pytest.param("a = " + "[\n" * 300_000, id="arrays in arrays"),
        pytest.param("a = " + "{a=\n" * 200_000, id="tables in tables"),
        pytest.param("a = " + "1" * 5_000, id="integer"),
        pytest.param(('{"\\"' * 800 + "\n") * 240, id="quotes for the search of deep keys"),
    ],
)
def test_a_toml_bomb_is_one_problem_and_soon(bomb: str) -> None:
    start = time.process_time()
    with pytest.raises(ValueError, match=r"\A(line 1 (is|has)|nested|not TOML).{,200}\Z"):
        load(bomb)
    assert time.process_time() - start < 1


def test_a_key_has_sixteen_parts_at_most() -> None:
    key = ".".join("a" * 16)
    assert load(f"{key} = 1\n[x]\n{key} = 'a.{key}'")
    for deep in (f"\n[a.{key}]", f"\nx = {{ a=1,a . {key} = 1 }}", f"\n'' . {key} = 1"):
        with pytest.raises(ValueError, match=r"^line 2 has a key of more than 16 parts$"):
            load(deep)


def test_an_integer_too_long_to_print_is_named_by_its_type() -> None:
    table, issues = read("a = 0x" + "f" * 4_000)
    table.text("a", word)
    assert issues.found() == (Issue("a", "expected a string, found an integer"),)


def test_what_is_not_toml_is_named_by_its_line_and_shown_in_part() -> None:
    key = "a" * 3_000
    with pytest.raises(ValueError, match=r"\Anot TOML: .{,140}\(at line 3, column [0-9]+\)\Z"):
        load(f"[{key}]\n\n[{key}]")


def test_an_array_or_table_holds_two_thousand_entries() -> None:
    table, issues = read(
        "a = [\n" + '"x",\n' * 2001 + "]\n[b]\n" + "\n".join(map(_entry, range(2001)))
    )
    assert len(table.texts("a", word)) == 2000
    assert len(table.table("b").names()) == 2000
    assert [str(issue) for issue in issues.found()] == [
        "a: more than 2000 entries",
        "b: more than 2000 entries",
    ]


def _entry(number: int) -> str:
    return f"k{number} = 1"


def test_a_suggestion_is_the_nearest_name_or_nothing() -> None:
    assert did_you_mean("jupiter", ["jupyter", "ml"]) == "; did you mean 'jupyter'?"
    assert did_you_mean("xyz", ["jupyter", "ml"]) == ""
    assert did_you_mean("jupyter" * 20, ["jupyter" * 20]) == ""
    assert did_you_mean("jupiter", [*map(str, range(200)), "jupyter"]) == ""


@given(st.text())
def test_any_text_is_a_table_or_a_value_error(text: str) -> None:
    try:
        assert isinstance(load(text), dict)
    except ValueError as error:
        assert str(error).isprintable()  # noqa: PT017  (either outcome is right)
