"""Datagrams between the clients of one port and one server: each client's are a flow, until they cease.

Where no addon has a UDP hook, datagrams go through unseen, and only a flow's start and end are told.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from proxyfw import flow as model
from proxyfw import hookspecs
from proxyfw.connection import Client, ConnectionState, Server, ServerConnectionHookData, shown_address
from proxyfw.exceptions import ConnectError, ConnectionProblem, ProxyfwError
from proxyfw.flow import Error, Line
from proxyfw.net.datagram import DatagramListener, DatagramReceiver, Datagrams
from proxyfw.net.wire import Address
from proxyfw.udp import UDPFlow, UDPMessage

from . import pace
from .hold import Holder, hold
from .house import House
from .pool import addresses_of, disconnected

log = logging.getLogger("proxyfw")

_MOST = 4096
"""Clients at a time; datagrams of more are dropped, as anybody can invent senders."""
_INBOX_LIMIT = 256 * 1024
"""Bytes of one flow that wait for a hook above which datagrams are dropped, as on any full line."""
_COST = 128
"""What a datagram takes besides its content, about, in bytes."""
_HOOKS = (hookspecs.udp_start, hookspecs.udp_message, hookspecs.udp_end, hookspecs.udp_error)


class Associations:
    """The flows of one port, whose datagrams go to *target*. A `proxyfw.net.network.Listener`."""

    def __init__(self, house: House, target: Address, mode: str) -> None:
        self.target = target
        self.mode = mode
        self._house = house
        self._listener: DatagramListener
        self._open: dict[tuple[Address, Address], Association] = {}

    async def listen(self, host: str, port: int) -> Associations:
        """Raises OSError."""
        self._listener = await self._house.network.listen_datagrams(host, port, self.port)
        return self

    @property
    def addresses(self) -> list[Address]:
        return self._listener.addresses

    def close(self) -> None:
        """Receive no more; flows under way end in order."""
        self._listener.close()
        self.end()

    def end(self) -> None:
        """Let all flows end in order."""
        for one in list(self._open.values()):
            one.end()

    def port(self, socket: Datagrams) -> DatagramReceiver:
        """The receiver of *socket*, on which clients send."""
        return _Port(self, socket)

    def received(self, data: bytes, source: Address, socket: Datagrams) -> None:
        key = (source, socket.sockname)
        one = self._open.get(key)
        if one is None:
            if len(self._open) >= _MOST:
                log.debug("%s: dropped: %d clients at a time are the most", shown_address(source), _MOST)
                return
            one = self._open[key] = Association(self._house, self, source, socket)
            task = self._house.spawn(one.run())
            task.add_done_callback(lambda _: self._open.pop(key))
        one.put(UDPMessage(True, data))


class _Port:
    """One socket that clients send to."""

    def __init__(self, associations: Associations, socket: Datagrams) -> None:
        self._associations = associations
        self._socket = socket

    def datagram_received(self, data: bytes, source: Address) -> None:
        self._associations.received(data, source, self._socket)

    def failed(self, reason: Exception) -> None:
        """Some client has gone; which one, a socket that listens is not told."""


class Association(Holder[UDPFlow]):
    """One client's datagrams and the server's answers; a `DatagramReceiver` for the server's.

    Also a `proxyfw.model.chunks.Injector` and a `proxyfw.net.watch.Watched`. Message hooks run one at a time,
    so that ``flow.messages[-1]`` is what the hook is about in every addon.
    """

    __slots__ = (
        "_busy", "_calls", "_clients_socket", "_house", "_inbox", "_on_line", "_seen", "_servers_socket",
        "_shown", "_size", "_under_way", "_waiter", "deadline",
    )  # fmt: skip

    def __init__(self, house: House, port: Associations, source: Address, socket: Datagrams) -> None:
        client = Client(
            peername=source, sockname=socket.sockname, timestamp_start=model.clock(),
            proxy_mode=port.mode, transport_protocol="udp",
        )  # fmt: skip
        super().__init__(UDPFlow(client, Server(address=port.target, transport_protocol="udp"), live=True))
        host, number = port.target
        ignored = house.passes_through([f"{host}:{number}"])
        self._shown = not ignored or house.settings.show_ignored_hosts
        self._house = house
        self._calls = house.addons.calls
        self._seen = self._shown and any(self._calls.wants(hook) for hook in _HOOKS)
        self._clients_socket = socket
        self._servers_socket: Datagrams | None = None
        self._inbox: deque[UDPMessage] = deque()
        self._size = 0
        self._on_line: set[asyncio.Task[None]] = set()
        self._under_way = 0
        """Bytes of those, about."""
        self._busy = False
        self._waiter: asyncio.Future[None] | None = None
        self.touch()

    async def run(self) -> None:
        client, calls = self.flow.client_conn, self._calls
        try:
            await calls.call(hookspecs.client_connected, client)
            if client.error:
                log.info("%s: refused: %s", client, client.error)
            else:
                await self._live()
        finally:
            client.state = ConnectionState.CLOSED
            client.timestamp_end = model.clock()
            await calls.call(hookspecs.client_disconnected, client)

    async def _live(self) -> None:
        flow, house = self.flow, self._house
        flow.control = self
        house.watch.add(self)
        house.live.add(flow)
        try:
            self._servers_socket = await reach(house, flow.server_conn, flow.client_conn, self)
            await self._carry()
        except ConnectionProblem as e:
            log.info("%s: %s", flow.client_conn, e)
            self._fail(str(e))
        except asyncio.CancelledError:
            self._fail("the proxy is stopping")
            raise
        except Exception as e:
            log.exception("internal error in a UDP flow to %s", flow.server_conn)
            self._fail(f"internal error: {type(e).__name__}: {e}")
        finally:
            house.watch.discard(self)
            for task in self._on_line:
                task.cancel()
            if self._servers_socket:
                self._servers_socket.close()
                disconnected(house, flow.server_conn, flow.client_conn)
            self.let_go()
            flow.live, flow.control = False, None
            house.live.discard(flow)
            flow.timestamp_end = model.clock()
            await self._tell_end()

    async def _carry(self) -> None:
        flow = self.flow
        if self._seen:
            await self._calls.call(hookspecs.udp_start, flow)
            if flow.intercepted:
                await hold(flow, self._calls, hookspecs.udp_start)
        while message := await self._next():
            was_empty = not message.content  # which datagrams may be
            if self._seen:
                self._busy = True
                await self._show(message)
                self._busy = False
            if flow.error:
                return
            if message.content or was_empty:
                self._pass(message)

    async def _show(self, message: UDPMessage) -> None:
        flow = self.flow
        flow.keep(message, self._house.settings.keep_messages)
        await self._calls.call(hookspecs.udp_message, flow)
        if flow.intercepted:
            await hold(flow, self._calls, hookspecs.udp_message)
        self.touch()
        content: object = message.content
        if not isinstance(content, bytes):
            message.content = b""
            raise ConnectionProblem(
                f"an addon set the content of a message to {type(content).__name__}, not bytes"
            )

    def _pass(self, message: UDPMessage) -> None:
        line, size = self.flow.line, len(message.content)
        if line is None:
            self._send(message.content, message.from_client)
        elif self._under_way + size + _COST <= _INBOX_LIMIT:  # or it is dropped, as on any full line
            self._under_way += size + _COST
            task = asyncio.create_task(self._go_over(line, message, size))
            self._on_line.add(task)
            task.add_done_callback(self._on_line.discard)

    async def _go_over(self, line: Line, message: UDPMessage, size: int) -> None:
        """Datagrams do not wait for each other, but for their turn; who waits longer comes later."""
        await pace.wait(line, not message.from_client, size, lambda: self._over)
        self._under_way -= size + _COST
        self.touch()
        if not self._over:
            self._send(message.content, message.from_client)

    def _send(self, data: bytes, to_server: bool) -> None:
        if to_server:
            assert self._servers_socket
            self._servers_socket.send(data)
        else:
            self._clients_socket.send(data, self.flow.client_conn.peername)

    async def _tell_end(self) -> None:
        flow = self.flow
        try:
            if self._seen:
                await self._calls.call(hookspecs.udp_error if flow.error else hookspecs.udp_end, flow)
        finally:
            if self._shown:
                await self._calls.call(hookspecs.flow_end, flow)

    async def _next(self) -> UDPMessage | None:
        """The next datagram; None if the flow is over."""
        while not self._inbox and not self._over:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if not self._inbox or self.flow.error:
            return None
        message = self._inbox.popleft()
        self._size -= len(message.content)
        return message

    # What others call: the port, the server's socket, a `Control`, an `Injector`, a `Watched`

    def put(self, message: UDPMessage) -> None:
        size = len(message.content)
        if self._over or self._size + size > _INBOX_LIMIT:
            return
        if not message.injected:
            self.touch()
            if message.from_client:
                self.flow.bytes_from_client += size
            else:
                self.flow.bytes_from_server += size
        self._inbox.append(message)
        self._size += size
        self._wake()

    def datagram_received(self, data: bytes, source: Address) -> None:
        self.put(UDPMessage(False, data))

    def failed(self, reason: Exception) -> None:
        self._fail(f"the server cannot be reached: {getattr(reason, 'strerror', None) or reason}")

    def inject(self, to_client: bool, data: bytes) -> None:
        if self._over:
            raise ProxyfwError("nothing can be injected: the flow is over")
        self.put(UDPMessage(not to_client, data, injected=True))

    def break_off(self, reset: bool) -> None:
        """Send nothing more."""
        self.end()

    def end(self) -> None:
        """Nothing more is expected; what is here is still carried."""
        self.let_go()
        self._wake()

    def expired(self) -> None:
        if self._busy:  # an addon takes its time
            self.touch()
        else:
            self.end()

    def touch(self) -> None:
        self.deadline = self._house.watch.loop.time() + self._house.settings.udp_idle_timeout

    def _fail(self, reason: str) -> None:
        self.flow.error = self.flow.error or Error(reason)
        self.end()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)


async def reach(house: House, server: Server, client: Client, receiver: DatagramReceiver) -> Datagrams:
    """A socket that speaks to *server*, telling the addons. Raises ConnectError."""
    calls = house.addons.calls
    data = ServerConnectionHookData(server, client)
    await calls.call(hookspecs.server_connect, data)
    try:
        addresses = await addresses_of(house, data)
        if any(house.is_own(address) for address in addresses):
            raise ConnectError(f"{server} is this proxy itself: datagrams would go round in a loop")
        socket = await house.network.connect_datagrams(addresses, receiver)
    except ConnectionProblem as e:
        server.error = server.error or str(e)
        await calls.call(hookspecs.server_connect_error, data)
        raise
    server.peername, server.sockname = socket.peername, socket.sockname
    server.state = ConnectionState.OPEN
    await calls.call(hookspecs.server_connected, data)
    return socket
