"""The four things that are done with a TLS connection for every message, in as few steps as pyOpenSSL allows.

Its public methods take five times longer than OpenSSL itself, to look at arguments and make buffers. Where
its inside is what it was when this was written they are passed by; elsewhere, and for whatever is out of the
ordinary, they do the work.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

from OpenSSL import SSL

RECORD = 16384
"""The most that one TLS record, and so one read, can hold. RFC 8446 section 5.1."""
_SCRATCH = 2 * RECORD


class Engine(Protocol):
    """Plain text on one side, TLS on the other. Raises what `SSL.Connection` raises."""

    def encrypt(self, data: bytes) -> None:
        """Have *data* sent."""

    def decrypt(self) -> bytes:
        """What the next record says."""

    def receive(self, data: bytes) -> None:
        """Take *data*, which the other side has sent."""

    def produced(self, expected: int) -> bytes:
        """All that is to be sent to the other side, about *expected* bytes."""


class PublicEngine:
    """By public methods."""

    __slots__ = ("_ssl",)

    def __init__(self, ssl: SSL.Connection) -> None:
        self._ssl = ssl

    def encrypt(self, data: bytes) -> None:
        sent = self._ssl.send(data)
        while sent < len(data):  # one record at a time
            sent += self._ssl.send(memoryview(data)[sent:])

    def decrypt(self) -> bytes:
        return self._ssl.recv(RECORD)

    def receive(self, data: bytes) -> None:
        self._ssl.bio_write(data)

    def produced(self, expected: int) -> bytes:
        parts = []
        try:
            while True:
                parts.append(self._ssl.bio_read(expected))
                if len(parts[-1]) < expected:
                    break
        except SSL.WantReadError:
            pass
        return b"".join(parts)


class _Scratch(threading.local):
    """Memory that OpenSSL writes to, for a moment: each thread has its own."""

    def __init__(self) -> None:
        self.memory = _ffi.new("char[]", _SCRATCH)


class DirectEngine:
    """By the functions of OpenSSL that those methods call."""

    __slots__ = ("_incoming", "_outgoing", "_scratch", "_ssl", "_wrapper")

    def __init__(self, ssl: Any) -> None:
        self._wrapper = ssl
        self._ssl = ssl._ssl
        self._incoming = ssl._into_ssl
        self._outgoing = ssl._from_ssl
        self._scratch = _scratch.memory

    def encrypt(self, data: bytes) -> None:
        size = len(data)
        sent = _ssl_write(self._ssl, data, size)
        if 0 < sent < size:  # one record at a time
            rest = _ffi.from_buffer(data)
            while 0 < (taken := _ssl_write(self._ssl, rest + sent, size - sent)) < size - sent:
                sent += taken
            sent = taken
        if sent <= 0:
            self._wrapper._raise_ssl_error(self._ssl, sent)

    def decrypt(self) -> bytes:
        size = _ssl_read(self._ssl, self._scratch, RECORD)
        if size <= 0:
            self._wrapper._raise_ssl_error(self._ssl, size)
        text: bytes = _unpack(self._scratch, size)
        return text

    def receive(self, data: bytes) -> None:
        if _bio_write(self._incoming, data, len(data)) != len(data):
            raise SSL.Error([("BIO", "write", "out of memory")])

    def produced(self, expected: int) -> bytes:
        size = _bio_read(self._outgoing, self._scratch, _SCRATCH)
        data: bytes = _unpack(self._scratch, size) if size > 0 else b""
        return data if size < _SCRATCH else data + self.produced(expected)


_INSIDE = ("_ssl", "_into_ssl", "_from_ssl", "_raise_ssl_error")

try:
    from OpenSSL._util import ffi as _ffi
    from OpenSSL._util import lib as _lib

    _ssl_write, _ssl_read, _bio_write, _bio_read = (
        _lib.SSL_write,
        _lib.SSL_read,
        _lib.BIO_write,
        _lib.BIO_read,
    )
    _unpack = _ffi.unpack
    _names = {*SSL.Connection.__init__.__code__.co_names, *dir(SSL.Connection)}
    _known = _names.issuperset(_INSIDE)
except (ImportError, AttributeError):
    _known = False

if _known:
    _scratch = _Scratch()

engine: type[PublicEngine] | type[DirectEngine] = DirectEngine if _known else PublicEngine
"""Makes the better one that there is, for a connection over memory."""
