"""Be the name server for the names of your own: they are at your machine, all others are looked up as ever.

Run:  proxyfw -m dns@5353 -s examples/answer_dns.py
See:  dig @127.0.0.1 -p 5353 +short shop.test
      127.0.0.1
"""

from ipaddress import IPv4Address

from proxyfw.dns import DNSFlow, RecordType, ResourceRecord

HERE = IPv4Address("127.0.0.1")


def dns_request(flow: DNSFlow) -> None:
    asked = flow.request.question
    if asked and asked.name.endswith(".test"):
        known = asked.type == RecordType.A
        flow.response = flow.request.succeed([ResourceRecord.A(asked.name, HERE, ttl=5)] if known else [])
