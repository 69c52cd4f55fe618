"""What scripts may ask of ``mitmproxy`` that proxyfw does not have, and what to use instead."""

from __future__ import annotations

_HOOKS = "use the hooks: docs/reference/hooks.md"
_EMBED = (
    "use mitmproxy.tools.dump.DumpMaster(options.Options(listen_port=…)) and await its run(), "
    "or proxyfw.Proxy: docs/howto/embed.md"
)
_SCREENS = "there is no such user interface: use tools.dump.DumpMaster or tools.main.mitmdump"
_BYTES = "the proxy's codecs are not written as layers: use " + _HOOKS.removeprefix("use ")

INSTEAD: dict[str, str] = {
    "addons.clientplayback": "use ctx.master.commands.call('replay.client', [flow])",
    "addons.eventstore": "install a handler of the module logging",
    "addons.onboardingapp": "the certificate is in confdir: `proxyfw cert`",
    "addons.proxyauth": "load the addon proxyauth: docs/reference/options.md",
    "addons.savehar": "use mitmproxy.io.FlowWriter",
    "addons.serverplayback": "set flow.response in request(flow)",
    "addons.view": "keep the flows that you need, in flow_end(flow)",
    "cmdline": "use mitmproxy.tools.main.mitmdump([…]), or the command line: docs/reference/cli.md",
    "console": _SCREENS,
    "contrib": "libraries bundled with mitmproxy are not here: install the library itself",
    "controller": "handlers are plain functions: delete the decorator, and " + _HOOKS,
    "dump": "import it from mitmproxy.tools.dump",
    "exceptions.HttpException": "a failed exchange calls the hook error(flow)",
    "exceptions.HttpSyntaxException": "a failed exchange calls the hook error(flow)",
    "exceptions.ServerException": "wrong options raise mitmproxy.exceptions.OptionsError",
    "exceptions.TcpDisconnect": "a client that leaves calls the hook client_disconnected(client)",
    "exceptions.TlsException": "a failed handshake calls the hook tls_failed_client(data)",
    "exceptions.TlsProtocolException": "a failed handshake calls the hook tls_failed_client(data)",
    "main": "import it from mitmproxy.tools.main",
    "models": "import HTTPFlow from mitmproxy.http, TCPFlow from mitmproxy.tcp",
    "net.http.request": "import Request from mitmproxy.http",
    "net.http.response": "import Response from mitmproxy.http",
    "net.socks": "use the mode socks5",
    "net.tcp": "use asyncio.open_connection",
    "net.udp": "use asyncio",
    "net.websockets": "use the hook websocket_message(flow)",
    "net.wsgi": "use mitmproxy.addons.asgiapp.WSGIApp",
    "platform": "the mode transparent finds out the destination: read flow.server_conn.address",
    "protocol": _HOOKS,
    "proxy.commands": _BYTES,
    "proxy.config": _EMBED,
    "proxy.events": _BYTES,
    "proxy.layer.CommandGenerator": _BYTES,
    "proxy.mode_servers": "use the option mode, and proxyfw.Proxy.addresses",
    "proxy.modes": "use the option mode: mode=['reverse:https://example.com']",
    "proxy.protocol": "use the hook next_layer(nextlayer) and the names in mitmproxy.proxy.layers",
    "proxy.ProxyConfig": _EMBED,
    "proxy.ProxyServer": _EMBED,
    "proxy.root_context": _EMBED,
    "proxy.server": _EMBED,
    "proxy.tunnel": _BYTES,
    "script.Script": "use mitmproxy.addons.script, or the option scripts",
    "tools.console": _SCREENS,
    "tools.cmdline": "use mitmproxy.tools.main.mitmdump([…]), or the command line: docs/reference/cli.md",
    "tools.main.mitmproxy": _SCREENS,
    "tools.main.mitmweb": _SCREENS,
    "tools.web": _SCREENS,
    "utils.data": "use importlib.resources",
    "utils.debug": "use faulthandler or py-spy",
    "utils.spec": "the options map_local, modify_headers and the like are read by their addons",
}  # fmt: skip
"""Path below ``mitmproxy``, of a module or of a name in one -> what to use instead."""
