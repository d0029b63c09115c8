"""Echo server of aiohttp. Commands: see ../server-peers.ts."""
import asyncio
import socket
import struct

from aiohttp import WSMsgType, web


async def handle(request):
    ws = web.WebSocketResponse(max_msg_size=0)
    await ws.prepare(request)
    async for message in ws:
        if message.type == WSMsgType.BINARY:
            await ws.send_bytes(message.data)
            continue
        if message.type != WSMsgType.TEXT:
            continue
        words = message.data.split(" ", 2)
        if words[0] == "/close":
            if len(words) == 1:
                await ws.close()
            else:
                await ws.close(code=int(words[1]), message=words[2].encode())
        elif words[0] == "/ping":
            await ws.ping(b"are you there")
        elif words[0] == "/terminate":
            request.transport.abort()
        elif words[0] == "/reset":
            raw = request.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.transport.abort()
        else:
            await ws.send_str(message.data)
    return ws


async def main():
    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print("LISTENING", site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Future()


asyncio.run(main())
