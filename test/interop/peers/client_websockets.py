"""The cases with websockets."""
import asyncio

import websockets
from client_cases import Closed, reset_socket, run_all


class Client:
    def __init__(self, ws):
        self.ws = ws

    async def send(self, message):
        await self.ws.send(message)

    async def receive(self):
        try:
            return await self.ws.recv()
        except websockets.ConnectionClosed as error:
            raise Closed() from error

    async def outcome(self):
        await self.ws.wait_closed()
        return self.ws.close_code, self.ws.close_reason

    async def close(self, code, reason):
        await self.ws.close(code or 1000, reason)

    async def ping(self):
        await (await self.ws.ping("are you there"))

    async def fragments(self, pieces):
        await self.ws.send(pieces)

    async def terminate(self):
        self.ws.transport.abort()

    async def reset(self):
        reset_socket(self.ws.transport.get_extra_info("socket"))
        self.ws.transport.abort()


async def connect(address, name):
    return Client(await websockets.connect(address, max_size=None, ping_interval=None))


asyncio.run(run_all(connect))
