"""Every exception that users or addon authors can meet, and the few that cross rooms inside.

ProxyfwError
├── OptionsError        a setting is wrong: the whole change is rolled back
├── CommandError        a command was called wrongly
├── FilterError         a filter cannot be read; a ValueError, too
├── AddonError          an addon cannot be loaded as it stands
├── AddonHalt           raised in a hook: the addons after this one are not called
├── FlowReadException   a file of flows cannot be read, or not to its end
├── CertificateError    an authority or leaf file cannot be used
└── ConnectionProblem   one connection or exchange failed; never reaches an addon as an exception
    ├── ProtocolError       the other side sent what the protocol forbids
    │   └── WebSocketError      … on a WebSocket
    ├── LocalProtocolError  we were about to send what the protocol forbids (an addon's edit, most likely)
    ├── ConnectError        no connection could be made
    ├── TlsError            a handshake failed, or a certificate was not acceptable
    └── PeerGone            the other side left
"""


class ProxyfwError(Exception):
    """Root of all errors of this package; the message is written for the person who reads it."""


class OptionsError(ProxyfwError):
    """A setting has a bad name or value. Raised in ``configure`` it rolls the whole change back."""


class CommandError(ProxyfwError):
    """A command was called with the wrong arguments, or could not do what it was asked."""


class FilterError(ProxyfwError, ValueError):
    """A filter expression cannot be read; the message shows it with a caret under the place.

    *text* is the expression, *position* the index in it where *reason* applies.
    """

    def __init__(self, text: str, position: int, reason: str) -> None:
        self.text = text
        self.position = position
        self.reason = reason
        super().__init__(text, position, reason)

    def __str__(self) -> str:
        reason, shown = (
            "".join(char if char.isprintable() else " " for char in text) for text in (self.reason, self.text)
        )
        return f"{reason}\n    {shown}\n    {' ' * self.position}^"


class AddonError(ProxyfwError):
    """An addon or script cannot be loaded; names file and line where they are known."""


class AddonHalt(ProxyfwError):
    """Raised in a hook by an addon that wants to be the last: those after it are not called this time."""


class FlowReadException(ProxyfwError):
    """A file of flows is damaged, cut off, or none; names the file, the place in bytes, and why."""


class CertificateError(ProxyfwError):
    """A certificate, key or authority file is missing, unreadable or does not fit."""


class ConnectionProblem(ProxyfwError):
    """One connection or one exchange failed. Recorded as ``flow.error`` or ``conn.error``."""


class ProtocolError(ConnectionProblem):
    """The other side broke the protocol. *status* is what an HTTP client should be answered."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class WebSocketError(ProtocolError):
    """The other side broke the WebSocket protocol. *code* is the close code it is to be told. RFC 6455."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class LocalProtocolError(ConnectionProblem):
    """What we were asked to send cannot be said in this protocol (a header with a newline, a short body)."""


class ConnectError(ConnectionProblem):
    """No connection to the address could be made: name resolution, refusal, time-out, a loop to ourselves."""


class TlsError(ConnectionProblem):
    """A TLS handshake failed or the certificate is not acceptable; the message says which and what to do."""


class PeerGone(ConnectionProblem):
    """The other side of a connection left before the exchange was complete.

    *code*: the HTTP/2 error code that it said so with, if any. *unprocessed*: it has done nothing about the
    request, which may therefore be sent again, whatever its method. RFC 9113 section 8.7.
    """

    def __init__(self, message: str, *, code: int | None = None, unprocessed: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.unprocessed = unprocessed
