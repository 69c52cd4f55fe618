"""Hosts that are not intercepted: their bytes go through as they are, and nobody looks inside."""

from __future__ import annotations

import asyncio
import hashlib
import random
import ssl
from typing import Any

import pytest
from ends import Conversation, Field, Origin, Plain, Recorder, Tls

from proxyfw.tls import ClientHelloData

pytestmark = pytest.mark.end_to_end

MEBIBYTE = 1 << 20
HTTP_HOOKS = {"requestheaders", "request", "responseheaders", "response", "error"}


class Ignore:
    """Passes one server name through."""

    def tls_clienthello(self, data: ClientHelloData) -> None:
        data.ignore_connection = data.client_hello.sni == "pinned.test"


def hello_of(context: ssl.SSLContext, host: str, inner: Plain) -> tuple[Tls, bytes]:
    """A client that has begun a handshake, and its first bytes."""
    layer = Tls(inner, context, host)
    with pytest.raises(ssl.SSLWantReadError):
        layer.ssl.do_handshake()
    return layer, layer.outgoing.read()


async def test_the_original_certificate_is_visible(field: Field) -> None:
    """5.3.66: by `ignore_connection`; other names are intercepted."""
    recorder = Recorder()
    proxy = await field.proxy(Ignore(), recorder)
    leaf = field.authority.issue(["pinned.test"])
    origin = await field.origin(context=field.server_context(leaf))
    talk = await field.secure(proxy, origin.port, "pinned.test", field.distrust())
    assert talk.ssl_object.getpeercert(binary_form=True) == leaf.cert.to_der()
    assert b"200 OK" in await talk.get()
    assert not HTTP_HOOKS & set(recorder.names)
    assert "tls_start_client" not in recorder.names
    assert "tls_start_server" not in recorder.names
    other = await field.secure(proxy, 443, "other.test")
    assert "tls_start_client" in recorder.names
    other.close()


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_byte_goes_through(field: Field, seed: int) -> None:
    """5.3.66: a real hello, then a mebibyte of anything, both ways at once; hashes are equal."""
    there, back = (random.Random(seed + n).randbytes(MEBIBYTE) for n in (0, 7))
    digests: list[str] = []

    async def serve(talk: Conversation) -> None:
        sending = asyncio.create_task(talk.send(back))
        digests.append(hashlib.sha256(await talk.rest()).hexdigest())
        await sending
        await talk.layer.write_eof()

    proxy = await field.proxy(Ignore())
    origin = await field.plain_origin(serve)
    talk = await field.tunnel(proxy, origin.port)
    _, hello = hello_of(field.distrust(), "pinned.test", talk.plain)

    async def upload() -> None:
        await talk.send(hello)
        await talk.send(there)
        await talk.layer.write_eof()

    received, _ = await asyncio.gather(talk.rest(), upload())
    assert hashlib.sha256(received).digest() == hashlib.sha256(back).digest()
    assert digests == [hashlib.sha256(hello + there).hexdigest()]


@pytest.mark.parametrize(
    ("options", "passed", "host", "sni"),
    [
        ({"ignore_hosts": [r"^pinned\.test:"]}, True, "pinned.test", "pinned.test"),
        ({"ignore_hosts": [r"^pinned\.test:"]}, False, "notpinned.test", "notpinned.test"),
        ({"ignore_hosts": [r"^pinned\.test:"]}, True, "127.0.0.1", "pinned.test"),
        ({"ignore_hosts": [r"^127\.0\.0\.1:"]}, True, "127.0.0.1", "pinned.test"),
        ({"ignore_hosts": [r"PINNED"]}, True, "pinned.test", "pinned.test"),
        ({"allow_hosts": [r"^open\.test:"]}, True, "pinned.test", "pinned.test"),
        ({"allow_hosts": [r"^open\.test:"]}, False, "open.test", "open.test"),
        ({"allow_hosts": [r"^open\.test:"]}, False, "127.0.0.1", "open.test"),
    ],
)
async def test_hosts_by_option(
    field: Field, options: dict[str, Any], passed: bool, host: str, sni: str
) -> None:
    """5.3.66: by the name that CONNECT gives and by the one in the hello."""
    recorder = Recorder()
    proxy = await field.proxy(recorder, **options)
    names = ["pinned.test", "notpinned.test", "open.test"]
    origin = await field.origin(context=field.server_context(None, *names))
    talk = await field.tunnel(proxy, origin.port, host)
    await talk.start_tls(field.distrust() if passed else field.trust(proxy), sni)
    assert b"200 OK" in await talk.get(host=sni)
    assert ("request" in recorder.names) is not passed
    assert recorder.of("tls_clienthello")[0].ignore_connection is passed


async def test_plain_http_in_a_tunnel_to_an_ignored_host(field: Field) -> None:
    recorder = Recorder()
    proxy = await field.proxy(recorder, ignore_hosts=["pinned"])
    origin = await field.plain_origin()
    talk = await field.tunnel(proxy, origin.port, "pinned.test")
    assert b"200 OK" in await talk.get()
    assert not HTTP_HOOKS & set(recorder.names)


async def test_an_addon_has_the_last_word_over_the_options(field: Field) -> None:
    class Open:
        def tls_clienthello(self, data: ClientHelloData) -> None:
            data.ignore_connection = False

    recorder = Recorder()
    proxy = await field.proxy(Open(), recorder, ignore_hosts=["example"])
    origin = await field.origin()
    talk = await field.secure(proxy, origin.port)
    assert b"200 OK" in await talk.get()
    assert "request" in recorder.names


async def test_options_may_change_while_it_runs(field: Field) -> None:
    proxy = await field.proxy()
    origin = await field.origin()
    await field.secure(proxy, origin.port)
    proxy.options.update(ignore_hosts=["example"])
    await field.secure(proxy, origin.port, context=field.distrust())


async def test_what_the_hello_says_is_told_to_addons(field: Field) -> None:
    recorder = Recorder()
    proxy = await field.proxy(Ignore(), recorder)
    origin = await field.origin(context=field.server_context(None, "pinned.test"))
    context = field.distrust()
    context.set_alpn_protocols(["h2", "http/1.1"])
    await field.secure(proxy, origin.port, "pinned.test", context)
    data = recorder.of("tls_clienthello")[0]
    assert data.client_hello.sni == data.client.sni == "pinned.test"
    assert data.client_hello.alpn_protocols == [b"h2", b"http/1.1"]
    assert 0x0304 in data.client_hello.versions
    assert data.context.server.address == ("pinned.test", origin.port)
    assert data.client_hello.raw.startswith(b"\x16\x03")


@pytest.mark.parametrize("side", ["client", "origin"])
async def test_a_reset_goes_through(field: Field, side: str) -> None:
    """Neither side can mistake it for a proper end."""
    seen = asyncio.Event()
    failed = asyncio.Event()

    async def serve(talk: Conversation) -> None:
        await talk.plain.read()
        seen.set()
        if side == "origin":
            talk.plain.abort()
            return
        try:
            await talk.plain.read()
        except ConnectionResetError:
            failed.set()

    proxy = await field.proxy(Ignore())
    origin = await field.plain_origin(serve)
    talk = await field.tunnel(proxy, origin.port)
    await talk.send(hello_of(field.distrust(), "pinned.test", talk.plain)[1])
    await asyncio.wait_for(seen.wait(), 10)
    if side == "client":
        talk.plain.abort()
        await asyncio.wait_for(failed.wait(), 10)
    else:
        with pytest.raises(ConnectionResetError):
            await talk.rest()


async def test_an_origin_that_is_not_there(field: Field) -> None:
    """The client is closed, as there is nobody who could answer inside its TLS."""
    recorder = Recorder()
    proxy = await field.proxy(Ignore(), recorder)
    talk = await field.tunnel(proxy, await field.unused_port())
    await talk.send(hello_of(field.distrust(), "pinned.test", talk.plain)[1])
    with pytest.raises(ConnectionResetError):
        await talk.rest()
    data = await recorder.saw("server_connect_error")
    assert "Connection refused" in data.server.error


async def test_connections_are_told_to_addons(field: Field) -> None:
    recorder = Recorder()
    proxy = await field.proxy(Ignore(), recorder)
    origin = await field.origin(context=field.server_context(None, "pinned.test"))
    talk = await field.secure(proxy, origin.port, "pinned.test", field.distrust())
    await talk.tls.write_eof()
    talk.close()
    data = await recorder.saw("server_disconnected")
    await recorder.saw("client_disconnected")
    assert data.server.address == ("pinned.test", origin.port)
    assert data.server.timestamp_end


async def test_a_slow_reader_slows_the_sender(field: Field) -> None:
    """Nothing is read from a side that cannot be written on the other."""
    from proxyfw.net.wire import HIGH_WATER

    sent = 0
    stopped = asyncio.Event()

    async def flood(talk: Conversation) -> None:
        nonlocal sent
        await talk.plain.read()
        while True:
            try:
                async with asyncio.timeout(0.5):
                    await talk.plain.write(bytes(1 << 16))
            except TimeoutError:
                stopped.set()
                return
            sent += 1 << 16

    proxy = await field.proxy(Ignore())
    origin: Origin = await field.plain_origin(flood)
    talk = await field.tunnel(proxy, origin.port)
    talk.plain.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await talk.send(hello_of(field.distrust(), "pinned.test", talk.plain)[1])
    await asyncio.wait_for(stopped.wait(), 20)
    assert sent < 16 * MEBIBYTE + HIGH_WATER
