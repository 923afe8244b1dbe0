"""Every HTTP request of the client: headers, tokens, timeouts and limits. Room: transports.

What a request may raise, and how that reads, is in `failures`. The rules for tokens are in docs/transports.md, "Access tokens".
"""

from __future__ import annotations

import asyncio
import logging
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import aiohttp
from yarl import URL

from signalr_client.errors import ProtocolError, TransportError
from signalr_client.transports.base import HttpOptions
from signalr_client.transports.failures import (
    FAILURES,
    OVERLOADED,
    REQUEST_TIMEOUT,
    RequestError,
    connect_error,
    frame_limit,
    request_error,
    too_large,
)
from signalr_client.transports.request_body import RequestBody
from signalr_client.transports.sessions import Sessions, request_address
from signalr_client.transports.tokens import AccessTokens
from signalr_client.types import TransferFormat

__all__ = ["HttpClient", "HttpResponse"]

_EVENT_STREAM: Final = "text/event-stream"
_CONTENT_TYPES: Final = {TransferFormat.TEXT: "text/plain;charset=UTF-8", TransferFormat.BINARY: "application/octet-stream"}
_RESPONSE_LIMIT: Final = 2**20  # bytes of a response that is not a poll's; a negotiate response has a few hundred


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response that was read to its end. Its body may hold tokens, so the repr leaves it out."""

    status: int
    reason: str
    body: bytes = field(repr=False)

    @property
    def accepted(self) -> bool:
        """Whether the request succeeded (2xx)."""
        return 200 <= self.status < 300

    def __str__(self) -> str:
        """Return the error message for a failed response."""
        return f"Response status code does not indicate success: {self.status} ({self.reason})."


class HttpClient:
    """The HTTP side of one connection, from its start to its end; cookies that a response sets go with the requests after it.

    No request is repeated because its connection was lost: see `sessions.send_once`.
    """

    def __init__(self, options: HttpOptions, logger: logging.Logger) -> None:
        self.options = options
        self.log = logger
        self.tokens: AccessTokens = AccessTokens(options.access_token_factory)
        # A header of the caller's wins; an empty User-Agent removes the header, as in the .NET client.
        self._headers = {"User-Agent": _USER_AGENT, "X-Requested-With": "XMLHttpRequest"}
        for name, value in options.headers.items():
            for default in [key for key in self._headers if key.lower() == name.lower()]:
                del self._headers[default]
            if value or name.lower() != "user-agent":
                self._headers[name] = value
        self._sessions = Sessions(options, sends_user_agent=any(name.lower() == "user-agent" for name in self._headers))

    async def request(
        self,
        method: str,
        url: str,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        fresh: bool = False,
        limit: int | None = _RESPONSE_LIMIT,
    ) -> HttpResponse:
        """Send a request and read the response, whatever its status; after a 401 it is sent once more with a fresh token.

        Args:
            method: of the request.
            url: of the request.
            data: its body.
            headers: besides those of every request.
            fresh: ask for a new token first, as a negotiate request does; then a 401 is final.
            limit: bytes that the response may have; None for no limit.

        Raises:
            RequestError: no complete response came.
            ProtocolError: the response is longer than *limit*.
        """
        if fresh:
            token, just_asked = await self.tokens.fresh(), True
        else:
            token, just_asked = await self.tokens.current()
        response = await self._request(method, url, token, data, headers, limit)
        if response.status == 401 and not just_asked and self.tokens.renewable:
            response = await self._request(method, url, await self.tokens.fresh(), data, headers, limit)
        return response

    async def refresh(self, url: str) -> HttpResponse:
        """Ask the server to accept a new token; it is used from now on if the server does.

        Raises:
            RequestError: no complete response came.
        """
        token = await self.tokens.ask()
        response = await self._request("POST", url, token, None, None, _RESPONSE_LIMIT)
        if response.accepted:
            self.tokens.keep(token)
        return response

    async def post(self, url: str, data: bytes, transport: str, transfer_format: TransferFormat) -> None:
        """Send *data* as the body of a POST.

        Raises:
            TransportError: the server refused it, or was not reached.
        """
        headers = {"Content-Type": _CONTENT_TYPES[transfer_format]}
        try:
            answer = await self.request("POST", url, data=data, headers=headers)
        except RequestError as exc:
            raise TransportError(f"{transport}: a message could not be sent: {exc}", transport) from exc.__cause__
        if not answer.accepted:
            raise TransportError(f"{transport}: the server refused a message. {answer}", transport, answer.status)

    async def poll(self, url: str) -> HttpResponse | None:
        """Return the response to one poll, or None if none had begun when the time for one request was over.

        Only then may the caller poll again. A response that was cut off may have carried messages, which the server does not
        send a second time.

        Raises:
            RequestError: the server could not be reached, or its response was cut off.
            ProtocolError: the response is longer than `max_message_size` allows.
        """
        largest = self.options.max_message_size
        try:
            return await self.request("GET", url, limit=None if largest is None else frame_limit(largest))
        except RequestError as exc:
            if exc.unanswered:
                return None
            raise
        except _TooLargeError:
            assert largest is not None
            error = too_large("the response to a poll", largest)
        try:
            raise error
        finally:
            del error  # see `failures`

    async def event_stream(self, url: str, limit: float) -> aiohttp.ClientResponse:
        """Return the response to a GET of *url* that has begun and does not end, for the caller to read and to close.

        Raises:
            NoResponseError: the response did not begin within *limit* seconds.
            TransportError: the server could not be reached, refused, or responded with something else.
        """
        token, just_asked = await self.tokens.current()
        response = await self._open_event_stream(url, token, limit)
        if response.status == 401 and not just_asked and self.tokens.renewable:
            response.close()
            response = await self._open_event_stream(url, await self.tokens.fresh(), limit)
        if response.status == 200 and response.content_type == _EVENT_STREAM:
            return response
        response.close()
        if response.status == 200:
            text = f"The server answered with '{response.content_type}' where an event stream was expected."
        else:
            text = str(HttpResponse(response.status, response.reason or "", b""))
        raise TransportError(f"ServerSentEvents failed: {text}", "ServerSentEvents", response.status)

    async def websocket(self, url: str, limit: float) -> aiohttp.ClientWebSocketResponse[bool]:
        """Return a WebSocket to *url*, with a token asked for now.

        Raises:
            NoResponseError: the server did not respond within *limit* seconds.
            TransportError: it could not be opened.
        """
        token = await self.tokens.fresh()
        largest = self.options.max_message_size
        try:
            session, way = self._sessions.way(url, upgrade=True)
            async with asyncio.timeout(limit):
                socket: aiohttp.ClientWebSocketResponse[bool] = await session.ws_connect(
                    self._stream_address(url, token),
                    timeout=aiohttp.ClientWSTimeout(ws_close=self.options.close_timeout),
                    headers=self._stream_headers(token),
                    max_msg_size=0 if largest is None else frame_limit(largest) + 1,  # aiohttp refuses as many bytes
                    autoclose=False,  # the transport answers a close frame: see WebSocketTransport.close
                    decode_text=False,
                    **way,
                )
                return socket
        except aiohttp.WSServerHandshakeError as exc:
            error = TransportError(_refused_upgrade(exc.status), "WebSockets", exc.status)
        except FAILURES as exc:
            error = connect_error("WebSockets", exc, limit)
        try:
            raise error
        finally:
            del error  # see `failures`

    async def aclose(self) -> None:
        """Close our own sessions; the caller's is left as it is."""
        await self._sessions.aclose()

    async def _open_event_stream(self, url: str, token: str | None, limit: float) -> aiohttp.ClientResponse:
        headers = _merged(self._stream_headers(token), {"Accept": _EVENT_STREAM, "Cache-Control": "no-cache"})
        try:
            session, way = self._sessions.way(url)
            async with asyncio.timeout(limit):
                return await session.get(
                    self._stream_address(url, token),
                    headers=headers,
                    timeout=aiohttp.ClientTimeout(total=None),
                    raise_for_status=False,
                    **way,
                )
        except FAILURES as exc:
            error = connect_error("ServerSentEvents", exc, limit)
        try:
            raise error
        finally:
            del error  # see `failures`

    async def _request(
        self,
        method: str,
        url: str,
        token: str | None,
        data: bytes | None,
        headers: Mapping[str, str] | None,
        limit: int | None,
    ) -> HttpResponse:
        body = None if data is None else RequestBody(data)
        response: aiohttp.ClientResponse | None = None
        answered = False
        try:
            session, way = self._sessions.way(url)
            response = await session.request(
                method,
                _address(url, token),
                data=body,
                headers=_merged(self._request_headers(token), headers or {}),
                timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT),
                raise_for_status=False,  # whatever the caller's session is set to: statuses are looked at here
                **way,
            )
            content = await _read(response, limit)
            answered = True
            return HttpResponse(response.status, response.reason or "", content)
        except FAILURES as exc:
            error = request_error(exc, begun=response is not None)
        finally:
            if response is not None:
                response.close()  # the connection of a response that was read to its end is no longer the response's
            if body is not None:
                body.abort(unless_complete=answered)
        try:
            raise error
        finally:
            del error  # see `failures`

    def _request_headers(self, token: str | None) -> dict[str, str]:
        return _merged(self._headers, {"Authorization": f"Bearer {token}"} if token else {})

    # WebSockets and event streams: browsers cannot set headers for them, so their token may have to travel in the query.

    def _stream_address(self, url: str, token: str | None) -> URL:
        address = _address(url, token)
        return address.extend_query(access_token=token) if token and self.options.access_token_in_query else address

    def _stream_headers(self, token: str | None) -> dict[str, str]:
        return self._request_headers(None if self.options.access_token_in_query else token)


class _TooLargeError(ProtocolError):
    """A response is longer than the limit of its request."""


async def _read(response: aiohttp.ClientResponse, limit: int | None) -> bytes:
    """Return the body of a response, which may have *limit* bytes."""
    pieces: list[bytes] = []
    size = 0
    while piece := await response.content.readany():
        size += len(piece)
        if limit is not None and size > limit:
            raise _TooLargeError(f"The response has more than {limit:,} bytes.")
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _address(url: str, token: str | None) -> URL:
    """Return where a request goes. A token replaces a name and password in the URL, because both are sent in one header."""
    address = request_address(url)
    return address.with_user(None) if token and address.user is not None else address


def _merged(headers: Mapping[str, str], winners: Mapping[str, str]) -> dict[str, str]:
    """Return both; a name is there once, whatever its case."""
    taken = {name.lower() for name in winners}
    return {name: value for name, value in headers.items() if name.lower() not in taken} | dict(winners)


def _refused_upgrade(status: int) -> str:
    text = f"WebSockets failed: The server returned status code '{status}' when status code '101' was expected."
    if status == 404:
        text += (
            " Either this is not a SignalR endpoint, or the server does not know the connection id: with several servers behind"
            " one address, check that sticky sessions are enabled."
        )
    elif status == 503:
        text += OVERLOADED
    return text


def user_agent() -> str:
    """Return the User-Agent header in the official clients' format."""
    try:
        full = version("signalr-client")
    except PackageNotFoundError:  # run from a checkout that was never installed
        full = "Unknown Version"
    short = ".".join(full.split(".")[:2]) if full[0].isdigit() else "0.0"
    system = {"Linux": "Linux", "Darwin": "macOS", "Windows": "Windows NT"}.get(platform.system(), "Unknown OS")
    return f"Microsoft SignalR/{short} ({full}; {system}; Python; {platform.python_version()})"


_USER_AGENT: Final = user_agent()  # made at import, because it reads files: a running event loop must not wait for a disk
