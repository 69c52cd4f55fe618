"""5.3.67: after some refusals of our certificate a client passes through, until that is forgotten."""

from __future__ import annotations

import ssl

import pytest
from ends import Field, Recorder

from proxyfw import flow
from proxyfw.proxy import Proxy
from proxyfw_addons.ssl_passthrough import SslPassthrough


async def refuse(field: Field, proxy: Proxy, recorder: Recorder, port: int, count: int) -> None:
    """Be a client that does not trust the proxy, for the time number *count*."""
    talk = await field.tunnel(proxy, port)
    with pytest.raises(ssl.SSLCertVerificationError):
        await talk.start_tls(ssl.create_default_context(), "example.test")
    talk.close()
    await recorder.saw("tls_failed_client", count)


async def test_a_client_that_refuses_us_twice_passes_through_for_a_while(
    field: Field, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorder, learner = Recorder(), SslPassthrough()
    proxy = await field.proxy(learner, recorder, ssl_passthrough_expiry=60.0)
    leaf = field.authority.issue(["example.test"])
    origin = await field.origin(context=field.server_context(leaf))
    for count in (1, 2):
        await refuse(field, proxy, recorder, origin.port, count)
    assert "it passes through from now on" in caplog.text

    passed = await field.secure(proxy, origin.port, "example.test", field.distrust())
    assert passed.ssl_object.getpeercert(binary_form=True) == leaf.cert.to_der()
    assert b"200 OK" in await passed.get()
    assert "request" not in recorder.names
    passed.close()

    later = flow.clock() + 61
    monkeypatch.setattr(flow, "clock", lambda: later)
    intercepted = await field.secure(proxy, origin.port)
    assert b"200 OK" in await intercepted.get()
    assert "request" in recorder.names
    assert not learner.passed


async def test_one_refusal_is_forgiven_when_the_client_trusts_us(field: Field) -> None:
    recorder, learner = Recorder(), SslPassthrough()
    proxy = await field.proxy(learner, recorder)
    origin = await field.origin()
    await refuse(field, proxy, recorder, origin.port, 1)
    assert learner.refusals == {("127.0.0.1", "example.test"): 1}
    trusting = await field.secure(proxy, origin.port)
    assert b"200 OK" in await trusting.get()
    assert not learner.refusals
