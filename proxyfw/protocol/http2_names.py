"""By what HTTP/2 is known, for those who have to recognise it and not to speak it."""

from __future__ import annotations

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client begins with. RFC 9113 section 3.4."""
REFUSED_STREAM = 7
"""The error code that says that nothing was done about a request. RFC 9113 section 7."""
VERSION = b"HTTP/2.0"
"""How flows name the version, as those of other proxies do."""
