"""Clients that send a request a byte at a time don't hold a connection for ever. (Those that take an answer so:
tests/unit/api/test_http_slow.c, on a clock of its own.)"""
import socket

import pytest

from conftest import API_KEY, PATIENCE


@pytest.mark.parametrize("begin", [
    "GET /v1/webhooks HTTP/1.1\r\nHost: x\r\nX-Padding: ",
    f"POST /v1/webhooks HTTP/1.1\r\nHost: x\r\nX-Api-Key: {API_KEY}\r\nContent-Type: application/json\r\n"
    "Content-Length: 100000\r\n\r\n"])
def test_a_request_that_drips_is_cut_off(make_service, begin):
    """Each byte follows an answer to somebody else, who is served meanwhile; only the server's clock ends it."""
    service = make_service("--dev", "--request-timeout", "1").start()
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as dripping:
        dripping.sendall(begin.encode())
        dripping.setblocking(False)
        got = b""
        while not got:
            assert service.request("GET", "/healthz").status == 200
            try:
                dripping.send(b"a")
                got = dripping.recv(4096)
            except BlockingIOError:
                continue
        assert got.startswith(b"HTTP/1.1 408 ")
