"""What is made when it is first needed is made once, whoever needs it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ds01build.once import once


def test_threads_that_need_a_thing_at_once_get_the_same_one() -> None:
    together = threading.Barrier(8)

    def make() -> object:
        time.sleep(0.05)
        return object()

    give = once(make)

    def ask(_: int) -> object:
        together.wait()
        return give()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1


def test_what_could_not_be_made_is_tried_again() -> None:
    outcomes = iter([False, True])

    def make() -> str:
        if not next(outcomes):
            raise OSError("not yet")
        return "made"

    give = once(make)
    with pytest.raises(OSError, match="not yet"):
        give()
    assert give() == give() == "made"
