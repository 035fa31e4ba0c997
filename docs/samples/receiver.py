"""Receives callhook's webhooks and verifies them. Python 3 is all it needs:

    WEBHOOK_SECRET=whsec_... python3 receiver.py 9000
"""
import base64
import hashlib
import hmac
import http.server
import os
import sys
import time

TOLERANCE_SECONDS = 300


def key_of(secret):
    """A secret of your own without the prefix is used as it is."""
    prefix = "whsec_"
    return base64.b64decode(secret[len(prefix):]) if secret.startswith(prefix) else secret.encode()


def is_genuine(key, headers, body):
    """The body must be the bytes that came: not parsed, not decoded, not written again."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdigit() and abs(time.time() - int(timestamp)) <= TOLERANCE_SECONDS):
        return False
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(digest)
    # While a secret is rotated there are two, with a space between them.
    signatures = headers.get("webhook-signature", "").split(" ")
    return any([hmac.compare_digest(expected, signature.encode()) for signature in signatures])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    key = b""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        good = is_genuine(self.key, self.headers, body)
        if good:
            # Keep the body under its webhook-id here, and do the work afterwards.
            print("call", self.headers["webhook-id"], flush=True)
        self.send_response(204 if good else 401)
        if not good:
            self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    Handler.key = key_of(os.environ["WEBHOOK_SECRET"])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    print("listening on port", server.server_address[1], flush=True)
    server.serve_forever()
