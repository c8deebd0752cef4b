"""Decompression of streams: gzip, zstd and lz4 by what the content is, never by a file's name.

zstd and lz4 come from the shared libraries that Debian has everywhere because apt needs them; Python 3.13 knows neither.
"""

import ctypes
import zlib
from collections.abc import Iterator
from typing import Any, Protocol

from chain_files import StepError

__all__ = ["Blocks", "Source", "decoded"]

_BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_LZ4 = b"\x04\x22\x4d\x18"
_LZ4_LEGACY = b"\x02\x21\x4c\x18"
# `zstd --long=31` makes such windows, and many snapshots are made so; the library's own limit is 27.
_ZSTD_WINDOW_LOG_MAX = (100, 31)
_LZ4F_VERSION = 100


class Source(Protocol):
    """Something to read from; no bytes mean its end."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes."""
        ...


class Blocks:
    """A stream made of blocks of any size."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._block = b""
        self._at = 0

    def read(self, size: int = _BLOCK, /) -> bytes:
        """At most `size` bytes; none at the end."""
        while self._at >= len(self._block):
            following = next(self._blocks, None)
            if following is None:
                return b""
            self._block, self._at = following, 0
        part = self._block[self._at : self._at + size]
        self._at += len(part)
        return part

    def peek(self, size: int) -> bytes:
        """The next bytes, fewer only at the end; they stay to be read."""
        held = self._block[self._at :]
        while len(held) < size and (following := next(self._blocks, None)) is not None:
            held += following
        self._block, self._at = held, 0
        return held[:size]

    def put_back(self, part: bytes) -> None:
        """Makes this the next that is read."""
        self._block, self._at = part + self._block[self._at :], 0


class _Frame(Protocol):
    """One compressed frame; `ended` and `unused` tell whether, and before which bytes, it was over."""

    ended: bool
    unused: bytes

    def feed(self, part: bytes) -> Iterator[bytes]: ...

    def close(self) -> None: ...


def decoded(source: Source) -> Blocks:
    """The content of a stream, decompressed where it is compressed; frames may follow each other, as pzstd and pigz write them.

    Raises:
        StepError: from reading: the content is damaged, ends in the middle of a frame, or something else follows its last one.
    """
    return Blocks(_frames(source))


def _frames(source: Source) -> Iterator[bytes]:
    pending = Blocks(iter(lambda: source.read(_BLOCK), b""))
    last = b""
    while start := pending.peek(4):
        if len(start) == 4 and start[1:] == b"\x2a\x4d\x18" and start[0] & 0xF0 == 0x50:
            last = _skip(pending) or last
            continue
        frame = _frame(start)
        if frame is None and not last:
            yield from iter(pending.read, b"")
            return
        if frame is None and last == _GZIP and not any(start):
            # tape drives and some object stores pad gzip with zeros, and gzip itself takes them
            if any(any(block) for block in iter(pending.read, b"")):
                raise StepError(
                    "something else follows the end of the compressed data; the file is damaged, or not what it seems"
                )
            return
        if frame is None:
            raise StepError("something else follows the end of the compressed data; the file is damaged, or not what it seems")
        last = start[:2] if start.startswith(_GZIP) else start
        try:
            while not frame.ended:
                part = pending.read()
                if not part:
                    raise StepError("the compressed data ends in the middle; the file is cut off, at its source or on the way")
                yield from frame.feed(part)
            pending.put_back(frame.unused)
        finally:
            frame.close()


def _skip(pending: Blocks) -> bytes:
    """Passes a skippable frame, which zstd and lz4 share; pzstd puts one before each frame of its own."""
    head = pending.peek(8)
    left = 8 + int.from_bytes(head[4:8], "little")
    while left:
        part = pending.read(min(left, _BLOCK))
        if not part:
            raise StepError("the compressed data ends in the middle; the file is cut off, at its source or on the way")
        left -= len(part)
    return head[:4]


def _frame(start: bytes) -> _Frame | None:
    if start.startswith(_GZIP):
        return _Gzip()
    if start == _ZSTD:
        return _Zstd()
    if start == _LZ4:
        return _Lz4()
    if start == _LZ4_LEGACY:
        raise StepError("the file is in lz4's legacy format, which has no end mark and no checksum; compress it without `lz4 -l`")
    return None


class _Gzip:
    def __init__(self) -> None:
        self.ended = False
        self.unused = b""
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def feed(self, part: bytes) -> Iterator[bytes]:
        while not self.ended:
            try:
                out = self._zlib.decompress(part, _BLOCK)
            except zlib.error as error:
                raise StepError(f"the gzip data is damaged ({error})") from error
            self.ended, self.unused, part = self._zlib.eof, self._zlib.unused_data, self._zlib.unconsumed_tail
            if out:
                yield out
            elif not part:
                return

    def close(self) -> None:
        pass


class _Buffer(ctypes.Structure):
    """ZSTD_inBuffer and ZSTD_outBuffer: address, size, position."""

    _fields_ = (("address", ctypes.c_void_p), ("size", ctypes.c_size_t), ("at", ctypes.c_size_t))
    address: int | None
    size: int
    at: int


def _library(name: str, sizes: tuple[str, ...], texts: tuple[str, ...]) -> Any:
    try:
        library = ctypes.CDLL(name)
    except OSError as error:
        raise StepError(f"the agent image has no {name}; use an image based on Debian, or a gzip or plain archive") from error
    for function in sizes:
        getattr(library, function).restype = ctypes.c_size_t
    for function in texts:
        getattr(library, function).restype = ctypes.c_char_p
    return library


class _Zstd:
    def __init__(self) -> None:
        self.ended = False
        self.unused = b""
        self._lib = _library(
            "libzstd.so.1", ("ZSTD_decompressStream", "ZSTD_freeDCtx", "ZSTD_DCtx_setParameter"), ("ZSTD_getErrorName",)
        )
        self._lib.ZSTD_createDCtx.restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._lib.ZSTD_createDCtx())
        self._checked(self._lib.ZSTD_DCtx_setParameter(self._context, *_ZSTD_WINDOW_LOG_MAX))
        self._out = ctypes.create_string_buffer(_BLOCK)

    def feed(self, part: bytes) -> Iterator[bytes]:
        held = ctypes.create_string_buffer(part, len(part))
        given = _Buffer(ctypes.addressof(held), len(part), 0)
        # The library keeps a byte of its input back for as long as it has output left.
        while not self.ended and given.at < given.size:
            made = _Buffer(ctypes.addressof(self._out), _BLOCK, 0)
            hint = self._checked(self._lib.ZSTD_decompressStream(self._context, ctypes.byref(made), ctypes.byref(given)))
            self.ended = hint == 0
            if made.at:
                yield ctypes.string_at(self._out, made.at)
        self.unused = part[given.at :]

    def _checked(self, result: int) -> int:
        if self._lib.ZSTD_isError(ctypes.c_size_t(result)):
            why = self._lib.ZSTD_getErrorName(ctypes.c_size_t(result)).decode()
            raise StepError(f"the zstd data is damaged ({why})")
        return result

    def close(self) -> None:
        self._lib.ZSTD_freeDCtx(self._context)


class _Lz4:
    def __init__(self) -> None:
        self.ended = False
        self.unused = b""
        self._lib = _library(
            "liblz4.so.1",
            ("LZ4F_createDecompressionContext", "LZ4F_decompress", "LZ4F_freeDecompressionContext"),
            ("LZ4F_getErrorName",),
        )
        self._context = ctypes.c_void_p()
        self._checked(self._lib.LZ4F_createDecompressionContext(ctypes.byref(self._context), _LZ4F_VERSION))
        self._out = ctypes.create_string_buffer(_BLOCK)

    def feed(self, part: bytes) -> Iterator[bytes]:
        held = ctypes.create_string_buffer(part, len(part))
        at = 0
        # What a block holds comes out before the end mark is taken.
        while not self.ended and at < len(part):
            made, taken = ctypes.c_size_t(_BLOCK), ctypes.c_size_t(len(part) - at)
            source = ctypes.c_void_p(ctypes.addressof(held) + at)
            result = self._lib.LZ4F_decompress(self._context, self._out, ctypes.byref(made), source, ctypes.byref(taken), None)
            self.ended = self._checked(result) == 0
            at += taken.value
            if made.value:
                yield ctypes.string_at(self._out, made.value)
        self.unused = part[at:]

    def _checked(self, result: int) -> int:
        if self._lib.LZ4F_isError(ctypes.c_size_t(result)):
            why = self._lib.LZ4F_getErrorName(ctypes.c_size_t(result)).decode()
            raise StepError(f"the lz4 data is damaged ({why})")
        return result

    def close(self) -> None:
        self._lib.LZ4F_freeDecompressionContext(self._context)
