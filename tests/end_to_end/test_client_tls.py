"""What clients do with TLS: refuse our certificate, dribble, cut off, stop halfway, want old versions."""

from __future__ import annotations

import asyncio
import logging
import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from ends import PATIENCE, Conversation, Field, Recorder, Tls
from OpenSSL import SSL

from proxyfw.certs import Authority
from proxyfw.exceptions import OptionsError

pytestmark = pytest.mark.end_to_end

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@contextmanager
def old_versions() -> Iterator[None]:
    """Python warns of versions that this test is about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


# Rejections: 5.3.63


async def rejection(field: Field, recorder: Recorder, caplog: pytest.LogCaptureFixture) -> Any:
    """What is told of a client that does not trust us."""
    data = await recorder.saw("tls_failed_client")
    assert data.conn is data.client
    assert data.server.address[0] == "example.test"
    assert "tls_established_client" not in recorder.names
    await recorder.saw("client_disconnected")
    warned = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warned) == 1
    assert "127.0.0.1: TLS handshake for example.test failed: " in warned[0]
    assert "ignore_hosts='example\\.test'" in warned[0]
    assert "proxyfw cert" in warned[0]
    return data


@pytest.mark.parametrize("version", VERSIONS)
async def test_python_rejects_our_certificate(
    field: Field, caplog: pytest.LogCaptureFixture, version: ssl.TLSVersion
) -> None:
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    context = ssl.create_default_context()
    context.minimum_version = context.maximum_version = version
    talk = await field.tunnel(proxy, 443)
    with pytest.raises(ssl.SSLCertVerificationError):
        await talk.start_tls(context, "example.test")
    data = await rejection(field, recorder, caplog)
    assert "'unknown_ca'" in data.conn.error
    assert await talk.plain.read() == b""


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_openssl_rejects_our_certificate(
    field: Field, caplog: pytest.LogCaptureFixture, version: str
) -> None:
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    host, port = proxy.address
    code = await run(
        "openssl", "s_client", "-proxy", f"{host}:{port}", "-connect", "example.test:443", "-servername",
        "example.test", "-verify_return_error", "-verify", "5", version,
    )  # fmt: skip
    assert code != 0
    data = await rejection(field, recorder, caplog)
    assert "'unknown_ca'" in data.conn.error


@pytest.mark.parametrize("version", ["1.2", "1.3"])
async def test_curl_rejects_our_certificate(
    field: Field, caplog: pytest.LogCaptureFixture, version: str
) -> None:
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    code = await run(
        "curl", "-sS", "--proxy", proxy.url, f"--tlsv{version}", "--tls-max", version, "https://example.test/"
    )
    assert code == 60
    data = await rejection(field, recorder, caplog)
    assert "'unknown_ca'" in data.conn.error


async def test_a_client_that_looks_at_the_certificate_after_the_handshake(
    field: Field, caplog: pytest.LogCaptureFixture
) -> None:
    """Its alert comes when our side is complete; no request has, so it counts as a rejection."""
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    talk = await field.tunnel(proxy, 443)
    client = BareClient(talk, ssl.TLSVersion.TLSv1_3)
    await client.handshake()
    await talk.plain.write(client.alert(42))
    data = await rejection(field, recorder, caplog)
    assert "'bad_certificate'" in data.conn.error


async def test_a_client_that_just_closes_in_the_handshake(
    field: Field, caplog: pytest.LogCaptureFixture
) -> None:
    """Some do not say why; the log still names the likely reason."""
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    talk = await field.tunnel(proxy, 443)
    layer = Tls(talk.plain, field.trust(proxy), "example.test")
    with pytest.raises(ssl.SSLWantReadError):
        layer.ssl.do_handshake()
    await talk.send(layer.outgoing.read())
    await talk.plain.read()
    talk.close()
    data = await rejection(field, recorder, caplog)
    assert "closed the connection during the TLS handshake" in data.conn.error


async def test_a_preconnected_client_that_never_asks_is_no_rejection(
    field: Field, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    talk = await field.secure(proxy, 443)
    await talk.tls.write_eof()
    talk.close()
    await recorder.saw("client_disconnected")
    assert "tls_failed_client" not in recorder.names
    assert len(recorder.of("tls_established_client")) == 1
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


# Versions: 5.3.69


async def test_a_client_below_the_floor(field: Field, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    context = field.trust(proxy)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with old_versions():
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    talk = await field.tunnel(proxy, 443)
    with pytest.raises(ssl.SSLError, match=r"(?i)alert protocol version"):
        await talk.start_tls(context, "example.test")
    data = await recorder.saw("tls_failed_client")
    assert "it offers no TLS version that we allow (see the tls_version_* options)" in data.conn.error
    await recorder.saw("client_disconnected")
    assert "ignore_hosts" not in caplog.text


async def test_the_floor_can_be_raised_and_lowered(field: Field) -> None:
    origin = await field.origin()
    modern = await field.proxy(tls_version_client_min="TLS1_3")
    talk = await field.tunnel(modern, origin.port)
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol version"):
        await talk.start_tls(field.trust(modern, maximum_version=ssl.TLSVersion.TLSv1_2), "example.test")
    old = await field.proxy(tls_version_client_max="TLS1_2")
    talk = await field.secure(old, origin.port)
    assert talk.ssl_object.version() == "TLSv1.2"


async def test_a_client_of_the_last_century_is_let_in_when_asked(field: Field) -> None:
    origin = await field.origin()
    proxy = await field.proxy(tls_version_client_min="TLS1")
    context = field.trust(proxy)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with old_versions():
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1
    talk = await field.secure(proxy, origin.port, context=context)
    assert talk.ssl_object.version() == "TLSv1"
    assert b"200 OK" in await talk.get()


async def test_no_common_cipher(field: Field) -> None:
    recorder = Recorder()
    proxy = await field.proxy(recorder, ciphers_client="ECDHE-ECDSA-AES256-GCM-SHA384")
    context = field.trust(proxy, maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    talk = await field.tunnel(proxy, 443)
    with pytest.raises(ssl.SSLError, match=r"(?i)handshake failure"):
        await talk.start_tls(context, "example.test")
    data = await recorder.saw("tls_failed_client")
    assert "there is no cipher that both sides allow" in data.conn.error


# Hellos: 5.3.65


@pytest.mark.parametrize("piece", [1, 7])
async def test_a_hello_in_pieces(field: Field, piece: int) -> None:
    """Every byte in a segment of its own, the whole handshake through."""
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    origin = await field.origin()
    talk = await field.secure(proxy, origin.port, piece=piece)
    assert b"200 OK" in await talk.get()
    assert recorder.of("tls_clienthello")[0].client_hello.sni == "example.test"


async def test_a_hello_as_large_as_post_quantum_ones_in_many_records(field: Field) -> None:
    """A long list of protocols makes it 5 KiB, cut into records of 100 bytes (RFC 8446 section 5.1)."""
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    context = field.trust(proxy)
    context.set_alpn_protocols([f"{n:0>200}" for n in range(25)])
    talk = await field.tunnel(proxy, 443)
    layer = Tls(talk.plain, context, "example.test")
    with pytest.raises(ssl.SSLWantReadError):
        layer.ssl.do_handshake()
    hello = layer.outgoing.read()
    assert len(hello) > 5000
    body = hello[5:]
    for at in range(0, len(body), 100):
        part = body[at : at + 100]
        await talk.send(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part)
    data = await recorder.saw("tls_clienthello")
    assert data.client_hello.sni == "example.test"
    assert len(data.client_hello.alpn_protocols) == 25
    await layer.handshake()
    assert layer.ssl.version() == "TLSv1.3"


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x00\x05hello",
        b"\x16\x03\x01\xff\xff" + bytes(70000),
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
        b"\x16\x03\x01\x00\x02\x01\x00" * 3,
    ],
)
async def test_what_only_looks_like_a_hello_is_closed(field: Field, garbage: bytes) -> None:
    """5.2.44: no answer in HTTP goes into the tunnel, no hook is called, and the proxy serves on."""
    recorder = Recorder()
    proxy = await field.proxy(recorder, head_timeout=0.5)
    talk = await field.tunnel(proxy, 443)
    try:
        await talk.send(garbage)
        assert await talk.rest() == b""
    except ConnectionError:
        pass  # closed while some of it was still unread
    await recorder.saw("client_disconnected")
    assert "tls_clienthello" not in recorder.names
    assert b"200 OK" in await (await field.secure(proxy, (await field.origin()).port)).get()


async def test_a_server_name_that_no_certificate_can_hold(
    field: Field, caplog: pytest.LogCaptureFixture
) -> None:
    """It is refused by name, not by a traceback."""
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    talk = await field.tunnel(proxy, 443)
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    client = SSL.Connection(context)
    client.set_tlsext_host_name(b"not:a:name")
    client.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    await talk.send(client.bio_read(1 << 16))
    data = await recorder.saw("tls_failed_client")
    assert "not:a:name" in data.conn.error
    assert await talk.rest() == b""
    assert not [r for r in caplog.records if r.exc_info]


# Ends: 5.3.70


async def test_an_answer_without_length_that_ends_properly(field: Field) -> None:
    async def serve(talk: Conversation) -> None:
        await talk.message()
        await talk.send(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        await talk.tls.write_eof()

    proxy = await field.proxy()
    origin = await field.origin(serve)
    talk = await field.secure(proxy, origin.port)
    assert (await talk.get()).endswith(b"all of it")


@pytest.mark.parametrize("reset", [False, True])
async def test_an_answer_cut_before_it_was_begun_to_be_sent_on(field: Field, reset: bool) -> None:
    """TCP ended, TLS did not: nobody knows whether that was all, so it is not passed on as such."""

    async def serve(talk: Conversation) -> None:
        await talk.message()
        await talk.send(b"HTTP/1.1 200 OK\r\n\r\nhalf of i")
        if reset:
            talk.plain.abort()

    recorder = Recorder()
    proxy = await field.proxy(recorder)
    origin = await field.origin(serve)
    talk = await field.secure(proxy, origin.port)
    assert (await talk.get()).startswith(b"HTTP/1.1 502 ")
    assert "the " in recorder.of("error")[0].error.msg
    assert ("close_notify" in recorder.of("error")[0].error.msg) is not reset


async def test_a_streamed_answer_cut_off_is_cut_off_for_the_client_too(field: Field) -> None:
    """The client must not see close_notify, nor the last chunk."""

    async def serve(talk: Conversation) -> None:
        await talk.message()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")

    proxy = await field.proxy()
    origin = await field.origin(serve)
    talk = await field.secure(proxy, origin.port)
    await talk.send(b"GET / HTTP/1.1\r\nHost: example.test\r\n\r\n")
    assert b"200 OK" in await talk.head()
    try:
        received = await talk.rest()
    except ConnectionError:
        received = b""
    else:
        assert talk.tls.truncated
    assert not received.endswith(b"0\r\n\r\n")


async def test_the_proxys_own_close_is_announced(field: Field) -> None:
    """A client can tell that nothing was cut off."""
    proxy = await field.proxy()
    origin = await field.origin()
    talk = await field.secure(proxy, origin.port)
    await talk.send(b"GET / HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n\r\n")
    assert b"200 OK" in await talk.rest()
    assert not talk.tls.truncated


async def test_stopping_the_proxy_is_announced_to_idle_clients(field: Field) -> None:
    proxy = await field.proxy()
    origin = await field.origin()
    talk = await field.secure(proxy, origin.port)
    await talk.get()
    await proxy.stop()
    assert await talk.rest() == b""
    assert not talk.tls.truncated


async def test_a_client_that_said_all_still_gets_its_answer(field: Field) -> None:
    """Half-closed TLS: close_notify right behind the request."""
    proxy = await field.proxy()
    origin = await field.origin()
    talk = await field.secure(proxy, origin.port)
    await talk.send(b"GET /last HTTP/1.1\r\nHost: example.test\r\n\r\n")
    await half_close(talk)
    assert (await talk.rest()).endswith(b"GET /last HTTP/1.1")


async def half_close(talk: Conversation) -> None:
    """close_notify and nothing else: Python's unwrap waits for the other side's and refuses data then."""
    layer = talk.tls
    with pytest.raises(ssl.SSLWantReadError):
        layer.ssl.unwrap()
    await talk.plain.write(layer.outgoing.read())


async def test_resets_in_every_part_of_the_handshake(field: Field) -> None:
    """The proxy serves on and nothing is left over."""
    recorder = Recorder()
    proxy = await field.proxy(recorder)
    origin = await field.origin()
    first = await field.dial(proxy)
    hello = Tls(first.plain, field.trust(proxy), "example.test")
    with pytest.raises(ssl.SSLWantReadError):
        hello.ssl.do_handshake()
    raw = hello.outgoing.read()
    cuts = [0, 1, 5, 100, len(raw)]
    for cut in cuts:
        talk = await field.tunnel(proxy, origin.port)
        await talk.send(raw[:cut])
        talk.plain.abort()
    await recorder.saw("client_disconnected", len(cuts))
    talk = await field.secure(proxy, origin.port)
    assert b"200 OK" in await talk.get()
    assert origin.connections == 1


async def test_a_handshake_that_is_never_completed(field: Field) -> None:
    """The connection is closed after the time that is allowed."""
    recorder = Recorder()
    proxy = await field.proxy(recorder, connect_timeout=0.2)
    talk = await field.tunnel(proxy, 443)
    layer = Tls(talk.plain, field.trust(proxy), "example.test")
    with pytest.raises(ssl.SSLWantReadError):
        layer.ssl.do_handshake()
    await talk.send(layer.outgoing.read())
    await talk.rest()
    assert "not complete within 0.2 s" in recorder.of("tls_failed_client")[0].conn.error


async def test_a_hello_that_is_never_completed(field: Field) -> None:
    recorder = Recorder()
    proxy = await field.proxy(recorder, head_timeout=0.2)
    talk = await field.tunnel(proxy, 443)
    await talk.send(b"\x16\x03\x01\x02\x00\x01")
    assert await talk.rest() == b""


# Renegotiation, client certificates, key log


async def test_renegotiation_is_refused_and_answered(field: Field) -> None:
    """RFC 5246 section 7.2.2: no_renegotiation, at once, and the connection goes on."""
    proxy = await field.proxy()
    origin = await field.origin()
    talk = await field.tunnel(proxy, origin.port)
    client = BareClient(talk, ssl.TLSVersion.TLSv1_2)
    await client.handshake()
    await client.request(b"GET /1 HTTP/1.1\r\nHost: example.test\r\n\r\n", b"GET /1 HTTP/1.1")
    client.connection.renegotiate()
    with pytest.raises(SSL.WantReadError):
        client.connection.do_handshake()
    await client.flush()
    with pytest.raises(SSL.Error, match="no renegotiation"):
        await client.receive(b"never")


async def test_a_key_update_is_answered(field: Field) -> None:
    """openssl s_client in TLS 1.3 with ``K`` asks for new keys both ways."""
    proxy = await field.proxy()
    origin = await field.origin()
    host, port = proxy.address
    process = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-proxy", f"{host}:{port}", "-connect", f"example.test:{origin.port}",
        "-servername", "example.test", "-tls1_3", "-CAfile", str(proxy.ca_cert_path),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    request = b"GET /%d HTTP/1.1\r\nHost: example.test\r\n\r\n"
    async with asyncio.timeout(PATIENCE):
        process.stdin.write(request % 1)
        await process.stdout.readuntil(b"GET /1 HTTP/1.1")
        process.stdin.write(b"K\n")
        await process.stdout.readuntil(b"KEYUPDATE\n")
        process.stdin.write(request % 2)
        await process.stdout.readuntil(b"GET /2 HTTP/1.1")
        process.stdin.close()
        await process.communicate()


@pytest.mark.parametrize("shows", [False, True])
async def test_clients_may_be_asked_for_a_certificate(field: Field, shows: bool) -> None:
    """5.3.68: it is optional, is not verified, and addons see it."""
    recorder = Recorder()
    proxy = await field.proxy(recorder, request_client_cert=True)
    origin = await field.origin()
    context = field.trust(proxy)
    mine = Authority.create("Anybody").issue(["me.test"], client=True)
    if shows:
        context.load_cert_chain(field.file(mine.to_pem()))
    talk = await field.secure(proxy, origin.port, context=context)
    assert b"200 OK" in await talk.get()
    client = recorder.of("tls_established_client")[0].conn
    assert [c.cn for c in client.certificate_list] == (["me.test", "Anybody"] if shows else [])


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_key_log(field: Field, monkeypatch: pytest.MonkeyPatch, version: ssl.TLSVersion) -> None:
    """5.3.70: what both other sides log of their secrets is in it."""
    logged = field.directory / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(logged))
    proxy = await field.proxy()
    monkeypatch.delenv("SSLKEYLOGFILE")
    theirs = [field.directory / "client.log", field.directory / "origin.log"]
    server_context = field.server_context()
    server_context.minimum_version = server_context.maximum_version = version
    server_context.keylog_filename = str(theirs[1])
    context = field.trust(proxy, minimum_version=version, maximum_version=version)
    context.keylog_filename = str(theirs[0])
    origin = await field.origin(context=server_context)
    talk = await field.secure(proxy, origin.port, context=context)
    assert b"200 OK" in await talk.get()
    ours = set(logged.read_text().splitlines())
    for path in theirs:
        secrets = {line for line in path.read_text().splitlines() if not line.startswith("#")}
        assert secrets
        assert secrets <= ours


async def test_a_key_log_that_cannot_be_written_is_an_error_at_the_start(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", "/nowhere/keys.log")
    with pytest.raises(OptionsError, match=r"SSLKEYLOGFILE: cannot write /nowhere/keys.log"):
        await field.proxy()


# Tools


async def run(*command: str) -> int:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE):
        await process.communicate()
    assert process.returncode is not None
    return process.returncode


class BareClient:
    """A TLS client by pyOpenSSL, which verifies nothing and can do what Python's ssl will not."""

    def __init__(self, talk: Conversation, version: ssl.TLSVersion) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        number = SSL.TLS1_2_VERSION if version is ssl.TLSVersion.TLSv1_2 else SSL.TLS1_3_VERSION
        context.set_min_proto_version(number)
        context.set_max_proto_version(number)
        self._secrets: dict[bytes, bytes] = {}
        context.set_keylog_callback(self._log)
        self.connection = SSL.Connection(context)
        self.connection.set_tlsext_host_name(b"example.test")
        self.connection.set_connect_state()
        self.talk = talk

    def _log(self, _: SSL.Connection, line: bytes) -> None:
        label, _random, secret = line.split()
        self._secrets[label] = bytes.fromhex(secret.decode())

    def alert(self, code: int) -> bytes:
        """A fatal alert as the first record after a handshake of TLS 1.3. RFC 8446 sections 5.2 and 7.3."""
        assert self.connection.get_cipher_name() == "TLS_AES_256_GCM_SHA384"

        def expand(label: bytes, length: int) -> bytes:
            info = length.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label + b"\0"
            secret = self._secrets[b"CLIENT_TRAFFIC_SECRET_0"]
            return HKDFExpand(hashes.SHA384(), length, info).derive(secret)

        plain = bytes([2, code, 21])
        header = b"\x17\x03\x03" + (len(plain) + 16).to_bytes(2, "big")
        return header + AESGCM(expand(b"key", 32)).encrypt(expand(b"iv", 12), plain, header)

    async def handshake(self) -> None:
        while True:
            try:
                self.connection.do_handshake()
            except SSL.WantReadError:
                await self.flush()
                self.connection.bio_write(await self.talk.plain.read())
            else:
                return await self.flush()

    async def flush(self) -> None:
        try:
            await self.talk.plain.write(self.connection.bio_read(1 << 16))
        except SSL.WantReadError:
            pass

    async def request(self, data: bytes, wanted: bytes) -> None:
        self.connection.send(data)
        await self.flush()
        await self.receive(wanted)

    async def receive(self, wanted: bytes) -> bytes:
        received = b""
        async with asyncio.timeout(PATIENCE):
            while wanted not in received:
                try:
                    received += self.connection.recv(1 << 16)
                except SSL.WantReadError:
                    await self.flush()
                    self.connection.bio_write(await self.talk.plain.read())
        return received
