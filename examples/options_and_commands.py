"""An addon with a setting that is checked, and a command that others can call.

Run:  proxyfw -s examples/options_and_commands.py --set max_price=20
See:  curl -x http://127.0.0.1:8080 'http://shop.example/buy?price=30'
      402 Payment Required. With ``--set max_price=-1`` the proxy says what is wrong and does not start.
"""

from proxyfw import OptionsError, command, ctx, http
from proxyfw.addonmanager import Loader


class Purse:
    def __init__(self) -> None:
        self.refused = 0

    def load(self, loader: Loader) -> None:
        loader.add_option("max_price", int, 10, "Refuse requests with a higher price in their query.")

    def configure(self, updated: set[str]) -> None:
        if "max_price" in updated and ctx.options.max_price < 0:
            raise OptionsError("max_price must not be negative")

    def request(self, flow: http.HTTPFlow) -> None:
        if int(flow.request.query.get("price", "0")) > ctx.options.max_price:
            self.refused += 1
            flow.response = http.Response.make(402, "too expensive\n")

    @command.command("purse.refused")
    def count(self) -> int:
        """How many requests were too expensive."""
        return self.refused


addons = [Purse()]
