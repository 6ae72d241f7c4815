"""Gzip members (RFC 1952) whose bytes we decide: framing, stored blocks, and headers made small.

A gzip stream may have many members, so a deflate stream that exists already becomes part of a
layer with ten bytes before it and eight behind it, and nothing is compressed again.
"""

from __future__ import annotations

import re
import struct
from functools import lru_cache

from isal import isal_zlib

__all__ = ["HEADER", "small", "stored", "trailer"]

# Deflate, no flags, no time, no extra flags, an unknown system: RFC 1952, 2.3.
HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

_BLOCK_LIMIT = 0xFFFF  # bytes in a stored block: RFC 1951, 3.2.4
_LONGEST = 258  # bytes that one match can stand for
_SHORTEST = 3

_ZEROS = re.compile(rb"\0{5,}")


def trailer(crc: int, size: int) -> bytes:
    """Return the end of a member whose plain bytes have this CRC32 and size."""
    return struct.pack("<LL", crc, size & 0xFFFFFFFF)


def stored(plain: bytes) -> bytes:
    """Return one member that holds ``plain`` as it is, in stored blocks."""
    parts = [HEADER]
    last = max(len(plain) - 1, 0) // _BLOCK_LIMIT
    for number in range(last + 1):
        block = plain[number * _BLOCK_LIMIT : (number + 1) * _BLOCK_LIMIT]
        parts += (struct.pack("<BHH", number == last, len(block), len(block) ^ 0xFFFF), block)
    parts.append(trailer(isal_zlib.crc32(plain), len(plain)))
    return b"".join(parts)


def small(plain: bytes) -> bytes:
    """Return one member that holds ``plain``, its runs of zeros made short.

    One block of fixed Huffman codes (RFC 1951, 3.2.6). Its bytes are decided here and not by a
    compression library, so that they are the same everywhere and always. Meant for tar headers:
    time and memory grow with the square of the length.
    """
    bits, length = 0b011, 3  # the last block, of fixed codes; codes follow from the lowest bit up
    done = 0
    for run in _ZEROS.finditer(plain):
        start, end = run.span()
        code, width = _literals(plain[done:start])
        bits |= code << length
        length += width
        code, width = _zeros(end - start)
        bits |= code << length
        length += width
        done = end
    code, width = _literals(plain[done:])
    bits |= code << length
    length += width + 7  # the end of the block is seven zero bits
    deflated = bits.to_bytes((length + 7) // 8, "little")
    return b"".join((HEADER, deflated, trailer(isal_zlib.crc32(plain), len(plain))))


def _reversed(code: int, width: int) -> int:
    """Return a Huffman code as it is packed: its highest bit first."""
    return int(f"{code:0{width}b}"[::-1], 2)


def _literal(value: int) -> tuple[int, int]:
    """Return the code of one byte and its width in bits."""
    if value < 144:  # noqa: PLR2004 (the table of RFC 1951, 3.2.6)
        return _reversed(0x30 + value, 8), 8
    return _reversed(0x190 + value - 144, 9), 9


_CODES = tuple(_literal(value) for value in range(256))
_SHORT_CODES = bytes(code & 0xFF for code, _ in _CODES)


def _literals(run: bytes) -> tuple[int, int]:
    """Return the codes of some bytes as one number, and its width in bits."""
    if run.isascii():  # each has a code of eight bits: a translation
        return int.from_bytes(run.translate(_SHORT_CODES), "little"), 8 * len(run)
    bits = length = 0
    for value in run:
        code, width = _CODES[value]
        bits |= code << length
        length += width
    return bits, length


@lru_cache(maxsize=4096)
def _zeros(count: int) -> tuple[int, int]:
    """Return the codes of a run of zeros: one zero, then copies of it from a distance of one."""
    bits, length = _CODES[0]
    left = count - 1
    while left >= _SHORTEST:
        copied = min(left, _LONGEST)
        code, width = _copy(copied)
        bits |= code << length
        length += width
        left -= copied
    code, width = _literals(bytes(left))
    return bits | code << length, length + width


def _copy(count: int) -> tuple[int, int]:
    """Return the code of a match of 3 to 258 bytes at a distance of one: RFC 1951, 3.2.5."""
    symbol, extra, extra_width = _length_symbol(count)
    code = _reversed(symbol - 256, 7) if symbol < 280 else _reversed(0xC0 + symbol - 280, 8)  # noqa: PLR2004
    width = 7 if symbol < 280 else 8  # noqa: PLR2004 (the table of RFC 1951, 3.2.6)
    distance_width = 5  # the code of distance one is 00000
    return code | extra << width, width + extra_width + distance_width


def _length_symbol(count: int) -> tuple[int, int, int]:
    """Return the symbol for a match length, its extra bits, and how many those are."""
    if count == _LONGEST:
        return 285, 0, 0
    offset = count - _SHORTEST
    extra_width = max(offset.bit_length() - 3, 0)
    symbol = 257 + 4 * extra_width + (offset >> extra_width)
    return symbol, offset & ((1 << extra_width) - 1), extra_width
