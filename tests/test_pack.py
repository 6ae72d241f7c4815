from __future__ import annotations

import gzip
import hashlib
import io
import random
import tarfile
from functools import partial
from typing import TYPE_CHECKING

import deflate
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds01build.errors import Ds01Error, MismatchError
from ds01build.layers import pack
from ds01build.layers.body import in_memory
from ds01build.layers.entry import Entry, Piece
from ds01build.layers.pack import COMPRESSOR, compress, splice
from ds01build.layers.tar import BLOCK
from ds01build.stack import Stat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Writer = Callable[[Iterable[Entry]], Iterator[Piece]]

DIRECTORY = Stat("directory", 0o755, 0, 0, "")
both = pytest.mark.parametrize("write", [splice, compress])


def file(path: str, content: bytes) -> Entry:
    stat = Stat("file", 0o644, 0, 0, hashlib.sha256(content).hexdigest())
    body = in_memory(content) if content else None
    return Entry(path=path, stat=stat, size=len(content), body=body)


def streams(pieces: Iterator[Piece]) -> tuple[bytes, bytes]:
    every = list(pieces)
    return b"".join(p.plain for p in every), b"".join(p.packed for p in every)


contents = st.dictionaries(
    st.from_regex(r"[a-z]{1,9}(/[a-z]{1,9}){0,3}", fullmatch=True), st.binary(max_size=3000)
)


@both
@settings(max_examples=40)
@given(tree=contents)
def test_the_gzip_stream_unpacks_to_the_tar(write: Writer, tree: dict[str, bytes]) -> None:
    plain, packed = streams(write([file(path, content) for path, content in tree.items()]))
    assert gzip.decompress(packed) == plain
    assert len(plain) % BLOCK == 0
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        read = {m.name: extracted(archive, m) for m in archive}
    assert read == tree


def extracted(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    opened = archive.extractfile(member)
    assert opened is not None
    return opened.read()


def test_both_writers_write_the_same_tar() -> None:
    entries = [
        Entry(path="", stat=DIRECTORY),
        file("a", b"1" * 700),
        file("b", b""),
        file("c", b"2"),
    ]
    assert streams(splice(entries))[0] == streams(compress(entries))[0]


def test_spliced_bodies_are_passed_through_as_they_are() -> None:
    body = Piece(b"plain", gzip.compress(b"plain", mtime=0))
    entry = Entry(path="a", stat=DIRECTORY._replace(kind="file"), size=5, body=lambda: iter([body]))
    assert body in list(splice([entry]))


def test_headers_without_bodies_between_them_share_a_member() -> None:
    directories = [Entry(path=f"d{number}", stat=DIRECTORY) for number in range(5)]
    assert len(list(splice([*directories, file("e", b"content")]))) == 3


def test_a_thousand_directories_are_more_than_one_member() -> None:
    directories = [Entry(path=f"d{number}", stat=DIRECTORY) for number in range(1000)]
    pieces = list(splice(directories))
    assert len(pieces) > 100
    assert max(len(piece.plain) for piece in pieces) <= 4096 + BLOCK


def test_compressed_members_hold_a_mebibyte_of_tar() -> None:
    content = random.Random(7).randbytes(2_500_000)
    pieces = list(compress([file("a", content)]))
    assert [len(piece.plain) for piece in pieces[:-1]] == [1 << 20] * 2
    assert gzip.decompress(pieces[1].packed) == pieces[1].plain


def test_compressed_bytes_are_fixed_for_ever() -> None:
    # COMPRESSOR is part of keys: it must change when these bytes do.
    _, packed = streams(compress([file("a", b"fixed for ever " * 500)]))
    assert COMPRESSOR == "deflate-0.9.0/1"
    expected = "a9604a48ec8e54b009df4bf42d3ef04e8e2997acdfb3e114f24368476c06be26"
    assert hashlib.sha256(packed).hexdigest() == expected


@both
@pytest.mark.parametrize("size", [4, 6])
def test_a_body_of_another_size_than_its_header_is_an_error(write: Writer, size: int) -> None:
    entry = Entry(
        path="a/b", stat=DIRECTORY._replace(kind="file"), size=size, body=in_memory(b"12345")
    )
    with pytest.raises(MismatchError, match=f"^/a/b: expected {size} bytes, got 5$"):
        streams(write([entry]))


@both
def test_a_missing_body_is_an_error(write: Writer) -> None:
    entry = Entry(path="a", stat=DIRECTORY._replace(kind="file"), size=5)
    with pytest.raises(MismatchError):
        streams(write([entry]))


def test_another_version_of_the_compressor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deflate, "__version__", "0.9.1")
    pack._check_compressor.cache_clear()
    with pytest.raises(Ds01Error) as caught:
        streams(compress([]))
    monkeypatch.undo()
    assert str(caught.value) == (
        "deflate 0.9.1 is installed, and layers need 0.9.0: another version may give other bytes"
    )
    assert caught.value.hint == "pip install deflate==0.9.0"


def test_bodies_are_asked_for_one_at_a_time() -> None:
    asked: list[str] = []

    def body(name: str) -> Iterator[Piece]:
        asked.append(name)
        yield Piece(b"1", gzip.compress(b"1", mtime=0))

    stat = DIRECTORY._replace(kind="file")
    entries = [Entry(path=n, stat=stat, size=1, body=partial(body, n)) for n in ("a", "b")]
    pieces = splice(entries)
    next(pieces)
    assert asked == []
    next(pieces)
    assert asked == ["a"]


@given(
    pieces=st.lists(st.builds(Piece, st.binary(max_size=40), st.binary(max_size=40)), max_size=30),
    repeated=st.sampled_from([1, 30_000]),
)
@settings(max_examples=50)
def test_batches_are_the_same_layer_in_few_pieces(pieces: list[Piece], repeated: int) -> None:
    pieces = [Piece(plain * repeated, packed * repeated) for plain, packed in pieces]
    batches = list(pack.batched(pieces))
    assert streams(iter(batches)) == streams(iter(pieces))
    sizes = [len(plain) + len(packed) for plain, packed in batches]
    assert all(size >= 1 << 19 for size in sizes[:-1])
