"""Options of the field that mean nothing here: declared, so that reading and setting them does no harm.

Setting one to anything but its default is answered with a warning that says what proxyfw does instead.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any
from weakref import WeakSet

from proxyfw.options import Options

log = logging.getLogger("proxyfw")

_TEXTS = Sequence[str]
_NO_UI = "there is no such user interface"
_NOT_YET = "there is no addon for it"

LEFTOVERS: dict[str, tuple[Any, Any, str]] = {
    "add_upstream_certs_to_client_chain": (bool, False, "clients are shown the leaf and its authority"),
    "allow_remote": (bool, False, "who may connect is decided by block_global, block_private"),
    "cadir": (str, "~/.proxyfw", "its name is confdir"),
    "command_history": (bool, True, _NO_UI),
    "connect_addr": (str | None, None, "the system chooses the address to connect from"),
    "console_focus_follow": (bool, False, _NO_UI),
    "hardump": (str, "", _NOT_YET),
    "http3": (bool, True, "HTTP/3 is not spoken"),
    "http_connect_send_host_header": (bool, True, "CONNECT always has a Host header"),
    "keep_alt_svc_header": (bool, False, "Alt-Svc is passed on as it is"),
    "key_size": (int, 2048, "the authority's key is that of its file, leaves have EC keys"),
    "normalize_outbound_headers": (bool, True, "HTTP/2 header names are always sent in lower case"),
    "onboarding": (bool, True, "the certificate is written to confdir: `proxyfw cert`"),
    "onboarding_host": (str, "mitm.it", "the certificate is written to confdir: `proxyfw cert`"),
    "onboarding_port": (int, 80, "the certificate is written to confdir: `proxyfw cert`"),
    "protobuf_definitions": (str | None, None, "its name is protobuf_descriptors"),
    "proxy_debug": (bool, False, "use --verbose"),
    "proxyauth": (str | None, None, "load the addon proxyauth"),
    "server_replay": (_TEXTS, [], _NOT_YET),
    "server_replay_extra": (str, "forward", _NOT_YET),
    "server_replay_ignore_content": (bool, False, _NOT_YET),
    "server_replay_ignore_host": (bool, False, _NOT_YET),
    "server_replay_ignore_params": (_TEXTS, [], _NOT_YET),
    "server_replay_ignore_payload_params": (_TEXTS, [], _NOT_YET),
    "server_replay_ignore_port": (bool, False, _NOT_YET),
    "server_replay_kill_extra": (bool, False, _NOT_YET),
    "server_replay_nopop": (bool, False, _NOT_YET),
    "server_replay_refresh": (bool, True, _NOT_YET),
    "server_replay_reuse": (bool, False, _NOT_YET),
    "server_replay_use_headers": (_TEXTS, [], _NOT_YET),
    "showhost": (bool, False, "the dumper shows the host that the client asked for"),
    "strip_ech": (bool, True, "DNS answers are passed on as they are"),
    "tcp_timeout": (int, 600, "its name is idle_timeout"),
    "termlog_verbosity": (str, "info", "use --quiet or --verbose"),
    "tls_ecdh_curve_client": (str | None, None, "OpenSSL chooses the curve"),
    "tls_ecdh_curve_server": (str | None, None, "OpenSSL chooses the curve"),
    "upstream_cert": (bool, True, "origins are dialled only when something is forwarded"),
    "validate_inbound_headers": (bool, True, "what is ambiguous is always refused"),
    "view_filter": (str | None, None, _NO_UI),
    "view_order": (str, "time", _NO_UI),
    "web_debug": (bool, False, _NO_UI),
    "web_host": (str, "127.0.0.1", _NO_UI),
    "web_open_browser": (bool, True, _NO_UI),
    "web_password": (str, "", _NO_UI),
    "web_port": (int, 8081, _NO_UI),
}
"""Name -> type, default, and why setting it changes nothing."""

_SOURCE = "mitmproxy's options"
_declared: WeakSet[Options] = WeakSet()


def declare(options: Options) -> None:
    """Add those that *options* lacks; an addon that has one of them may still declare it."""
    if options in _declared:
        return
    _declared.add(options)
    for name, (typespec, default, why) in LEFTOVERS.items():
        if name not in options:
            options.add_option(name, typespec, default, f"Has no effect: {why}.", source=_SOURCE)
    ours = {option.name for option in options.options_of(_SOURCE)}
    options.release(_SOURCE)

    def warn(updated: set[str]) -> None:
        for name in updated & ours:
            if options.option(name).source is None and options.has_changed(name):
                log.warning("option %s has no effect in proxyfw: %s", name, LEFTOVERS[name][2])

    options.subscribe(warn)
    warn(ours)
