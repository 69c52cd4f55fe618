from mitmproxy.addons import asgiapp


def hello(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Path", environ["PATH_INFO"])])
    return [b"wsgi says ", environ["REQUEST_METHOD"].encode(), body]


async def broken(scope, receive, send):
    raise RuntimeError(scope["path"])


async def app(scope, receive, send):
    event = await receive()
    await send({"type": "http.response.start", "status": 201, "headers": [(b"x-asgi", b"1")]})
    await send({"type": "http.response.body", "body": b"asgi " + event["body"], "more_body": True})
    await send({"type": "http.response.body", "body": scope["query_string"]})


addons = [
    asgiapp.WSGIApp(hello, "example.com", 80),
    asgiapp.ASGIApp(app, "asgi.example", 80),
    asgiapp.ASGIApp(broken, "broken.example", None),
]
