"""Replace bytes in connections that are no HTTP: here every version that an SSH server says it is.

Run:  proxyfw -m reverse:tcp://127.0.0.1:22@2222 -s examples/replace_in_tcp.py
See:  nc 127.0.0.1 2222
      ``SSH-2.0-unknown`` instead of the server's version.
"""

import re

from proxyfw.tcp import TCPFlow


def tcp_message(flow: TCPFlow) -> None:
    message = flow.messages[-1]
    if not message.from_client and len(flow.messages) <= 2:
        message.content = re.sub(rb"^SSH-2\.0-\S+", b"SSH-2.0-unknown", message.content)
