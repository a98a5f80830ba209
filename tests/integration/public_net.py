#!/usr/bin/python3
"""A world of its own for one worker: a network namespace in which public and private addresses are really there, and a name server
that tells the truth, lies, and changes its mind. Prints the worker's result and who was visited, as JSON; exit code 77: not possible here.

    public_net.py INPUT COMMAND ...     (the job's input as JSON; the worker's command line)
"""

import ctypes
import errno
import fcntl
import http.server
import json
import os
import select
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
import time

PORT = 8080
PUBLIC = "93.184.216.34"
PRIVATE = ["10.0.0.5", "169.254.169.254", "100.64.0.7", "192.168.7.7", "127.0.0.1", "::1", "fd00::5"]
NEWNS, NEWUSER, NEWNET, PRIVATE_MOUNTS, BIND = 0x20000, 0x10000000, 0x40000000, 0x44000, 0x1000

# name -> what each question for A (4) or AAAA (6) is answered; the last list again for all later ones
NAMES = {
    "good.test": {4: [[PUBLIC]]},
    "private.test": {4: [["10.0.0.5"]]},
    "metadata.test": {4: [["169.254.169.254"]]},
    "carrier.test": {4: [["100.64.0.7"]]},
    "loopback.test": {4: [["127.0.0.1"]]},
    "loopback6.test": {6: [["::1"]]},
    "local6.test": {6: [["fd00::5"]]},
    "mapped.test": {6: [["::ffff:10.0.0.5"]]},
    "mixed.test": {4: [[PUBLIC, "192.168.7.7"]]},
    "families.test": {4: [[PUBLIC]], 6: [["::1"]]},
    "many.test": {4: [[PUBLIC] * 24 + ["10.0.0.5"]]},
    "rebinds.test": {4: [[PUBLIC], ["10.0.0.5"]]},
    "alias.test": {"cname": "metadata.test"},
    "silent.test": None,
}


def enter_namespaces():
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(NEWNS | NEWNET) != 0:
        if libc.unshare(NEWUSER | NEWNS | NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    if libc.mount(b"none", b"/", None, PRIVATE_MOUNTS, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    with tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False) as file:
        file.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    os.chmod(file.name, 0o644)
    done = libc.mount(file.name.encode(), os.path.realpath("/etc/resolv.conf").encode(), None, BIND, None)
    os.unlink(file.name)
    if done != 0:
        raise OSError(ctypes.get_errno(), "mount resolv.conf")


def add_addresses():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", b"lo", 0x41))                          # up, running
        for number, address in enumerate([PUBLIC] + [one for one in PRIVATE if ":" not in one and one != "127.0.0.1"]):
            wire = struct.pack("16sHH4s8x", f"lo:{number}".encode(), socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(control, 0x8916, wire)
        index = struct.unpack("16si", fcntl.ioctl(control, 0x8933, struct.pack("16si", b"lo", 0)))[1]
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, 0x8916, struct.pack("16sIi", socket.inet_pton(socket.AF_INET6, "fd00::5"), 128, index))
    except OSError:
        PRIVATE[:] = [address for address in PRIVATE if ":" not in address]


def encode_name(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def record(name, kind, data):
    return encode_name(name) + struct.pack("!HHIH", kind, 1, 0, len(data)) + data


class NameServer(socketserver.BaseRequestHandler):
    asked = {}

    def handle(self):
        query, sock = self.request
        at, parts = 12, []
        while query[at]:
            parts.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        question = query[12:at + 5]
        name, kind = ".".join(parts), {1: 4, 28: 6}.get(struct.unpack("!H", query[at + 1:at + 3])[0])
        entry, records, known = NAMES.get(name, {}), [], name in NAMES
        if entry is None:
            return
        shown = name
        if "cname" in entry:
            records.append(record(name, 5, encode_name(entry["cname"])))
            shown, entry = entry["cname"], NAMES[entry["cname"]]
        turns = entry.get(kind, [[]])
        count = self.asked[name, kind] = self.asked.get((name, kind), 0) + 1
        for address in turns[min(count, len(turns)) - 1]:
            family = socket.AF_INET if kind == 4 else socket.AF_INET6
            records.append(record(shown, 1 if kind == 4 else 28, socket.inet_pton(family, address)))
        # names that repeat the question's are written short, so that many records fit
        body = b"".join(records).replace(encode_name(name), b"\xc0\x0c")
        sock.sendto(query[:2] + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, len(records), 0, 0) + question + body,
                    self.client_address)


class Files(http.server.BaseHTTPRequestHandler):
    seen = []

    def do_GET(self):
        self.seen.append(f"http://{self.headers['Host']}{self.path}")
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", "http://" + self.path[4:])
        else:
            self.send_response(500 if self.path == "/broken" else 200)
        body = b"Total due: 88.00 USD. Invoice number 20391."
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def bind(listener, address):
    """An address that was just given may need a moment."""
    for left in range(200, -1, -1):
        try:
            return listener.bind((address, PORT))
        except OSError as problem:
            if problem.errno != errno.EADDRNOTAVAIL or left == 0:
                raise
            time.sleep(0.05)


def main():
    try:
        enter_namespaces()
        add_addresses()
    except OSError as problem:
        print(problem, file=sys.stderr)
        return 77
    silent = []
    for address in PRIVATE:
        listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        bind(listener, address)
        listener.listen(8)
        silent.append(listener)
    names = socketserver.ThreadingUDPServer(("127.0.0.1", 53), NameServer)
    files = http.server.ThreadingHTTPServer((PUBLIC, PORT), Files)
    for server in (names, files):
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    done = subprocess.run([*sys.argv[2:], "--test-input", json.dumps({"input": json.loads(sys.argv[1])})],
                          capture_output=True, text=True, timeout=240)
    result = [line for line in done.stdout.split("\n") if line.startswith("Job result: ")]
    visited = [listener.getsockname()[0] for listener in select.select(silent, [], [], 0)[0]]
    print(json.dumps({"result": json.loads(result[0][12:]) if result else None, "visited": visited, "seen": Files.seen,
                      "silent": len(silent), "output": done.stdout[-3000:] + done.stderr[-3000:]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
