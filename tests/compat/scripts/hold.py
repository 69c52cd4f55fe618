held = []


def request(flow):
    flow.intercept()
    held.append(flow)


async def release():
    for flow in held:
        flow.request.headers["held"] = "1"
        flow.resume()
