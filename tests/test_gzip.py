from __future__ import annotations

import gzip
import shutil
import subprocess
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from ds01build.layers.gzip import HEADER, small, stored, trailer

runs = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.integers(0, 1200).map(bytes),
        st.text(max_size=20).map(str.encode),
    ),
    max_size=12,
).map(b"".join)


@given(runs)
def test_small_is_what_every_decoder_reads_back(plain: bytes) -> None:
    packed = small(plain)
    assert gzip.decompress(packed) == plain
    assert isal_zlib.decompress(packed, wbits=31) == plain


@pytest.mark.parametrize("count", [*range(1, 12), *range(255, 265), 513, 516, 517, 518, 2000])
def test_a_run_of_zeros_of_any_length_is_read_back(count: int) -> None:
    plain = b"a" + bytes(count) + b"\xff"
    assert gzip.decompress(small(plain)) == plain


def test_all_bytes_are_read_back() -> None:
    plain = bytes(range(256)) + bytes(9) + bytes(range(255, -1, -1))
    assert gzip.decompress(small(plain)) == plain


def test_bytes_of_small_are_fixed_for_ever() -> None:
    # Layers of everyone change with these bytes: raise pack.WRITER if they have to.
    assert small(b"usr/" + bytes(300) + "é".encode()).hex() == (
        "1f8b08000000000000ff2b2d2ed26718054483c32b01b48fced232010000"
    )


def test_a_header_is_much_smaller_than_stored() -> None:
    header = b"usr/local/lib/python3.11/dist-packages/numpy/__init__.py".ljust(512, b"\0")
    assert len(small(header)) < 100 < len(stored(header))


@given(runs)
def test_stored_is_read_back(plain: bytes) -> None:
    assert gzip.decompress(stored(plain)) == plain


@pytest.mark.parametrize("size", [0, 1, 65534, 65535, 65536, 131070, 131071, 300_000])
def test_stored_takes_as_many_blocks_as_it_needs(size: int) -> None:
    plain = b"x" * size
    assert gzip.decompress(stored(plain)) == plain
    assert len(stored(plain)) == size + 18 + 5 * max(-(-size // 65535), 1)


@given(runs, runs)
def test_members_in_a_row_are_one_stream(first: bytes, second: bytes) -> None:
    assert gzip.decompress(small(first) + stored(second) + small(b"")) == first + second


def test_a_deflate_stream_becomes_a_member() -> None:
    plain = b"the same stream that a zip has " * 1000
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = deflate.compress(plain) + deflate.flush()
    assert gzip.decompress(HEADER + stream + trailer(zlib.crc32(plain), len(plain))) == plain


def test_the_size_in_a_trailer_wraps_at_four_gibibytes() -> None:
    assert trailer(1, (1 << 32) + 5) == trailer(1, 5)


@pytest.mark.skipif(shutil.which("gzip") is None, reason="needs gzip")
def test_the_gzip_program_reads_members() -> None:
    packed = small(b"a" + bytes(600)) + stored(b"b" * 70_000) + small(bytes(1024))
    read = subprocess.run(["gzip", "-dc"], input=packed, capture_output=True, check=True)
    assert read.stdout == b"a" + bytes(600) + b"b" * 70_000 + bytes(1024)
    assert read.stderr == b""
