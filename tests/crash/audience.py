"""The customers' endpoints of a crash test: one server, a path an endpoint; it remembers all that came."""
import http.server
import socket
import threading
import zlib

from e2e import PATIENCE


class Receipt:
    def __init__(self, path, headers, body, status):
        self.hook = path.strip("/")
        self.id = headers["webhook-id"]
        self.signature = headers["x-webhook-signature"]
        self.body = body
        self.status = status


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def process_request(self, request, address):
        self.audience.opened()
        super().process_request(request, address)

    def process_request_thread(self, request, address):
        try:
            super().process_request_thread(request, address)
        finally:
            self.audience.closed()

    def handle_error(self, request, address):
        pass  # the sender was killed: that is the test


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.audience.take(self.path, self.headers, body)
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


class Audience:
    """good: 200. slow: 200 after a while. flaky: 500 at first, for one in four. failing: 404. gone: 410.
    Once it is calm, each answers 200."""

    def __init__(self, on_receipt):
        self.on_receipt = on_receipt
        self.calm = False
        self.fresh = []
        self.seen = set()
        self.lock = threading.Lock()
        self.idle = threading.Condition()
        self.open = 0
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.audience = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, hook):
        return f"http://127.0.0.1:{self.port}/{hook}"

    def opened(self):
        with self.idle:
            self.open += 1

    def closed(self):
        with self.idle:
            self.open -= 1
            self.idle.notify_all()

    def status_of(self, hook, identity):
        if self.calm:
            return 200
        if hook == "flaky" and zlib.crc32(identity.encode()) % 4 == 0 and identity not in self.seen:
            return 500
        return {"failing": 404, "gone": 410}.get(hook, 200)

    def take(self, path, headers, body):
        if path == "/barrier":
            return 200
        with self.lock:
            receipt = Receipt(path, headers, body, 0)
            receipt.status = self.status_of(receipt.hook, receipt.id)
            self.seen.add(receipt.id)
            self.fresh.append(receipt)
        self.on_receipt()
        if receipt.hook == "slow" and not self.calm:
            threading.Event().wait(0.01)  # so that attempts are in flight when the kill comes
        return receipt.status

    def settle(self):
        """The sender is dead: returns when everything that it sent was taken. Connections are accepted in
        order, so all of its come before this one."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as s:
            s.sendall(b"POST /barrier HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            while s.recv(4096):
                pass
        with self.idle:
            assert self.idle.wait_for(lambda: self.open == 0, timeout=PATIENCE), "a connection stays open"

    def take_fresh(self):
        with self.lock:
            fresh, self.fresh = self.fresh, []
        return fresh

    def close(self):
        self.server.shutdown()
        self.server.server_close()
