import ipaddress

from mitmproxy import dns
from mitmproxy.net.dns import response_codes, types


def dns_request(flow: dns.DNSFlow) -> None:
    q = flow.request.question
    if q and q.type == types.A and q.name == "example.com":
        flow.response = flow.request.succeed(
            [dns.ResourceRecord.A("example.com", ipaddress.ip_address("192.0.2.7"))]
        )
    else:
        flow.response = flow.request.fail(response_codes.NXDOMAIN)
