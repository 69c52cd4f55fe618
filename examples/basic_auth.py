"""Give user and password to the hosts that want them, out of a file that the client never sees: your .netrc.

Run:  proxyfw -s examples/basic_auth.py
See:  curl -x http://127.0.0.1:8080 http://private.example/
      With ``machine private.example login ada password s3cret`` in ~/.netrc it is let in.
"""

import base64
import netrc
from pathlib import Path

from proxyfw.http import HTTPFlow

logins = netrc.netrc(Path.home() / ".netrc")


def requestheaders(flow: HTTPFlow) -> None:
    login = logins.hosts.get(flow.request.pretty_host)
    if login and "authorization" not in flow.request.headers:
        user, _, password = login
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        flow.request.headers["Authorization"] = f"Basic {pair}"
