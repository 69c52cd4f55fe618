"""Close the connection on trackers instead of answering: the client sees a network that does not carry them.

Run:  proxyfw -s examples/kill_trackers.py
See:  curl -x http://127.0.0.1:8080 'http://example.com/pixel.gif?utm_source=mail'
      curl: (52) Empty reply from server
"""

from proxyfw.http import HTTPFlow


def requestheaders(flow: HTTPFlow) -> None:
    path, query = flow.request.path_components, flow.request.query
    if path[-1:] == ("pixel.gif",) or any(name.startswith("utm_") for name in query):
        flow.kill()
