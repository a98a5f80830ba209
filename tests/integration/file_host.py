"""A host that documents are fetched from: answers from a table, over HTTP or HTTPS, each wrong in its own way. Knows no job."""

import http.server
import socket
import threading
import time


class Host:
    """`files` maps a path to bytes or to a function (handler) that answers by itself. What was asked stands in `requests`."""

    def __init__(self, files=None, context=None, address="127.0.0.1"):
        host = self
        self.files, self.requests, self.lock = dict(files or {}), [], threading.Lock()
        self.now = self.most = 0
        self.end = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                with host.lock:
                    host.requests.append(self.path)
                    host.now += 1
                    host.most = max(host.most, host.now)
                try:
                    host.answer(self, host.files.get(self.path.partition("?")[0]))
                except OSError:
                    self.close_connection = True
                finally:
                    with host.lock:
                        host.now -= 1

            do_PUT = do_GET

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass                                # a client that leaves is part of the tests

            def finish_request(self, request, client_address):
                request.settimeout(60)
                super().finish_request(context.wrap_socket(request, server_side=True) if context else request, client_address)

        self.server = Server((address, 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if context else 'http'}://{address}:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def answer(self, handler, what):
        if callable(what):
            what(handler)
        elif what is None:
            send(handler, 404, b"not here")
        else:
            send(handler, 200, what if isinstance(what, bytes) else what.encode("utf-8"))

    def asked(self, path):
        with self.lock:
            return sum(1 for request in self.requests if request.partition("?")[0] == path)

    def close(self):
        self.end.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)


def send(handler, status, body=b"", **headers):
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    if "Content_Length" not in headers:
        handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def status(code, **headers):
    return lambda handler: send(handler, code, **headers)


def redirect(location, code=302):
    return status(code, Location=location)


def cut(body, announced):
    def answer(handler):
        send(handler, 200, body, Content_Length=str(announced))
        handler.close_connection = True
    return answer


def drip(host):
    """A byte now and then, until the host is closed or the client has gone."""
    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        while not host.end.wait(0.05):
            handler.wfile.write(b"x")
    return answer


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"word " * 4096)


def in_turn(*answers):
    """The first to the first who asks, and so on; the last one to all later ones."""
    left = list(answers)

    def answer(handler):
        one = left.pop(0) if len(left) > 1 else left[0]
        if callable(one):
            one(handler)
        else:
            send(handler, 200, one.encode("utf-8"))
    return answer


def after(event, body):
    """The body, once the event has come."""
    def answer(handler):
        event.wait(60)
        send(handler, 200, body.encode("utf-8"))
    return answer


class Silent:
    """Listens, and must never hear from anybody."""

    def __init__(self, address="127.0.0.1", family=socket.AF_INET):
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.bind((address, 0))
        self.socket.listen(16)
        self.port = self.socket.getsockname()[1]

    def close(self):
        self.socket.setblocking(False)
        try:
            peer = self.socket.accept()[1]
        except BlockingIOError:
            peer = None
        self.socket.close()
        assert peer is None, f"somebody came: {peer}"


def wait_until(true, timeout_s=30.0):
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)
