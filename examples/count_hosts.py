"""Count the requests to each host, and print the counts when the proxy stops.

Run:  proxyfw -q -s examples/count_hosts.py
See:  Use the proxy for a while, press Ctrl-C, read the table.
"""

from collections import Counter

from proxyfw.http import HTTPFlow


class CountHosts:
    def __init__(self) -> None:
        self.hosts: Counter[str] = Counter()

    def request(self, flow: HTTPFlow) -> None:
        self.hosts[flow.request.pretty_host] += 1

    def done(self) -> None:
        for host, number in self.hosts.most_common():
            print(f"{number:6}  {host}")


addons = [CountHosts()]
