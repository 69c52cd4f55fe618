"""The access addon: which clients are refused (5.2.55 is what the session does with it)."""

from __future__ import annotations

import pytest

from proxyfw import hookspecs
from proxyfw.exceptions import OptionsError
from proxyfw.testing import addon_test_context, client_connection
from proxyfw_addons import access

INSIDE = ["10.1.2.3", "192.168.0.1", "172.16.5.5", "169.254.1.1", "100.64.0.1", "fd00::1", "fe80::1%eth0"]
OUTSIDE = ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8"]
LOOPBACK = ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", ""]


async def refusal(host: str, **options: bool) -> str | None:
    client = client_connection(peername=(host, 50000))
    with addon_test_context(access, **options) as context:
        await context.addons.call(hookspecs.client_connected, client)
    return client.error


@pytest.mark.parametrize("host", OUTSIDE)
async def test_a_public_address_is_refused_by_default(host: str) -> None:
    error = await refusal(host)
    assert error is not None
    assert "public" in error
    assert "block_global" in error


@pytest.mark.parametrize("host", [*OUTSIDE, *INSIDE, *LOOPBACK])
async def test_nobody_is_refused_when_both_are_off(host: str) -> None:
    assert await refusal(host, block_global=False) is None


@pytest.mark.parametrize("host", INSIDE)
async def test_a_private_address_is_refused_on_request(host: str) -> None:
    assert await refusal(host) is None
    error = await refusal(host, block_private=True)
    assert error is not None
    assert "block_private" in error


@pytest.mark.parametrize("host", LOOPBACK)
async def test_loopback_is_never_refused(host: str) -> None:
    assert await refusal(host, block_global=True, block_private=True) is None


async def test_mapped_addresses_are_named_as_what_they_are() -> None:
    assert (await refusal("::ffff:8.8.8.8") or "").startswith("8.8.8.8 ")


async def test_the_reason_of_an_earlier_addon_stays() -> None:
    client = client_connection(peername=("8.8.8.8", 50000), error="not on Sundays")
    with addon_test_context(access) as context:
        await context.addons.call(hookspecs.client_connected, client)
    assert client.error == "not on Sundays"


async def test_options_take_effect_while_it_runs() -> None:
    client = client_connection(peername=("8.8.8.8", 50000))
    with addon_test_context(access) as context:
        context.configure(block_global=False)
        await context.addons.call(hookspecs.client_connected, client)
        assert client.error is None
        with pytest.raises(OptionsError):
            context.configure(block_global="perhaps")
