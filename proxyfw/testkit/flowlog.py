"""The flows that a proxy in a test has seen, as a list that can be waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias, overload

from proxyfw import flowfilter
from proxyfw.dns import DNSFlow
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.tcp import TCPFlow
from proxyfw.tls import TlsData
from proxyfw.udp import UDPFlow

from .changes import Changes
from .patience import PATIENCE

Wanted: TypeAlias = str | Callable[[Flow], bool]
"""Which flows: a filter (``"~m POST & ~c 201"``) or a function."""


class FlowLog(Sequence[Flow]):
    """All flows, oldest first, from the moment their head has been read.

    CONNECT is in it only if it failed. An answer is in its flow before the client has it. Printed, it is a
    line for each flow.
    """

    def __init__(self) -> None:
        self._flows: list[Flow] = []
        self._changes = Changes()
        self.notes: list[str] = []
        """What else went wrong, such as clients that do not trust the authority."""

    @overload
    def __getitem__(self, index: int) -> Flow: ...
    @overload
    def __getitem__(self, index: slice) -> list[Flow]: ...
    def __getitem__(self, index: int | slice) -> Flow | list[Flow]:
        return self._flows[index]

    def __len__(self) -> int:
        return len(self._flows)

    def __iter__(self) -> Iterator[Flow]:
        return iter(list(self._flows))

    def __repr__(self) -> str:
        return f"<FlowLog: {self.summary()}>"

    def matching(self, wanted: Wanted) -> list[Flow]:
        """The flows that *wanted*, a filter or a function, means. Raises FilterError."""
        means = flowfilter.parse(wanted) if isinstance(wanted, str) else wanted
        return [flow for flow in self if means(flow)]

    def wait_for(self, wanted: Wanted = "~all", timeout: float = PATIENCE, count: int = 1) -> Flow:
        """The *count*-th flow that *wanted* means, those already seen included; blocks until it is there.

        Looks again whenever a flow has got further. Raises TimeoutError after *timeout* seconds, with a
        line for each flow that was seen, and FilterError.
        """
        found = self._changes.wait(lambda: self._nth(wanted, count), timeout)
        return found or self._missing(wanted, timeout, count)

    async def wait_for_async(
        self, wanted: Wanted = "~all", timeout: float = PATIENCE, count: int = 1
    ) -> Flow:
        """As `wait_for`, for async tests."""
        found = await self._changes.wait_async(lambda: self._nth(wanted, count), timeout)
        return found or self._missing(wanted, timeout, count)

    def clear(self) -> None:
        """Forget what was seen."""
        self._flows, self.notes = [], []

    def summary(self) -> str:
        """A line for each flow: what was asked, and what came of it."""
        lines = [f"  {line(flow)}" for flow in self] + [f"  {note}" for note in self.notes]
        return "\n".join([f"{len(self)} flow{'' if len(self) == 1 else 's'} seen", *lines])

    def _nth(self, wanted: Wanted, count: int) -> Flow | None:
        found = self.matching(wanted)
        return found[count - 1] if len(found) >= count else None

    def _missing(self, wanted: Wanted, timeout: float, count: int) -> Flow:
        which = wanted if isinstance(wanted, str) else getattr(wanted, "__name__", repr(wanted))
        times = "no flow" if count == 1 else f"fewer than {count} flows"
        raise TimeoutError(f"{times} in {timeout:g} s for which {which} holds; {self.summary()}")

    # Hooks

    def _begun(self, flow: Flow) -> None:
        self._flows.append(flow)
        self._changes.tell()

    def _further(self, flow: Flow) -> None:
        self._changes.tell()

    def requestheaders(self, flow: HTTPFlow) -> None:
        self._begun(flow)

    def http_connect_error(self, flow: HTTPFlow) -> None:
        self._begun(flow)

    def tcp_start(self, flow: TCPFlow) -> None:
        self._begun(flow)

    def udp_start(self, flow: UDPFlow) -> None:
        self._begun(flow)

    def dns_request(self, flow: DNSFlow) -> None:
        self._begun(flow)

    def request(self, flow: HTTPFlow) -> None:
        self._further(flow)

    def response(self, flow: HTTPFlow) -> None:
        self._further(flow)

    def error(self, flow: HTTPFlow) -> None:
        self._further(flow)

    def websocket_message(self, flow: HTTPFlow) -> None:
        self._further(flow)

    def tcp_message(self, flow: TCPFlow) -> None:
        self._further(flow)

    def udp_message(self, flow: UDPFlow) -> None:
        self._further(flow)

    def flow_end(self, flow: Flow) -> None:
        self._further(flow)

    def tls_failed_client(self, data: TlsData) -> None:
        self.notes.append(f"TLS with a client for {data.conn.sni or 'a host'} failed: {data.conn.error}")
        self._changes.tell()


def line(flow: Flow) -> str:
    """*flow* in one line: ``GET https://example.com/ -> 200 OK``."""
    if not isinstance(flow, HTTPFlow):
        return f"{flow.type} {flow.server_conn.address}" + (f" -> {flow.error}" if flow.error else "")
    if flow.error:
        outcome = str(flow.error)
    elif flow.response:
        outcome = f"{flow.response.status_code} {flow.response.reason}".rstrip()
    else:
        outcome = "not answered yet"
    return f"{flow.request.method} {flow.request.pretty_url} -> {outcome}"
