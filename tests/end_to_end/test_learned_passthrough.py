"""5.3.67, features 48, 50, 51: hosts that pass through, by lists and rules, and as clients refuse us."""

from __future__ import annotations

import ssl

import pytest
from ends import Field, Recorder

from proxyfw import flow
from proxyfw.connection import Client, ServerConnectionHookData
from proxyfw.proxy import Proxy
from proxyfw.tcp import TCPFlow
from proxyfw_addons.ssl_passthrough import SslPassthrough


async def refuse(field: Field, proxy: Proxy, recorder: Recorder, port: int, count: int) -> None:
    """Be a client that does not trust the proxy, for the time number *count*."""
    talk = await field.tunnel(proxy, port)
    with pytest.raises(ssl.SSLCertVerificationError):
        await talk.start_tls(ssl.create_default_context(), "example.test")
    talk.close()
    await recorder.saw("tls_failed_client", count)


async def tunnel_of(recorder: Recorder) -> TCPFlow:
    """The flow that says how many bytes went through."""
    count = 1
    while not isinstance(ended := await recorder.saw("flow_end", count), TCPFlow):
        count += 1
    return ended


async def test_a_client_that_refuses_us_twice_passes_through_for_a_while(
    field: Field, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorder, learner = Recorder(), SslPassthrough()
    options = {"ssl_passthrough_after": 2, "ssl_passthrough_expiry": 60.0}
    proxy = await field.proxy(learner, recorder, **options)
    leaf = field.authority.issue(["example.test"])
    origin = await field.origin(context=field.server_context(leaf))
    for count in (1, 2):
        await refuse(field, proxy, recorder, origin.port, count)
    assert "127.0.0.1 has refused our certificate for example.test: it passes through" in caplog.text
    assert len(recorder.of("tls_failed_client")) == 2
    failure = recorder.of("tls_failed_client")[0]
    assert failure.client.sni == "example.test"
    assert "unknown_ca" in failure.conn.error

    passed = await field.secure(proxy, origin.port, "example.test", field.distrust())
    assert passed.ssl_object.getpeercert(binary_form=True) == leaf.cert.to_der()
    assert b"200 OK" in await passed.get()
    assert "request" not in recorder.names
    passed.close()
    tunnel = await tunnel_of(recorder)
    assert (tunnel.messages, tunnel.error) == ([], None)
    assert tunnel.bytes_from_client > 200
    assert tunnel.bytes_from_server > 500

    later = flow.clock() + 61
    monkeypatch.setattr(flow, "clock", lambda: later)
    intercepted = await field.secure(proxy, origin.port)
    assert b"200 OK" in await intercepted.get()
    assert "request" in recorder.names
    assert not learner.passed


async def test_one_refusal_is_forgiven_when_the_client_trusts_us(field: Field) -> None:
    recorder, learner = Recorder(), SslPassthrough()
    proxy = await field.proxy(learner, recorder, ssl_passthrough_after=2)
    origin = await field.origin()
    await refuse(field, proxy, recorder, origin.port, 1)
    assert learner.refusals == {("127.0.0.1", "example.test"): 1}
    trusting = await field.secure(proxy, origin.port)
    assert b"200 OK" in await trusting.get()
    assert not learner.refusals


class Raw:
    """Would see every message of a raw stream."""

    def __init__(self) -> None:
        self.seen: list[TCPFlow] = []

    def tcp_start(self, flow: TCPFlow) -> None:
        self.seen.append(flow)

    def tcp_message(self, flow: TCPFlow) -> None:
        self.seen.append(flow)


@pytest.mark.parametrize("by", ["option", "rule"])
async def test_a_host_that_passes_is_counted_and_not_recorded(field: Field, by: str) -> None:
    """Features 48: the origin's own certificate, a record with bytes and duration, and no bodies."""
    recorder = Recorder()
    rule = {"match": {"host": "*.example.test"}, "action": "ssl_passthrough"}
    options = {"ssl_passthrough": ["*.example.test"]} if by == "option" else {}
    raw = Raw()
    proxy = await field.proxy(SslPassthrough(), recorder, raw, **options)
    if by == "rule":
        proxy.addons.rules.add(rule)
    leaf = field.authority.issue(["www.example.test"])
    origin = await field.origin(context=field.server_context(leaf))
    passed = await field.secure(proxy, origin.port, "www.example.test", field.distrust())
    assert passed.ssl_object.getpeercert(binary_form=True) == leaf.cert.to_der()
    assert b"200 OK" in await passed.get()
    passed.close()
    tunnel = await tunnel_of(recorder)
    assert tunnel.messages == []
    assert tunnel.bytes_from_client > 200
    assert tunnel.bytes_from_server > 500
    assert tunnel.timestamp_end
    assert tunnel.timestamp_end >= tunnel.timestamp_start
    assert tunnel.server_conn.address == ("www.example.test", origin.port)
    assert not {"request", "tls_start_client"} & set(recorder.names)
    assert raw.seen == []


async def test_names_that_are_mapped_are_mapped_in_tunnels_too(field: Field) -> None:
    """Features 2.5: a passthrough host goes where `server_connect` sends it."""

    class Mapping:
        def server_connect(self, data: ServerConnectionHookData) -> None:
            if data.server.address and data.server.address[0] == "mapped.test":
                data.addresses = [("127.0.0.1", origin.port)]

    origin = await field.origin(context=field.server_context(None, "mapped.test"))
    proxy = await field.proxy(SslPassthrough(), Mapping(), ssl_passthrough=["mapped.test"])
    passed = await field.secure(proxy, 9, "mapped.test", field.distrust())
    assert b"200 OK" in await passed.get()


async def test_tunnels_are_counted_on_a_slow_line_too(field: Field) -> None:
    class Line:
        async def take(self, to_client: bool, size: int) -> int:
            return size

        async def end(self, to_client: bool) -> None: ...

    class Slow:
        def client_connected(self, client: Client) -> None:
            client.line = Line()

    recorder, raw = Recorder(), Raw()
    proxy = await field.proxy(SslPassthrough(), Slow(), recorder, raw, ssl_passthrough=["/test$/"])
    origin = await field.origin(context=field.server_context(None, "www.example.test"))
    passed = await field.secure(proxy, origin.port, "www.example.test", field.distrust())
    assert b"200 OK" in await passed.get()
    passed.close()
    tunnel = await tunnel_of(recorder)
    assert tunnel.messages == []
    assert tunnel.bytes_from_server > 500
    assert raw.seen == []


async def test_what_passes_in_reverse_mode_is_counted(field: Field) -> None:
    recorder, raw = Recorder(), Raw()
    leaf = field.authority.issue(["www.example.test"])
    origin = await field.origin(context=field.server_context(leaf))
    options = {"mode": [f"reverse:tls://www.example.test:{origin.port}@0"]}
    proxy = await field.proxy(
        SslPassthrough(), recorder, raw, ssl_passthrough=["www.example.test"], **options
    )
    talk = await field.dial(proxy)
    await talk.start_tls(field.distrust(), "www.example.test")
    assert talk.ssl_object.getpeercert(binary_form=True) == leaf.cert.to_der()
    assert b"200 OK" in await talk.get()
    talk.close()
    tunnel = await tunnel_of(recorder)
    assert tunnel.messages == []
    assert tunnel.bytes_from_server > 500
    assert raw.seen == []
