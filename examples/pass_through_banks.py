"""Leave the connections to some hosts alone: they are neither decrypted nor seen, byte for byte.

Run:  proxyfw -s examples/pass_through_banks.py
See:  curl -x http://127.0.0.1:8080 -v https://www.paypal.com/
      The certificate is PayPal's own, not one of the proxy's.
"""

from proxyfw.tls import ClientHelloData

UNTOUCHED = (".bank.example", ".paypal.com", ".signal.org")


def tls_clienthello(data: ClientHelloData) -> None:
    name = data.client_hello.sni or ""
    if ("." + name).endswith(UNTOUCHED):
        data.ignore_connection = True
