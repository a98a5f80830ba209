"""HTTP/1.1 by hand: requests read from a stream, answers written byte by byte, so that every byte can be wrong.

Knows sockets and faults; knows no routes and no jobs.
"""

import asyncio
import dataclasses
import socket
import struct
import urllib.parse
import zlib

MAX_HEADER_BYTES = 256 * 1024
REASONS = {200: "OK", 204: "No Content", 302: "Found", 307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request",
           401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict", 410: "Gone", 413: "Payload Too Large",
           422: "Unprocessable Entity", 429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway",
           503: "Service Unavailable", 504: "Gateway Timeout"}


@dataclasses.dataclass
class Request:
    """What arrived. `at` is when the last byte of the header was read, by the monotonic clock."""
    number: int
    connection: int
    at: float
    method: str
    target: str
    headers: list
    body: bytes = b""
    listener: str = ""
    # filled by the router
    op: str = "unknown"
    endpoint: str = None
    worker: str = None
    job: str = None
    query: list = dataclasses.field(default_factory=list)
    # filled by the answer
    answered_at: float = None
    status: int = None
    fault: str = None
    bytes_sent: int = 0

    @property
    def path(self):
        return self.target.partition("?")[0]

    def header(self, name, default=None):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return default

    def argument(self, name, default=None):
        for key, value in self.query:
            if key == name:
                return value
        return default


@dataclasses.dataclass
class Response:
    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: list = dataclasses.field(default_factory=list)


class BadRequest(Exception):
    pass


def parse_target(target):
    """Path and query pairs. Some workers append `&name=value` to a path that has no `?`: those count as query too."""
    path, mark, query = target.partition("?")
    if not mark:
        path, _, query = target.partition("&")
    return path, urllib.parse.parse_qsl(query, keep_blank_values=True)


async def read_request(reader, writer, number, connection, clock, body_limit):
    """The next request, or None when the peer has gone."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError, OSError):
        return None
    except asyncio.LimitOverrunError as error:
        raise BadRequest("header too large") from error
    at = clock()
    lines = head[:-4].decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest(f"request line {lines[0]!r}")
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequest(f"header line {line!r}")
        headers.append((name, value.strip()))
    request = Request(number, connection, at, parts[0], parts[1], headers)
    if request.header("Expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        request.body = await _read_body(reader, request, body_limit)
    except (asyncio.IncompleteReadError, ConnectionError, OSError):
        return None
    return request


async def _read_body(reader, request, limit):
    if request.header("Transfer-Encoding", "").lower() == "chunked":
        chunks, total = [], 0
        while True:
            size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
            chunk = await reader.readexactly(size + 2)
            if size == 0:
                return b"".join(chunks)
            total += size
            if total > limit:
                raise BadRequest("body too large")
            chunks.append(chunk[:-2])
    length = int(request.header("Content-Length", "0"))
    if length > limit:
        raise BadRequest("body too large")
    return await reader.readexactly(length) if length else b""


def hang_up(writer, reset):
    """Close; with reset the peer gets RST instead of FIN."""
    transport = writer.transport
    if reset:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            try:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                pass
        transport.abort()
    else:
        transport.close()


async def send(writer, request, response, fault):
    """Write the answer. False when the connection must not be used again."""
    if fault is None:
        head = _head(response, len(response.body))
        writer.write(head + response.body)
        request.status, request.bytes_sent = response.status, len(head) + len(response.body)
        if writer.transport.get_write_buffer_size() > 65536:
            await writer.drain()
        return True
    return await _send_broken(writer, request, response, fault)


def _head(response, length, extra=()):
    status = response.status
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}"]
    if status not in (204, 304):
        lines.append(f"Content-Type: {response.content_type}")
        if length is not None:
            lines.append(f"Content-Length: {length}")
    lines.extend(f"{name}: {value}" for name, value in (*response.headers, *extra))
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _send_broken(writer, request, response, fault):
    if fault.drop in ("before-read", "after-read"):
        hang_up(writer, fault.reset)
        return False
    if fault.raw is not None:
        await _write(writer, request, fault.raw)
        hang_up(writer, fault.reset)
        return False
    if fault.flood:
        await _flood(writer, request, response, fault.flood)
        hang_up(writer, True)
        return False
    if fault.drop == "after-status":
        await _write(writer, request, f"HTTP/1.1 {response.status} ".encode("ascii"))
        hang_up(writer, fault.reset)
        return False
    body = response.body
    request.status = response.status
    if fault.chunked:
        head = _head(response, None, [("Transfer-Encoding", "chunked")])
        cut = len(body) if fault.cut_after is None else fault.cut_after
        await _write(writer, request, head + b"%x\r\n" % len(body) + body[:cut])
        if fault.cut_after is not None:
            hang_up(writer, fault.reset)
            return False
        await _write(writer, request, b"\r\n0\r\n\r\n")
        return True
    length = len(body) if fault.content_length is None else fault.content_length
    await _write(writer, request, _head(response, length))
    cut = len(body) if fault.cut_after is None else min(fault.cut_after, len(body))
    if fault.slow_bytes_per_s:
        for at in range(0, cut):
            await _write(writer, request, body[at:at + 1])
            await asyncio.sleep(1 / fault.slow_bytes_per_s)
    else:
        await _write(writer, request, body[:cut])
    if fault.cut_after is not None or length != len(body):
        hang_up(writer, fault.reset)
        return False
    return True


async def _write(writer, request, data):
    if writer.transport.is_closing():
        raise ConnectionResetError("the peer has had enough")
    writer.write(data)
    request.bytes_sent += len(data)
    await writer.drain()
    await asyncio.sleep(0)                                          # also when nothing had to be waited for


async def _repeat(writer, request, piece, total):
    """Write `piece` again and again until the peer has had enough, or `total` bytes."""
    while request.bytes_sent < total:
        await _write(writer, request, piece)


async def _flood(writer, request, response, kind):
    request.status = response.status
    gib = 1 << 30
    if kind == "stall":                                             # the header, then nothing for a very long time
        await _write(writer, request, _head(response, 100000))
        await asyncio.sleep(3600)
    elif kind == "continue":
        await _repeat(writer, request, b"HTTP/1.1 100 Continue\r\n\r\n" * 400, gib)
    elif kind == "early-hints":
        await _repeat(writer, request, b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n" * 200, gib)
    elif kind == "headers":                                         # 10,000 short ones, then a complete answer
        extra = [(f"X-Filler-{n}", "x" * 64) for n in range(10000)]
        await _write(writer, request, _head(response, len(response.body), extra) + response.body)
    elif kind == "big-header":
        await _write(writer, request, _head(response, len(response.body), [("X-Filler", "x" * (1 << 20))]) + response.body)
    elif kind == "big-status":
        await _write(writer, request, b"HTTP/1.1 200 " + b"O" * (1 << 20) + b"\r\nContent-Length: 0\r\n\r\n")
    elif kind == "body":                                            # 2 GiB of spaces, honestly announced
        await _write(writer, request, _head(response, 2 * gib))
        await _repeat(writer, request, b" " * 65536, 2 * gib)
    elif kind == "gzip":                                            # 2 GiB of spaces in 2 MiB
        packed = gzip_bomb(2 * gib)
        await _write(writer, request, _head(response, len(packed), [("Content-Encoding", "gzip")]) + packed)
    else:
        raise ValueError(f"flood: {kind!r} is not known")


def gzip_bomb(size):
    """A gzip stream of `size` spaces, made quickly: one flushed block repeated. Its checksum is wrong; nobody gets there."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(b" ") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b" " * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * (size >> 20) + packer.flush(zlib.Z_FINISH)
