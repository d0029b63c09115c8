"""The cases with Tornado."""
import asyncio

from client_cases import Closed, reset_socket, run_all
from tornado.websocket import websocket_connect


class Client:
    # It has None for an abrupt end and for a Close without a code alike: the wire tells them apart.
    hides_bare_close = True

    def __init__(self, ws):
        self.ws = ws

    async def send(self, message):
        await self.ws.write_message(message, binary=isinstance(message, bytes))

    async def receive(self):
        message = await self.ws.read_message()
        if message is None:
            raise Closed()
        return message

    async def outcome(self):
        return self.ws.close_code, self.ws.close_reason

    async def close(self, code, reason):
        self.ws.close(code, reason or None)
        while await self.ws.read_message() is not None:
            pass

    async def ping(self):
        self.ws.ping(b"are you there")

    async def terminate(self):
        self.ws.protocol.stream.close()

    async def reset(self):
        reset_socket(self.ws.protocol.stream.socket)
        self.ws.protocol.stream.close()


async def connect(address, name):
    options = {} if name.startswith("deflate") else None
    return Client(
        await websocket_connect(address, compression_options=options, max_message_size=64 * 2**20)
    )


asyncio.run(run_all(connect))
