from mitmproxy import ctx, flowfilter


class Filter:
    filter: flowfilter.TFilter

    def load(self, loader):
        loader.add_option("wanted", str, "~m POST & ~c 200", "Check that flow matches filter.")

    def configure(self, updated):
        if "wanted" in updated:
            self.filter = flowfilter.parse(ctx.options.wanted)

    def response(self, flow):
        flow.response.headers["matched"] = str(flowfilter.match(self.filter, flow))
        flow.response.headers["also"] = str(flowfilter.match("~u example", flow))


addons = [Filter()]
