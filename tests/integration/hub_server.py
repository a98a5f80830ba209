"""An imitation of a hub of models and of the CDN that it redirects to, on two ports of loopback, with faults on order. Content is a
dict of names to bytes; what ends in .safetensors or is large is "linked": named by SHA-256 and served by the CDN."""

import hashlib
import http.server
import json
import threading
import time
import urllib.parse

LINKED_FROM = 100_000


def git_sha1(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass                                        # a client that was killed


class Hub:
    """faults: a dict that tests fill, see `answer` below. requests: (host, method, path, headers) of all, in order."""

    def __init__(self, files, repository="docket/demo-mixtral", commit="a" * 40):
        self.files, self.repository, self.commit = dict(files), repository, commit
        self.revisions = {"main": commit, commit: commit}
        self.requests, self.sent, self.faults, self.counts = [], 0, {}, {}
        self.lock = threading.Lock()
        self.hub, self.cdn = (Server(("127.0.0.1", 0), self.handler(name)) for name in ("hub", "cdn"))
        for server in (self.hub, self.cdn):
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self.hub.server_address[1]}"
        self.cdn_endpoint = f"http://localhost:{self.cdn.server_address[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in (self.hub, self.cdn):
            server.shutdown()
            server.server_close()

    def linked(self, name):
        return name.endswith(".safetensors") or len(self.files[name]) > LINKED_FROM

    def etag(self, name):
        content = self.files[name]
        return hashlib.sha256(content).hexdigest() if self.linked(name) else git_sha1(content)

    def asked(self, host=None, method=None, part=""):
        with self.lock:
            return [r for r in self.requests if host in (None, r[0]) and method in (None, r[1]) and part in r[2]]

    def once(self, name, times=1):
        """True for the first `times` uses of a fault."""
        with self.lock:
            self.counts[name] = self.counts.get(name, 0) + 1
            return self.counts[name] <= times

    def handler(self, host):
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_any(self):
                with hub.lock:
                    hub.requests.append((host, self.command, self.path, dict(self.headers)))
                try:
                    (hub.answer_hub if host == "hub" else hub.answer_cdn)(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            do_GET = do_HEAD = handle_any

        return Handler

    @staticmethod
    def send(request, status, headers=(), body=b""):
        request.send_response(status)
        for name, value in headers:
            request.send_header(name, value)
        if "Content-Length" not in dict(headers):
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)

    def answer_hub(self, request):
        faults = self.faults
        path = urllib.parse.urlsplit(request.path).path
        token = request.headers.get("Authorization", "")
        if faults.get("status") and self.once("status", faults.get("times", 1)):
            return self.send(request, faults["status"], faults.get("headers", ()))
        if faults.get("token") and token != "Bearer " + faults["token"]:
            return self.send(request, 401, [("X-Error-Code", faults.get("code", "RepoNotFound"))])
        moved = faults.get("moved_from")
        if moved and f"/{moved}" in path:
            return self.send(request, 307, [("Location", request.path.replace(moved, self.repository))])
        api = f"/api/models/{self.repository}"
        if path == api or path.startswith(api + "/revision/"):
            return self.answer_listing(request, urllib.parse.unquote(path[len(api) + 10:]) or "main")
        if path.startswith(api + "/tree/"):
            return self.answer_tree(request)
        prefix = f"/{self.repository}/resolve/"
        if not path.startswith(prefix):
            return self.send(request, 404, [("X-Error-Code", "RepoNotFound")])
        revision, _, name = path[len(prefix):].partition("/")
        return self.answer_file(request, urllib.parse.unquote(revision), urllib.parse.unquote(name))

    def answer_listing(self, request, revision):
        if revision not in self.revisions:
            return self.send(request, 404, [("X-Error-Code", "RevisionNotFound")])
        sizes = self.faults.get("listed_sizes", {})
        siblings = [{"rfilename": name, "size": sizes.get(name, len(content))} for name, content in self.files.items()]
        siblings += [{"rfilename": name, "size": 1} for name in self.faults.get("listed", ())]
        body = {"_id": "0", "id": self.repository, "modelId": self.repository, "sha": self.revisions[revision],
                "private": False, "tags": [], "downloads": 0, "siblings": siblings}
        text = self.faults.get("listing") or json.dumps(body).encode()
        return self.send(request, 200, [("Content-Type", "application/json")], text)

    def answer_tree(self, request):
        """What the hub's own library asks for besides."""
        entries = [{"type": "file", "path": name, "size": len(content), "oid": git_sha1(content),
                    **({"lfs": {"oid": self.etag(name), "size": len(content), "pointerSize": 130}} if self.linked(name) else {})}
                   for name, content in self.files.items()]
        return self.send(request, 200, [("Content-Type", "application/json")], json.dumps(entries).encode())

    def answer_file(self, request, revision, name):
        faults = self.faults
        if name not in self.files or revision not in self.revisions:
            return self.send(request, 404, [("X-Error-Code", "EntryNotFound")])
        content, etag = self.files[name], faults.get("etags", {}).get(name) or self.etag(name)
        commit = faults.get("commit") or self.revisions[revision]
        headers = [("X-Repo-Commit", commit), ("Accept-Ranges", "bytes")]
        if not self.linked(name):
            headers += [("ETag", f'"{etag}"')]
            if request.command == "HEAD":
                return self.send(request, 200, headers + [("Content-Length", str(len(content)))])
            return self.send_content(request, name, content, headers)
        size = faults.get("sizes", {}).get(name, len(content))
        with self.lock:
            self.counts["signature"] = signature = self.counts.get("signature", 0) + 1
        headers += [("X-Linked-Etag", f'"{etag}"'), ("X-Linked-Size", str(size)),
                    ("Location", f"{self.cdn_endpoint}/blobs/{name}?signature={signature}")]
        return self.send(request, faults.get("redirect", 302), headers)

    def answer_cdn(self, request):
        url = urllib.parse.urlsplit(request.path)
        name = url.path.rpartition("/")[2]
        if name not in self.files:
            return self.send(request, 404)
        if self.faults.get("expired") and self.once("expired", self.faults["expired"]):
            return self.send(request, 403)
        if self.faults.get("cdn_status") and self.once("cdn_status", self.faults.get("times", 1)):
            return self.send(request, self.faults["cdn_status"], self.faults.get("headers", ()))
        return self.send_content(request, name, self.files[name], [("ETag", '"irrelevant"')])

    def send_content(self, request, name, content, headers):
        faults, wanted = self.faults, request.headers.get("Range")
        first, last, status = 0, len(content) - 1, 200
        if wanted and not faults.get("no_ranges") and content:
            begin, _, end = wanted.removeprefix("bytes=").partition("-")
            first, last, status = int(begin), min(int(end or last), last), 206
            total = faults.get("range_total", len(content))
            headers = headers + [("Content-Range", f"bytes {first + faults.get('shift', 0)}-{last}/{total}")]
        body = content[first:last + 1] + b"x" * faults.get("surplus", 0)
        if faults.get("wrong_bytes") == name and first == 0 and self.once("wrong_bytes", faults.get("times", 1 << 30)):
            body = bytes([body[0] ^ 1]) + body[1:]
        cut = faults.get("cut")
        request.send_response(status)
        for header, value in headers:
            request.send_header(header, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if cut and len(body) > cut and self.once("cut", faults.get("times", 1)):
            body, request.close_connection = body[:cut], True
        for at in range(0, len(body), 65536):
            gate = faults.get("gate")               # after so many bytes the line stands still
            while gate is not None and self.sent >= gate and "gate" in faults:
                time.sleep(0.02)
            request.wfile.write(body[at:at + 65536])
            with self.lock:
                self.sent += len(body[at:at + 65536])
