"""The cases with aiohttp."""
import asyncio

import aiohttp
from client_cases import Closed, reset_socket, run_all


class Client:
    def __init__(self, session, ws):
        self.session = session
        self.ws = ws
        self.reason = ""

    async def send(self, message):
        if isinstance(message, str):
            await self.ws.send_str(message)
        else:
            await self.ws.send_bytes(message)

    async def receive(self):
        message = await self.ws.receive()
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            return message.data
        if message.type == aiohttp.WSMsgType.CLOSE:
            self.reason = message.extra or ""
        raise Closed()

    async def outcome(self):
        # It has 0 where there was no code in the Close.
        return self.ws.close_code or 1005, self.reason

    async def close(self, code, reason):
        if code is None:
            await self.ws.close()
        else:
            await self.ws.close(code=code, message=reason.encode())
        await self.session.close()

    async def ping(self):
        await self.ws.ping(b"are you there")

    async def terminate(self):
        self.ws._response.connection.transport.abort()
        await self.session.close()

    async def reset(self):
        transport = self.ws._response.connection.transport
        reset_socket(transport.get_extra_info("socket"))
        transport.abort()
        await self.session.close()


async def connect(address, name):
    session = aiohttp.ClientSession()
    compress = 15 if name.startswith("deflate") else 0
    return Client(session, await session.ws_connect(address, max_msg_size=0, compress=compress))


asyncio.run(run_all(connect))
