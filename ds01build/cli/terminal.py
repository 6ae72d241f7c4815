"""Asks on a terminal. Questions go to stderr: stdout is for the answer of the command alone."""

from __future__ import annotations

import sys
import textwrap
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, TypeVar, final

import click

from ds01build.cli.output import visible, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from prompt_toolkit.key_binding import KeyPressEvent
    from questionary import Question

    from ds01build.asking import Option

__all__ = ["Terminal", "is_there"]

T = TypeVar("T")

_ROOM = 24  # columns for an answer, behind the question; with less it has a line of its own
_CHOOSE = "(arrow keys or a number, then Enter)"
_TOGGLE = "(space to toggle, Enter to continue)"


def is_there() -> bool:
    """Say whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


@final
class Terminal:
    """An Asker: arrow keys or numbers choose, space toggles, Enter takes.

    ``explain`` shows a topic to those who want to be guided. Importing what draws the prompts
    takes 100 ms, which is spent at the first question.
    """

    def __init__(self, explain: Callable[[str], None]) -> None:
        self._explain = explain

    def say(self, text: str) -> None:
        """Show ``text``; what a terminal would obey is written out."""
        for line in text.split("\n"):
            click.echo("\n".join(wrapped(visible(line))), err=True)

    def explain(self, topic: str) -> None:
        """Show what is said about a topic, if that is wanted."""
        self._explain(topic)

    def choose(self, question: str, options: Sequence[Option], default: str) -> str:
        """Return the value of one of ``options``."""
        import questionary

        self._detail(options)
        choices = [_choice(option) for option in options]
        preset = next(each for each in choices if each.value == default)
        longest = max(len(option.title) for option in options)  # stands there when it is chosen
        asked = questionary.select(
            _fitting(question, _CHOOSE, max(0, longest - len(_CHOOSE))),
            choices,
            default=preset,
            use_shortcuts=len(choices) < 10,  # noqa: PLR2004 (keys with one digit)
            use_jk_keys=False,
            instruction=_CHOOSE,
            **_manner(),
        )
        return str(_answer(asked))

    def check(
        self, question: str, options: Sequence[Option], chosen: Collection[str]
    ) -> tuple[str, ...]:
        """Return the values of any number of ``options``."""
        import questionary

        self._detail(options)
        asked = questionary.checkbox(
            _fitting(question, _TOGGLE),
            [_choice(option, is_checked=option.value in chosen) for option in options],
            use_jk_keys=False,
            instruction=_TOGGLE,
            **_manner(),
        )
        return tuple(map(str, _answer(asked)))

    def text(
        self, question: str, read: Callable[[str], T], default: str = "", *, typed: str = ""
    ) -> T:
        """Return what ``read`` makes of an answer, which is asked again while it is refused."""
        import questionary

        def problem(answer: str) -> bool | str:
            try:
                read(answer.strip() or default)
            except ValueError as error:
                return visible(str(error))
            return True

        instruction = f"[{default}]" if default else None
        shown = _fitting(question, instruction or "", _ROOM)
        asked = questionary.text(
            shown, typed, validate=problem, instruction=instruction, **_manner()
        )
        return read(str(_answer(asked)).strip() or default)

    def confirm(self, question: str, *, default: bool) -> bool:
        """Return whether the answer is yes."""
        import questionary

        words = "[Y/n]" if default else "[y/N]"
        asked = questionary.confirm(
            _fitting(question, words, len(" Yes")),
            default=default,
            auto_enter=False,
            instruction=words,
            **_manner(),
        )
        return bool(_answer(asked))

    def can_correct(self, problem: str) -> bool:
        """Show what is wrong: who is at the terminal can answer again, or leave."""
        self.say(problem)
        return True

    def _detail(self, options: Sequence[Option]) -> None:
        if not any(option.detail for option in options):
            return
        self.say("")
        for number, option in enumerate(options, 1):
            lines = (f"     {line}" for line in option.detail if line)
            self.say("\n".join((f"  {number}) {option.title}", *lines)))
        self.say("")


def _choice(option: Option, *, is_checked: bool = False) -> Any:
    from questionary import Choice

    return Choice(visible(option.title), value=option.value, checked=is_checked)


def _answer(question: Question) -> Any:
    """Return an answer. Raises Abort for who leaves, KeyboardInterrupt for who interrupts."""
    _let_leave(question)
    try:
        return question.unsafe_ask()
    except EOFError as error:
        raise click.Abort from error


def _let_leave(question: Question) -> None:
    """Let the end of the input (Ctrl-D) end a menu as it ends a line that nothing is typed in."""
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.key_binding import KeyBindings, merge_key_bindings

    application = question.application
    keys = KeyBindings()

    @keys.add("c-d", filter=Condition(lambda: not application.current_buffer.text), eager=True)
    def _leave(event: KeyPressEvent) -> None:
        event.app.exit(exception=EOFError)

    there = application.key_bindings
    application.key_bindings = merge_key_bindings([*([there] if there else []), keys])


def _manner() -> dict[str, Any]:
    """Return how prompts look: in the terminal's own colours, so that each background will do."""
    from prompt_toolkit.output import create_output
    from questionary import Style

    style = Style(
        [
            ("qmark", "fg:ansicyan bold"),
            ("question", "bold"),
            ("answer", "fg:ansigreen bold"),
            ("pointer", "fg:ansicyan bold"),
            ("highlighted", "fg:ansicyan bold"),
            ("selected", "fg:ansigreen noreverse"),
            ("instruction", "fg:ansibrightblack"),
            ("validation-toolbar", "fg:ansired bg:default noreverse"),
        ]
    )
    return {"style": style, "output": create_output(stdout=sys.stderr)}


def _fitting(question: str, instruction: str, room: int = 0) -> str:
    """Return a question broken between words, with ``room`` for the answer behind it.

    The prompt has a mark of two columns before it, and a space behind it and the instruction.
    """
    width = max(_ROOM, get_terminal_size().columns - 3)
    lines = textwrap.wrap(question, width, break_on_hyphens=False)
    if lines and len(f"{lines[-1]} {instruction}") + room > width:
        lines.append("")
    return "\n  ".join(lines)
