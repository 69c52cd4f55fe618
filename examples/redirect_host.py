"""Send the requests for a production host to the server on your own machine; the client notices nothing.

Run:  python3 -m http.server 8000 &
      proxyfw -s examples/redirect_host.py
See:  curl -x http://127.0.0.1:8080 http://www.example.com/
      The listing of your directory, not the page of www.example.com.
"""

from proxyfw.http import HTTPFlow


def request(flow: HTTPFlow) -> None:
    if flow.request.pretty_host == "www.example.com":
        host_header = flow.request.host_header
        flow.request.scheme, flow.request.host, flow.request.port = "http", "127.0.0.1", 8000
        flow.request.host_header = host_header  # it followed the host; the server is to see the old one
