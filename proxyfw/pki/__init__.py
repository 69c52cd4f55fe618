"""How certificates are made, read and stored; `proxyfw.certs` is the public face of it."""
