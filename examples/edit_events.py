"""Change server-sent events while they stream: heartbeats are dropped, names in the others are blacked out.

Run:  proxyfw -s examples/edit_events.py
See:  curl -x http://127.0.0.1:8080 -N http://chat.example/events
      ``data: Ada says hi`` arrives as ``data: ▇▇▇ says hi``, at once, and no event ``ping`` does.
"""

import re

from proxyfw.http import HTTPFlow
from proxyfw.sse import ServerSentEvent


def sse_event(flow: HTTPFlow, event: ServerSentEvent) -> None:
    if event.event == "ping":
        event.drop()
    else:
        event.data = re.sub(r"\b(Ada|Grace)\b", lambda found: "▇" * len(found[0]), event.data)
