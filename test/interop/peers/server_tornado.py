"""Echo server of Tornado. Commands: see ../server-peers.ts."""
import asyncio
import socket
import struct

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler


class Echo(WebSocketHandler):
    def check_origin(self, origin):
        return True

    def get_compression_options(self):
        return {}

    def on_message(self, message):
        words = message.split(" ", 2) if isinstance(message, str) else [""]
        if words[0] == "/close":
            if len(words) == 1:
                self.close()
            else:
                self.close(int(words[1]), words[2])
        elif words[0] == "/ping":
            self.ping(b"are you there")
        elif words[0] == "/terminate":
            self.ws_connection.stream.close()
        elif words[0] == "/reset":
            raw = self.ws_connection.stream.socket
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.ws_connection.stream.close()
        else:
            self.write_message(message, binary=isinstance(message, bytes))


async def main():
    server = HTTPServer(Application([(r"/.*", Echo)], websocket_max_message_size=64 * 2**20))
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    print("LISTENING", sockets[0].getsockname()[1], flush=True)
    await asyncio.Future()


asyncio.run(main())
