"""Module by module: the names that mitmproxy documents for addons, and that public scripts use, are there."""

from __future__ import annotations

from typing import Any

import pytest

from proxyfw import ctx, exceptions, http, testing
from proxyfw.addon.importing import script_builtins
from proxyfw.alias import INSTEAD, SAME, module_named
from proxyfw.alias.leftovers import LEFTOVERS
from proxyfw.alias.options import Options

SURFACE: dict[str, str] = {
    "addonmanager": "AddonManager Loader",
    "addons": "default_addons",
    "addons.anticache": "AntiCache",
    "addons.anticomp": "AntiComp",
    "addons.block": "Block",
    "addons.blocklist": "BlockList",
    "addons.clientplayback": "ClientPlayback",
    "addons.intercept": "Intercept",
    "addons.maplocal": "MapLocal",
    "addons.mapremote": "MapRemote",
    "addons.modifybody": "ModifyBody",
    "addons.modifyheaders": "ModifyHeaders",
    "addons.stickyauth": "StickyAuth",
    "addons.stickycookie": "StickyCookie",
    "addons.upstream_auth": "UpstreamAuth",
    "addons.asgiapp": "ASGIApp WSGIApp make_scope serve",
    "addons.core": "Core",
    "addons.disable_h2c": "DisableH2C",
    "addons.dumper": "Dumper",
    "addons.errorcheck": "ErrorCheck",
    "addons.export": "curl_command formats httpie_command raw raw_request raw_response",
    "addons.keepserving": "KeepServing",
    "addons.next_layer": "NextLayer",
    "addons.proxyserver": "Proxyserver",
    "addons.readfile": "ReadFile",
    "addons.save": "Save",
    "addons.script": "ScriptLoader",
    "addons.termlog": "TermLog",
    "addons.tlsconfig": "TlsConfig",
    "certs": "Cert CertStore",
    "command": "argument command Command CommandManager",
    "connection": "Address Client Connection ConnectionState Server TransportProtocol",
    "connections": "ClientConnection ServerConnection",
    "contentviews": (
        "Contentview InteractiveContentview Metadata View add base format_dict format_text get remove"
    ),
    "contentviews.base": "View",
    "coretypes.multidict": "MultiDict MultiDictView",
    "coretypes.serializable": "Serializable",
    "ctx": "log",
    "dns": "DNSFlow DNSMessage HTTPSRecord Message Question ResourceRecord SVCParamKeys",
    "eventsequence": "iterate",
    "exceptions": (
        "AddonHalt AddonManagerError CommandError ControlException FlowReadException "
        "MitmproxyException OptionsError"
    ),
    "flow": "Error Flow",
    "flowfilter": "TFilter match match_all parse",
    "hooks": "ConfigureHook Hook RunningHook UpdateHook all_hooks",
    "http": "HTTPFlow HTTPRequest HTTPResponse Headers Message Request Response WebSocketData",
    "io": "FilteredFlowWriter FlowReader FlowWriter io read_flows_from_paths",
    "io.io": "FlowReader",
    "log": "ALERT Log LogEntry LogLevels MitmFormatter MitmLogHandler log_tier",
    "master": "Master",
    "net.check": "is_valid_host is_valid_port",
    "net.dns": "classes op_codes response_codes types",
    "net.encoding": (
        "decode decode_brotli decode_deflate decode_gzip decode_zstd encode encode_gzip identity"
    ),
    "net.http": "Headers cookies headers http1 multipart status_codes url",
    "net.http.cookies": (
        "CookieAttrs format_cookie_header group_cookies is_expired parse_cookie_header "
        "parse_set_cookie_header refresh_set_cookie_header"
    ),
    "net.http.headers": "Headers assemble_content_type infer_content_encoding parse_content_type",
    "net.http.http1": "assemble_request assemble_response expected_http_body_size read_request_head",
    "net.http.http1.assemble": (
        "assemble_request assemble_request_head assemble_response_head assemble_body"
    ),
    "net.http.http1.read": "connection_close read_response_head",
    "net.http.multipart": "decode_multipart encode_multipart",
    "net.http.status_codes": "NOT_FOUND NO_CONTENT OK PROXY_AUTH_REQUIRED RESPONSES IM_A_TEAPOT",
    "net.http.url": "decode default_port encode hostport parse parse_authority quote unparse unquote",
    "net.server_spec": "ServerSpec parse",
    "net.tls": "starts_like_tls_record",
    "options": "CONF_BASENAME CONF_DIR KEY_SIZE Options",
    "optmanager": "OptManager",
    "proxy.context": "Context",
    "proxy.layer": "Layer NextLayer",
    "proxy.layers": (
        "ClientTLSLayer DNSLayer HttpLayer ServerTLSLayer TCPLayer UDPLayer WebsocketLayer http tls"
    ),
    "proxy.layers.http": "HTTPMode HttpLayer",
    "proxy.layers.tls": (
        "ClientHelloData ClientTLSLayer HTTP1_ALPNS HTTP_ALPNS ServerTLSLayer TLSLayer TlsData"
    ),
    "proxy.mode_specs": ("DnsMode ProxyMode RegularMode ReverseMode Socks5Mode TransparentMode UpstreamMode"),
    "proxy.server_hooks": "ServerConnectHook ServerConnectedHook ServerConnectionHookData",
    "script": "concurrent",
    "script.concurrent": "concurrent",
    "tcp": "TCPFlow TCPMessage",
    "test.taddons": "context",
    "test.tflow": (
        "tclient_conn tdnsflow terr tflow tflows treq tresp tserver_conn ttcpflow tudpflow twebsocketflow"
    ),
    "test.tutils": "tdnsreq tdnsresp treq tresp",
    "tls": "ClientHello ClientHelloData TlsData",
    "tools.dump": "DumpMaster",
    "tools.main": "mitmdump",
    "types": "Choice Cmd CmdArgs CutSpec Data Marker Path Unknown",
    "udp": "UDPFlow UDPMessage",
    "utils": "asyncio_utils emoji human strutils",
    "utils.asyncio_utils": "create_task",
    "utils.emoji": "emoji",
    "utils.human": "SIZE_UNITS format_address format_timestamp parse_size pretty_duration pretty_size",
    "utils.strutils": (
        "always_bytes always_str bytes_to_escaped_str clean_hanging_newline escaped_str_to_bytes "
        "escape_control_characters hexdump is_mostly_bin is_xml"
    ),
    "version": "FLOW_FORMAT_VERSION MITMPROXY VERSION get_dev_version",
    "websocket": "WebSocketData WebSocketMessage",
}
MEMBERS: dict[str, str] = {
    "connection.Client": (
        "address alpn_proto_negotiated cipher_name clientcert alpn cipher connected error id "
        "mitmcert peername proxy_mode sni sockname state tls timestamp_end timestamp_start "
        "timestamp_tls_setup tls_established tls_version transport_protocol"
    ),
    "connection.Server": (
        "ip_address cert address alpn alpn_offers certificate_list cipher_list timestamp_tcp_setup via"
    ),
    "dns.DNSMessage": (
        "additionals answers authorities fail questions question succeed to_json packed unpack"
    ),
    "flow.Error": "KILLED_MESSAGE msg timestamp",
    "http.HTTPFlow": (
        "backup client_conn comment copy error from_state get_state id intercept intercepted "
        "is_replay kill killable live marked metadata modified request response resume revert "
        "server_conn set_state timestamp_created timestamp_start type wait_for_resume websocket"
    ),
    "http.Headers": "add fields get get_all insert items keys pop set_all values",
    "http.Request": (
        "anticache anticomp authority constrain_encoding content cookies decode encode "
        "first_line_format get_content get_text headers host host_header http_version is_http10 "
        "is_http11 is_http2 is_http3 json make method multipart_form path path_components port "
        "pretty_host pretty_url query raw_content scheme set_content set_text stream text "
        "timestamp_end timestamp_start trailers url urlencoded_form"
    ),
    "http.Response": (
        "content cookies headers make raw_content reason refresh status_code stream text trailers"
    ),
    "tcp.TCPFlow": "messages",
    "tls.ClientHelloData": "client_hello context establish_server_tls_first ignore_connection",
    "tls.ClientHello": "alpn_protocols cipher_suites extensions raw_bytes sni",
    "tls.TlsData": "conn context is_dtls ssl_conn",
    "tools.dump.DumpMaster": "addons commands event_loop log options run shutdown",
    "websocket.WebSocketData": "close_code close_reason closed_by_client messages timestamp_end",
    "websocket.WebSocketMessage": (
        "content drop dropped from_client injected is_text kill text timestamp type"
    ),
}


@pytest.mark.parametrize("name", SURFACE)
def test_the_names_of_a_module_are_there(name: str) -> None:
    module = module_named(f"mitmproxy.{name}")
    assert [wanted for wanted in SURFACE[name].split() if not hasattr(module, wanted)] == []


@pytest.mark.parametrize("name", MEMBERS)
def test_the_members_of_a_class_are_there(name: str) -> None:
    module, _, kind = name.rpartition(".")
    thing: Any = getattr(module_named(f"mitmproxy.{module}"), kind)
    thing = thing(Options(confdir="none")) if kind == "DumpMaster" else thing
    known = {*dir(thing), *getattr(thing, "__annotations__", ())}
    assert [wanted for wanted in MEMBERS[name].split() if wanted not in known] == []


def test_every_module_of_ours_is_in_the_table() -> None:
    assert SAME.keys() - SURFACE.keys() <= {
        "addons.dns_resolver", "addons.onboarding", "proxy.layers.modes", "proxy.layers.tcp",
        "proxy.layers.udp", "proxy.layers.websocket", "tools._main",
    }  # fmt: skip


def test_modules_that_are_ours_are_the_same_objects() -> None:
    assert module_named("mitmproxy.http") is http
    assert module_named("mitmproxy.ctx") is ctx
    assert module_named("mitmproxy.exceptions").MitmproxyException is exceptions.ProxyfwError


@pytest.mark.parametrize("path", INSTEAD)
def test_what_is_not_there_says_what_to_use(path: str) -> None:
    package, _, name = f"mitmproxy.{path}".rpartition(".")
    with pytest.raises(ImportError) as caught:
        script_builtins()["__import__"](package, fromlist=(name,))
    assert str(caught.value).endswith(f": {INSTEAD[path]}")


def test_options_that_mean_nothing_here_are_told_apart() -> None:
    from proxyfw.alias import leftovers

    with testing.addon_test_context() as context:
        leftovers.declare(context.options)
        leftovers.declare(context.options)
        assert LEFTOVERS.keys() <= set(context.options.keys())
        context.options.add_option("hardump", str, "x", "Ours, later.", source="har")
        assert context.options.hardump == "x"
