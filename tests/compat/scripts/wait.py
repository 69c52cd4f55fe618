import asyncio
import logging


async def request(flow):
    logging.info("handle request: %s", flow.request.host)
    await asyncio.sleep(0)
    flow.request.headers["waited"] = "yes"
