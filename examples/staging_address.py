"""Reach a name at another address, as a line in /etc/hosts would: Host, SNI and certificate checks stay.

Run:  proxyfw -s examples/staging_address.py
See:  curl -x http://127.0.0.1:8080 http://www.example.com/
      The proxy dials 127.0.0.1:8000 and asks it for www.example.com.
"""

from proxyfw.connection import ServerConnectionHookData

ADDRESSES = {("www.example.com", 80): ("127.0.0.1", 8000)}


def server_connect(data: ServerConnectionHookData) -> None:
    if data.server.address in ADDRESSES:
        data.server.address = ADDRESSES[data.server.address]
