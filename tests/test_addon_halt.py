"""`AddonHalt`: an addon may be the last that a hook is called for, however it is written."""

from __future__ import annotations

from typing import Any

import pytest

from proxyfw import testing
from proxyfw.exceptions import AddonHalt
from proxyfw.http import HTTPFlow


class Halts:
    def request(self, flow: HTTPFlow) -> None:
        flow.metadata["first"] = True
        raise AddonHalt


class HaltsLater:
    async def request(self, flow: HTTPFlow) -> None:
        flow.metadata["first"] = True
        raise AddonHalt


class Late:
    def request(self, flow: HTTPFlow) -> None:
        flow.metadata["late"] = True

    def response(self, flow: HTTPFlow) -> None:
        flow.metadata["response"] = True


@pytest.mark.parametrize("first", [Halts(), HaltsLater()])
async def test_addons_after_it_are_left_out_of_this_hook_only(first: Any) -> None:
    with testing.addon_test_context(first, Late()) as context:
        flow = await context.cycle(testing.http_flow())
    assert flow.metadata == {"first": True, "response": True}
    assert flow.addon_errors == []
