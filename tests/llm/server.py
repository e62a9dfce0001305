"""A server that speaks the OpenAI chat protocol, well or badly, on a port of this machine.

::

    with ChatServer([rate_limited(1), says("hello")]) as server:
        LiteLLM(api_base=server.address, api_key="none")

Tests that use it mark themselves with ``pytest.mark.allow_hosts(["127.0.0.1"])``.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat
from types import TracebackType
from typing import Any, Self

__all__ = [
    "ChatServer",
    "Reply",
    "broken_body",
    "calls",
    "dribbles",
    "drops",
    "fails",
    "hangs",
    "rate_limited",
    "refuses",
    "says",
]

Body = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What the server does with a request.

    Attributes:
        content: Bytes of the body.
        status: HTTP status.
        headers: More headers.
        trouble: ``"hang"`` says nothing, ``"dribble"`` sends the header and then a byte now and then, ``"drop"`` closes
            the connection.
    """

    content: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    trouble: str = ""


def says(text: str | None, finish_reason: str = "stop", **message: Any) -> Reply:
    """Return a reply with a completion; each word counts as a token."""
    words = len((text or "").split())
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "test-2025",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": text, **message},
            }
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": words, "total_tokens": 7 + words},
    }
    return Reply(json.dumps(body).encode())


def calls(name: str, arguments: str = "{}") -> Reply:
    """Return a reply that calls a tool."""
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
    return says(None, "tool_calls", tool_calls=[call])


def refuses(text: str = "I can't help with that.") -> Reply:
    """Return a reply that declines."""
    return says(None, refusal=text)


def fails(status: int, message: str = "it failed", **error: str) -> Reply:
    """Return an error of the server."""
    return Reply(json.dumps({"error": {"message": message, **error}}).encode(), status)


def rate_limited(seconds: float | str | None = None) -> Reply:
    """Return status 429, with ``Retry-After`` where seconds (or a date) are given."""
    headers = {} if seconds is None else {"Retry-After": str(seconds)}
    return Reply(b'{"error": {"message": "too many requests"}}', 429, headers)


def broken_body(content: bytes = b'{"choices": [') -> Reply:
    """Return a reply whose body is no JSON."""
    return Reply(content)


def hangs() -> Reply:
    """Return a reply that never comes."""
    return Reply(trouble="hang")


def dribbles() -> Reply:
    """Return a reply that sends a byte now and then, and never ends."""
    return Reply(trouble="dribble")


def drops() -> Reply:
    """Return a reply that closes the connection instead."""
    return Reply(trouble="drop")


class ChatServer:
    """The server, for use in ``with``.

    Args:
        script: Replies in order, the last of which is repeated; or a function of the request's body, which is called
            in a thread of its own.

    Attributes:
        requests: Bodies of the requests so far.
    """

    def __init__(self, script: Iterable[Reply] | Callable[[Body], Reply]) -> None:
        self.requests: list[Body] = []
        self._closing = threading.Event()
        self._reply = script if callable(script) else _in_order(script)
        self._server = _Server(("127.0.0.1", 0), self._handler())

    @property
    def address(self) -> str:
        """What to give as ``api_base``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, body: Body) -> Reply:
        self.requests.append(body)
        return self._reply(body)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # header and body in one packet
            timeout = 30.0

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                reply = owner._answer(body)
                self.close_connection = bool(reply.trouble)
                if reply.trouble == "hang":
                    owner._closing.wait(30)
                if reply.trouble in ("hang", "drop"):
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply.content) if not reply.trouble else 10**6))
                self.end_headers()
                self.wfile.write(reply.content)
                self.wfile.flush()
                while reply.trouble == "dribble" and not owner._closing.wait(0.02):
                    self.wfile.write(b" ")
                    self.wfile.flush()

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""


def _in_order(script: Iterable[Reply]) -> Callable[[Body], Reply]:
    replies = list(script)
    left = chain(replies, repeat(replies[-1]))
    return lambda _: next(left)
