from __future__ import annotations

import gzip
import hashlib
import random
import tracemalloc
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wheels import Bytes, File, archive, deflated

from ds01build.errors import RejectedFile
from ds01build.layers.body import Packed, in_memory, read, start, stream
from ds01build.layers.zip import read_directory

TEXT = b"".join(b"line %d of a module that is large\n" % n for n in range(200_000))  # 7 MB
NOISE = random.Random(3).randbytes(3_000_000)
OTHER = hashlib.sha256(b"other").hexdigest()


def packed(file: File, content: str | None = None) -> Packed:
    # Sizes that would be refused as a bomb are allowed by a large neighbour.
    neighbour = File(name=b"z", content=NOISE[:100_000], method=0)
    source = Bytes(archive([file, neighbour]))
    member = read_directory(source, "w.whl")[0]
    expected = hashlib.sha256(file.content).hexdigest() if content is None else content
    return Packed(source, "w.whl", member, expected)


def problem(given: Packed) -> str:
    with pytest.raises(RejectedFile) as caught:
        list(stream(given))
    assert caught.value.name == "w.whl"
    return caught.value.problem


@pytest.mark.parametrize("method", [0, 8])
@pytest.mark.parametrize(
    "content",
    [
        b"x",
        b"short",
        TEXT[:300_000],
        TEXT[: 1 << 20],
        TEXT,
        NOISE[: 1 << 18],
        NOISE,
        bytes(5 << 20),
    ],
    ids=lambda content: str(len(content)),
)
def test_a_body_is_whole_gzip_members_of_the_content(content: bytes, method: int) -> None:
    pieces = list(stream(packed(File(name=b"a", content=content, method=method))))
    assert b"".join(piece.plain for piece in pieces) == content
    assert gzip.decompress(b"".join(piece.packed for piece in pieces)) == content


@given(st.binary(max_size=2000), st.integers(0, 9))
def test_any_deflate_stream_passes_unchanged(content: bytes, level: int) -> None:
    stream_of = deflated(content, level)
    (piece,) = stream(packed(File(name=b"a", content=content, packed=stream_of)))
    assert piece.plain == content
    assert piece.packed[10:-8] == stream_of


def test_each_call_of_a_body_yields_the_content_anew() -> None:
    body = in_memory(b"made here")
    assert list(body()) == list(body())
    assert gzip.decompress(next(body()).packed) == b"made here"


@pytest.mark.parametrize("content", [b"small", TEXT], ids=["small", "large"])
@pytest.mark.parametrize(
    ("lies", "expected"),
    [
        ({"crc": 1}, "'a' does not have the CRC32 that the zip says"),
        ({"size": 3}, "'a' unpacks to more bytes than the zip says"),
        ({"size": 8_000_000}, "'a' unpacks to fewer bytes than the zip says"),
    ],
)
def test_a_zip_that_lies_about_a_file_is_refused(
    content: bytes, lies: dict[str, int], expected: str
) -> None:
    file = File(name=b"a", content=content)
    assert problem(packed(replace(file, **lies))) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"small", TEXT], ids=["small", "large"])
@pytest.mark.parametrize("method", [0, 8])
def test_a_record_that_lies_about_a_file_is_refused(content: bytes, method: int) -> None:
    file = File(name=b"a", content=content, method=method)
    assert problem(packed(file, OTHER)) == "'a' does not have the sha256 that RECORD says"


@pytest.mark.parametrize("content", [b"small" * 9, TEXT], ids=["small", "large"])
def test_a_stream_that_does_not_end_with_its_file_is_refused(content: bytes) -> None:
    whole = deflated(content)
    longer = File(name=b"a", content=content, packed=whole + b"\0")
    shorter = File(name=b"a", content=content, packed=whole[:-3])
    assert problem(packed(longer)) == "'a' has bytes behind its deflate stream"
    assert problem(packed(shorter)) == "'a' has no end of its deflate stream"


def test_bytes_behind_the_stream_in_a_later_piece_are_refused() -> None:
    file = File(name=b"a", content=b"x", packed=deflated(b"x") + bytes(600_000))
    assert problem(packed(file)) == "'a' has bytes behind its deflate stream"


def test_what_is_no_deflate_stream_is_refused() -> None:
    file = File(name=b"a", content=b"x", packed=b"\xff" * 20)
    assert problem(packed(file)) == "'a' is not a valid deflate stream"


def test_a_bomb_is_stopped_before_it_grows() -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(40)) + bomb.flush()
    given = packed(File(name=b"a", packed=content, size=10, content=b"x" * 10))
    tracemalloc.start()
    assert problem(given) == "'a' unpacks to more bytes than the zip says"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_a_large_body_takes_little_memory() -> None:
    given = packed(File(name=b"a", content=bytes(15 << 20)))
    tracemalloc.start()
    assert sum(len(piece.plain) for piece in stream(given)) == 15 << 20
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_a_source_that_became_shorter_is_refused() -> None:
    given = packed(File(name=b"a", content=NOISE))
    shorter = Bytes(given.source.read(0, 1_000_000))
    assert problem(given._replace(source=shorter)) == "'a' is cut short"


def test_read_verifies_and_has_a_limit() -> None:
    given = packed(File(name=b"a", content=TEXT))
    assert read(given, len(TEXT)) == TEXT
    with pytest.raises(RejectedFile) as caught:
        read(given, 1000)
    assert caught.value.problem == f"'a' has {len(TEXT)} bytes, more than 1000"


@pytest.mark.parametrize("method", [0, 8])
def test_start_reads_only_the_beginning(method: int) -> None:
    assert start(packed(File(name=b"a", content=TEXT, method=method)), 8) == b"line 0 o"
    assert start(packed(File(name=b"a", content=b"abc", method=method)), 8) == b"abc"
