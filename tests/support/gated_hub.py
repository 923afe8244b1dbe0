"""A hub of ours behind a gate that notes every request and can refuse it, cut it, or mark its answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiohttp import web

from signalr_client.server import Hub, map_hub

__all__ = ["Gate", "Seen", "gated_hub"]


class Echo(Hub):
    """The hub behind the gate."""

    def echo(self, value: object) -> object:
        """Return what came."""
        return value


class Seen(NamedTuple):
    """One request.

    Attributes:
        kind: "negotiate", "WebSocket", or the method.
        tokens: its Authorization headers.
        headers: all of them, as they came.
        path: with the query.
    """

    kind: str
    tokens: list[str]
    headers: list[tuple[str, str]]
    path: str

    def all(self, name: str) -> list[str]:
        """Return the values of every header of that name."""
        return [value for header, value in self.headers if header.lower() == name.lower()]


Verdict = Callable[[Seen], int | None]


class Gate:
    """What a test sets and sees.

    Attributes:
        url: the hub's address.
        seen: the requests so far.
        verdict: the status to refuse a request with; 0 cuts its connection, None lets it pass.
        cookies: Set-Cookie headers of the answer to a negotiation.
    """

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self.verdict: Verdict = lambda _: None
        self.cookies: list[str] = []

    def refuse(self, status: int, *kinds: str) -> None:
        """Refuse the requests of these kinds from now on; 0 cuts their connections."""
        self.verdict = lambda seen: status if seen.kind in kinds else None

    def shown(self) -> list[tuple[str, str]]:
        """Return kind and token of each request, those of one kind and token that follow each other only once."""
        shown: list[tuple[str, str]] = []
        for seen in self.seen:
            entry = (seen.kind, ", ".join(seen.tokens).removeprefix("Bearer "))
            if entry not in shown[-2:]:  # polls and POSTs run side by side
                shown.append(entry)
        return shown

    async def handle(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Note the request, and let it pass or not."""
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
async def gated_hub() -> AsyncIterator[Gate]:
    """Run one for as long as the block lasts."""
    gate = Gate()

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        return await gate.handle(request, handler)

    app = web.Application(middlewares=[middleware])
    map_hub(app, "/hub", Echo)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        gate.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hub"
        yield gate
    finally:
        await runner.cleanup()
