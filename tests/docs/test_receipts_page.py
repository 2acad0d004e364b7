"""The handler on the page about receipts stands where strangers may post: it reads no more than it says."""

from __future__ import annotations

import socket
import threading
from http.server import HTTPServer
from typing import Any

import pytest

from otpcore import Engine
from otpcore.contract import CodeOwner
from otpcore.providers.fake import FakeProvider
from otpcore.stores.memory import MemoryStore
from tests.docs.pages import ROOT, blocks, read

HANDLER = next(block for block in blocks(read(ROOT / "docs" / "howto" / "receipts.md")) if block.language == "python")


@pytest.mark.parametrize("length", ["-1", "-65537", "0"])
def test_a_stranger_who_claims_an_odd_length_is_answered_at_once(length: str) -> None:
    """The connection stays open: who waits for its end waits for ever, and keeps what comes meanwhile."""
    shown: dict[str, Any] = {}
    exec(compile(HANDLER.text, "receipts.md", "exec"), shown)
    handler = shown["handler_of"](Engine(MemoryStore(), FakeProvider(owner=CodeOwner.CORE)))
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as stranger:
                stranger.sendall(f"POST /receipts HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n".encode())
                assert stranger.recv(100).startswith(b"HTTP/1.0 403")
        finally:
            server.shutdown()
            thread.join()
