from mitmproxy import ctx


def load(loader):
    assert ctx.options.upstream_cert is True
    assert ctx.options.keep_host_header is False


def running():
    ctx.options.upstream_cert = False
    ctx.options.connection_strategy = "lazy"
