"""TLS over any wire: pyOpenSSL works on buffers in memory, the wire below moves the bytes."""

from __future__ import annotations

import asyncio
import sys

from OpenSSL import SSL

from proxyfw.exceptions import TlsError
from proxyfw.protocol.tls import Records

from .tls_engine import engine
from .tls_errors import readable
from .wire import Wire

_HANDSHAKE = 8192


class TlsWire(Wire):
    """The plain text side of a TLS connection over *inner*; `handshake` comes first."""

    __slots__ = ("_engine", "_records", "_shaking", "inner", "ssl")

    def __init__(self, inner: Wire, ssl: SSL.Connection) -> None:
        super().__init__(inner.peername, inner.sockname)
        self.inner = inner
        self.ssl = ssl
        self._engine = engine(ssl)
        self._records = Records()
        self._shaking: asyncio.Future[None] | None = None

    async def handshake(self, timeout: float) -> None:
        """Agree on keys within *timeout* seconds. Raises TlsError; the caller closes the wire then."""
        self._shaking = asyncio.get_running_loop().create_future()
        self.inner.attach(self)
        if not self._shaking.done():
            self._shake()
        try:
            async with asyncio.timeout(timeout):
                await self._shaking
        except TimeoutError:
            raise TlsError(f"the TLS handshake was not complete within {timeout:g} s") from None
        finally:
            self._shaking = None

    def write(self, data: bytes) -> None:
        if data and not self.closed:
            try:
                self._engine.encrypt(data)
            except SSL.Error as e:
                self._fail(e)
                return
            # a record of 16 KiB grows by some 22 bytes; if that is not all, _flush goes on
            self._flush(len(data) + len(data) // 256 + 512)

    def write_eof(self) -> None:
        self._say_goodbye()
        self.inner.write_eof()

    def pause(self) -> None:
        self.inner.pause()

    def resume(self) -> None:
        self.inner.resume()

    def close(self) -> None:
        self._say_goodbye()
        self.inner.close()

    def abort(self) -> None:
        self.inner.abort()

    def cut(self) -> None:
        """Close without close_notify: it tells as much as a reset, and overtakes nothing."""
        self.inner.close()

    # What the inner wire calls

    def data_received(self, data: bytes) -> None:
        complete = self._records.completed_by(data)
        self._engine.receive(data)
        if self._shaking and not self._shaking.done():
            self._shake()
        elif complete:
            self._read(complete)

    def eof_received(self) -> None:
        self._give_up("the other side closed the connection during the TLS handshake")
        if not self.eof:
            self.truncated = True
            self.deliver_eof()

    def connection_lost(self, reason: Exception | None) -> None:
        self._give_up("the connection was lost during the TLS handshake")
        self.deliver_loss(reason)

    def writable_changed(self) -> None:
        self.writable = self.inner.writable
        self.receiver.writable_changed()

    def _shake(self) -> None:
        assert self._shaking
        try:
            self.ssl.do_handshake()
        except SSL.WantReadError:
            self._flush(_HANDSHAKE)
        except SSL.Error as e:
            self._flush(_HANDSHAKE)  # the alert that tells the other side why
            self._give_up(readable(e))
        else:
            self._flush(_HANDSHAKE)
            self._shaking.set_result(None)
            self._read(sys.maxsize)

    def _give_up(self, reason: str) -> None:
        if self._shaking and not self._shaking.done():
            self._shaking.set_exception(TlsError(reason))

    def _read(self, records: int) -> None:
        """Decrypt at most so many *records*: asking OpenSSL for one that is not there costs an exception."""
        decrypt, parts = self._engine.decrypt, []
        ended, error = False, None
        try:
            for _ in range(records):
                parts.append(decrypt())
        except SSL.WantReadError:
            if not parts:
                self._flush(_HANDSHAKE)  # TLS had something to say of its own: no_renegotiation, a new key
        except SSL.ZeroReturnError:
            ended = True
        except SSL.Error as e:
            error = e
        if parts:
            self.receiver.data_received(parts[0] if len(parts) == 1 else b"".join(parts))
        if error:
            self._fail(error)
        elif ended and not self.eof:
            self.deliver_eof()

    def _flush(self, expected: int) -> None:
        """Pass on what TLS wants to say, about *expected* bytes, in one write."""
        data = self._engine.produced(expected)
        if data and not self.inner.closed:
            self.inner.write(data)

    def _fail(self, error: SSL.Error) -> None:
        self._flush(_HANDSHAKE)
        self.inner.close()
        self.deliver_loss(TlsError(readable(error)))

    def _say_goodbye(self) -> None:
        """Send close_notify, so that the other side knows that nothing was cut off."""
        try:
            self.ssl.shutdown()
        except SSL.Error:
            return  # the handshake was never complete
        self._flush(_HANDSHAKE)
