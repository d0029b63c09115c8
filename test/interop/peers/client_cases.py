"""What the Python clients share: the cases, over a small interface that each of them brings.

A client is an object with: send(message), receive() (raises Closed), close(code, reason), outcome() -> (code, reason) once
closed, and, where it can: ping(), fragments(pieces), terminate(), reset().
"""
import asyncio
import json
import socket
import struct
import sys
import traceback
from urllib.parse import quote


class Closed(Exception):
    """The connection ended instead of giving a message."""


def reset_socket(raw):
    """The next close of the socket sends RST instead of FIN."""
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def create_bytes(length):
    return bytes((i * 31 + (i >> 8) * 7) & 0xFF for i in range(length))


async def expect_echo(client, message):
    await client.send(message)
    received = await client.receive()
    if received != message:
        raise AssertionError(f"{len(message)} came back as {len(received)}: {received[:40]!r}")


async def expect_text(client, command, answer):
    await client.send(command)
    received = await client.receive()
    if received != answer:
        raise AssertionError(f"{received!r} for {command}")


async def run_case(connect, address, name):
    client = await connect(f"{address}/?case={quote(name)}", name)
    group, title = name.split(": ")
    if group == "close":
        await run_close(client, title)
        return
    if name == "fragments: theirs to us":
        pieces = ["0123456789abcdef" * 1024] * 5
        await client.fragments(pieces)
        if await client.receive() != "".join(pieces):
            raise AssertionError("The fragments came back changed")
    elif name == "pings: ours to them":
        await expect_text(client, "/await-pong", "pong seen")
    elif name == "pings: theirs to us":
        await client.ping()
        await expect_text(client, "/await-ping", "ping seen")
    elif group == "deflate":
        text = "All streams flow into the sea, yet the sea is never full. " * 40
        for _ in range(3):
            await expect_echo(client, text)
        await expect_echo(client, create_bytes(300_000))
    elif title == "text":
        await expect_echo(client, "Hello")
    elif title == "multi-byte text":
        await expect_echo(client, "Schleuse, écluse, 水門 🌊 " * 10_000)
    elif title == "empty text":
        await expect_echo(client, "")
    elif title == "empty binary":
        await expect_echo(client, b"")
    elif title == "100 in a row keep their order":
        for i in range(100):
            await client.send(f"Message {i}")
        for i in range(100):
            received = await client.receive()
            if received != f"Message {i}":
                raise AssertionError(f"{received!r} for {i}")
    else:
        await expect_echo(client, create_bytes(2**20 if title == "ours to them" else int(title.split(" ")[0])))
    await client.close(1000, "")


async def run_close(client, title):
    commands = {
        "ours with code and reason": ("/close 4001 ours ✓", (4001, "ours ✓")),
        "ours without code": ("/close", (1005, "")),
        "ours abrupt, FIN": ("/terminate", (1006, "")),
        "ours abrupt, RST": ("/reset", (1006, "")),
    }
    if title in commands:
        command, expected = commands[title]
        await client.send(command)
        try:
            message = await client.receive()
            raise AssertionError(f"{message!r} instead of the end")
        except Closed:
            pass
        outcome = await client.outcome()
        if getattr(client, "hides_bare_close", False) and expected[0] in (1005, 1006):
            expected = (None, None)
        if outcome != expected:
            raise AssertionError(f"Closed with {outcome!r} instead of {expected!r}")
    elif title == "theirs with code and reason":
        await client.close(4002, "theirs ✓")
    elif title == "theirs without code":
        await client.close(None, "")
    elif title == "theirs abrupt, FIN":
        await client.terminate()
    else:
        await client.reset()


async def run_all(connect):
    address, *names = sys.argv[1:]
    for name in names:
        detail = ""
        try:
            await asyncio.wait_for(run_case(connect, address, name), 20)
        except BaseException:
            detail = traceback.format_exc()
        print(json.dumps({"case": name, "ok": detail == "", "detail": detail}), flush=True)
