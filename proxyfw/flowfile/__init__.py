"""Files of flows as mitmproxy writes them; `proxyfw.io` is the public face."""
