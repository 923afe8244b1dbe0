"""A hub of our server with a gate that records requests and can reject them, cut them, or add cookies to negotiate responses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiohttp import web

from signalr_client.server import Hub, map_hub
from tests.support.served_app import served_app

__all__ = ["Gate", "Handler", "Seen", "gated_hub", "intercepted_hub"]


class Echo(Hub):
    """The hub."""

    def echo(self, value: object) -> object:
        """Return the value."""
        return value


class Seen(NamedTuple):
    """One request.

    Attributes:
        kind: "negotiate", "WebSocket", or the method.
        tokens: the Authorization headers.
        headers: all headers, unchanged.
        path: the path with the query.
    """

    kind: str
    tokens: list[str]
    headers: list[tuple[str, str]]
    path: str

    def all(self, name: str) -> list[str]:
        """Return the values of all headers with this name."""
        return [value for header, value in self.headers if header.lower() == name.lower()]


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Verdict = Callable[[Seen], int | None]


class Gate:
    """Controls and records the requests to the hub.

    Attributes:
        url: the URL of the hub.
        seen: the requests so far.
        verdict: returns the status to reject a request with, 0 to cut its connection, or None to accept it.
        cookies: Set-Cookie headers to add to negotiate responses.
    """

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self.verdict: Verdict = lambda _: None
        self.cookies: list[str] = []

    def refuse(self, status: int, *kinds: str) -> None:
        """Reject requests of these kinds from now on; with status 0, cut their connections."""
        self.verdict = lambda seen: status if seen.kind in kinds else None

    def shown(self) -> list[tuple[str, str]]:
        """Return the kind and token of each request; repeated requests of the same kind and token are listed once."""
        shown: list[tuple[str, str]] = []
        for seen in self.seen:
            entry = (seen.kind, ", ".join(seen.tokens).removeprefix("Bearer "))
            if entry not in shown[-2:]:  # polls and POSTs are concurrent
                shown.append(entry)
        return shown

    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Record the request, then accept or reject it."""
        headers = [(name.decode(), value.decode()) for name, value in request.raw_headers]
        kind = "negotiate" if request.path.endswith("/negotiate") else request.method
        if "upgrade" in request.headers.get("Connection", "").lower():
            kind = "WebSocket"
        seen = Seen(kind, request.headers.getall("Authorization", []), headers, request.path_qs)
        self.seen.append(seen)
        status = self.verdict(seen)
        if status == 0:
            assert request.transport is not None
            request.transport.abort()
        if status is not None:
            await request.read()
            return web.Response(status=status or 500)
        answer = await handler(request)
        if kind == "negotiate":
            for cookie in self.cookies:
                answer.headers.add("Set-Cookie", cookie)
        return answer


@asynccontextmanager
async def intercepted_hub(
    intercept: Callable[[web.Request, Handler], Awaitable[web.StreamResponse]], *, handler_cancellation: bool = False
) -> AsyncIterator[str]:
    """Run a hub with the method Echo during the block; *intercept* gets each request, and the handler to pass it on to."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await intercept(request, handler)

    app = web.Application(middlewares=[middleware])
    map_hub(app, "/hub", Echo)
    async with served_app(app, handler_cancellation=handler_cancellation) as url:
        yield url + "/hub"


@asynccontextmanager
async def gated_hub() -> AsyncIterator[Gate]:
    """Run a gated hub during the block."""
    gate = Gate()

    async with intercepted_hub(gate.handle) as url:
        gate.url = url
        yield gate
