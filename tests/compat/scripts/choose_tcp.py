from mitmproxy import ctx
from mitmproxy.proxy import layer, layers


def next_layer(nextlayer: layer.NextLayer):
    ctx.log.info(f"{nextlayer.context.server.address} {nextlayer.data_client()[:3]!r}")
    if nextlayer.data_client().startswith(b"GET"):
        nextlayer.layer = layers.TCPLayer(nextlayer.context)
        assert isinstance(nextlayer.layer, layers.TCPLayer)
        assert not any(isinstance(each, layers.ClientTLSLayer) for each in nextlayer.context.layers)


def tcp_message(flow):
    ctx.log.info(f"tcp {flow.messages[-1].content[:14]!r}")
