"""How an HTTP/2 connection of ours begins: what it offers and how much it is ready to hold."""

from __future__ import annotations

from base64 import urlsafe_b64encode

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings

from proxyfw.exceptions import ProtocolError
from proxyfw.protocol.http2_gate import first_settings
from proxyfw.protocol.http2_hpack import FieldDecoder, FieldEncoder

STREAM_WINDOW = 256 * 1024
"""Bytes of body that one stream may have on the way to us or unread here."""
CONNECTION_WINDOW = 16 * 1024 * 1024
"""The same for all streams of a connection together: the bound on what it can make us hold."""
MAX_STREAMS = 100
"""Streams that a client may have open at a time, and the most we open before an origin has told its limit."""
HARD_LIMIT = 4
"""Header lists up to so many times the allowed size are read and refused; larger ones end the connection."""

_INITIAL_WINDOW = 65535
_ANY_NUMBER = 2**31 - 1


class _Connection(H2Connection):
    MAX_CLOSED_STREAMS = 2048  # of which h2 remembers how they ended; its own number costs megabytes


def new_connection(
    client: bool, max_head_size: int, max_streams: int, websocket: bool, upgraded: bytes | None = None
) -> H2Connection:
    """A connection whose first SETTINGS wait to be sent. It validates no fields: one bad head must not end
    all streams, so that is left to `proxyfw.protocol.http2_fields`. *websocket*: a server offers extended
    CONNECT. RFC 8441 section 3. *upgraded*: the client's settings if its stream 1 exists already; raises
    ProtocolError if they are none."""
    config = H2Configuration(
        client,
        validate_inbound_headers=False,
        normalize_inbound_headers=False,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
    )
    connection = _Connection(config)
    settings = {
        SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
        SettingCodes.MAX_HEADER_LIST_SIZE: max_head_size,
    }
    if client:
        settings[SettingCodes.ENABLE_PUSH] = 0
    else:
        settings[SettingCodes.MAX_CONCURRENT_STREAMS] = max_streams
    offers = websocket and not client
    if offers:
        settings[SettingCodes.ENABLE_CONNECT_PROTOCOL] = 1
    connection.local_settings = Settings(client, settings)
    if not offers:
        del connection.local_settings[SettingCodes.ENABLE_CONNECT_PROTOCOL]
    connection.decoder = FieldDecoder(HARD_LIMIT * max_head_size)
    connection.encoder = FieldEncoder()
    if upgraded is None:
        connection.initiate_connection()
    else:
        _upgrade(connection, upgraded)
    if not client:
        # h2 would end the connection over a stream too many, which may as well be refused alone.
        settings[SettingCodes.MAX_CONCURRENT_STREAMS] = _ANY_NUMBER
        connection.local_settings = Settings(client, settings)
    connection.increment_flow_control_window(CONNECTION_WINDOW - _INITIAL_WINDOW)
    return connection


def _upgrade(connection: H2Connection, settings: bytes) -> None:
    try:
        connection.initiate_upgrade_connection(urlsafe_b64encode(first_settings(settings)))
    except H2Error as e:
        raise ProtocolError(f"the settings of the client are wrong: {e}") from e
