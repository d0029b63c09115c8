"""Echo server of websockets. Commands: see ../server-peers.ts."""
import asyncio
import socket
import struct

import websockets


async def handle(ws):
    async for data in ws:
        words = data.split(" ", 2) if isinstance(data, str) else [""]
        if words[0] == "/close":
            if len(words) == 1:
                # Its close() has a code always; an empty body is what it sends for 1005.
                await ws.close(1000)
            else:
                await ws.close(int(words[1]), words[2])
        elif words[0] == "/ping":
            await ws.ping("are you there")
        elif words[0] == "/fragments":
            await ws.send(["0123456789abcdef" * 1024] * int(words[1]))
        elif words[0] == "/terminate":
            ws.transport.abort()
        elif words[0] == "/reset":
            raw = ws.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            ws.transport.abort()
        else:
            await ws.send(data)


async def main():
    async with websockets.serve(handle, "127.0.0.1", 0, max_size=None, ping_interval=None) as server:
        print("LISTENING", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


asyncio.run(main())
