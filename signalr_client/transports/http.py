"""Every HTTP request of the client: headers, cookies, tokens, and aiohttp's errors in our words. Room: transports.

Spec: client-behaviour.md, "A6. Fixed headers and user agent", "C. Access tokens".
"""

from __future__ import annotations

import asyncio
import io
import platform
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import aiohttp
from aiohttp_socks import ProxyError
from yarl import URL

from signalr_client.core.negotiation import redact_url
from signalr_client.errors import TransportError
from signalr_client.transports.base import HttpOptions
from signalr_client.transports.sessions import Sessions, request_address
from signalr_client.transports.tokens import AccessTokens
from signalr_client.types import TransferFormat

__all__ = ["HttpClient", "HttpResponse", "explain", "hint"]

# RuntimeError: the caller's session is closed
_FAILURES: Final = (aiohttp.ClientError, OSError, TimeoutError, ValueError, RuntimeError, ProxyError)
_URL: Final = re.compile(r"[a-z+]+://\S+")
_UNKNOWN_AUTHORITY: Final = (18, 19, 20, 21)  # OpenSSL's codes for a certificate whose issuer it does not know
_EVENT_STREAM: Final = "text/event-stream"
_CONTENT_TYPES: Final = {TransferFormat.TEXT: "text/plain;charset=UTF-8", TransferFormat.BINARY: "application/octet-stream"}

_LARGE: Final = 2**19  # bytes from which on aiohttp should send a body in pieces, so that the event loop gets its turns

REQUEST_TIMEOUT: Final = 100.0  # seconds; the TypeScript client's: longer than the 90 s that a server lets a poll wait


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response that was read to its end."""

    status: int
    reason: str
    body: bytes

    @property
    def accepted(self) -> bool:
        """Whether the server did what it was asked to."""
        return 200 <= self.status < 300

    def __str__(self) -> str:
        """Return what is said of a response that was no success."""
        return f"Response status code does not indicate success: {self.status} ({self.reason})."


class HttpClient:
    """The HTTP side of one connection, from its start to its end; cookies that a response sets go with the requests after it."""

    def __init__(self, options: HttpOptions) -> None:
        self.options = options
        self.tokens = AccessTokens(options.access_token_factory)
        # One that the caller gave wins; an empty one takes the header away, as in the .NET client.
        self._headers = {"User-Agent": user_agent(), "X-Requested-With": "XMLHttpRequest"}
        for name, value in options.headers.items():
            for default in [key for key in self._headers if key.lower() == name.lower()]:
                del self._headers[default]
            if value or name.lower() != "user-agent":
                self._headers[name] = value
        self._sessions = Sessions(options, sends_user_agent=any(name.lower() == "user-agent" for name in self._headers))

    async def request(
        self, method: str, url: str, *, data: bytes | None = None, headers: Mapping[str, str] | None = None, fresh: bool = False
    ) -> HttpResponse:
        """Send a request and read the answer, whatever its status; a 401 is tried once more with a fresh token.

        Args:
            method, url, data, headers: of the request.
            fresh: ask for a new token first, as a negotiate request does; then a 401 is final.

        Raises:
            TransportError: no answer came.
        """
        if fresh:
            token, just_asked = await self.tokens.fresh(), True
        else:
            token, just_asked = await self.tokens.current()
        response = await self._request(method, url, token, data, headers)
        if response.status == 401 and not just_asked and self.tokens.renewable:
            response = await self._request(method, url, await self.tokens.fresh(), data, headers)
        return response

    async def refresh(self, url: str) -> HttpResponse:
        """Ask the server to accept a new token; it is used from now on if the server does.

        Raises:
            TransportError: no answer came.
        """
        token = await self.tokens.ask()
        response = await self._request("POST", url, token, None, None)
        if response.accepted:
            self.tokens.keep(token)
        return response

    async def post(self, url: str, data: bytes, transport: str, transfer_format: TransferFormat) -> None:
        """Send *data* as the body of a POST.

        Raises:
            TransportError: the server did not take it.
        """
        answer = await self.request("POST", url, data=data, headers={"Content-Type": _CONTENT_TYPES[transfer_format]})
        if not answer.accepted:
            raise TransportError(f"{transport}: the server did not take a message. {answer}", transport, answer.status)

    async def poll(self, url: str) -> HttpResponse | None:
        """Return the answer to one poll, or None when there was none within the time that polls are given.

        Raises:
            TransportError: the server could not be reached.
        """
        try:
            return await self.request("GET", url)
        except TransportError as exc:
            if isinstance(exc.__cause__, TimeoutError) and not isinstance(exc.__cause__, aiohttp.ConnectionTimeoutError):
                return None
            raise

    async def event_stream(self, url: str) -> aiohttp.ClientResponse:
        """Return the answer to a GET of *url* that has begun and does not end, for the caller to read and to close.

        Raises:
            TransportError: the server could not be reached, refused, or answered with something else.
        """
        token, just_asked = await self.tokens.current()
        response = await self._open_event_stream(url, token)
        if response.status == 401 and not just_asked and self.tokens.renewable:
            response.close()
            response = await self._open_event_stream(url, await self.tokens.fresh())
        if response.status == 200 and response.content_type == _EVENT_STREAM:
            return response
        response.close()
        if response.status == 200:
            text = f"The server answered with '{response.content_type}' where an event stream was expected."
        else:
            text = str(HttpResponse(response.status, response.reason or "", b""))
        raise TransportError(f"ServerSentEvents failed: {text}", "ServerSentEvents", response.status)

    async def websocket(self, url: str) -> aiohttp.ClientWebSocketResponse[bool]:
        """Return a WebSocket to *url*, with a token asked for now.

        Raises:
            TransportError: it could not be opened.
        """
        token = await self.tokens.fresh()
        session, way = self._sessions.way(url)
        timeout = aiohttp.ClientWSTimeout(ws_close=self.options.close_timeout)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                socket: aiohttp.ClientWebSocketResponse[bool] = await session.ws_connect(
                    self._stream_address(url, token),
                    timeout=timeout,
                    headers=self._stream_headers(token),
                    max_msg_size=0,  # a frame may hold many messages: the limit is the hub protocol's
                    decode_text=False,
                    **way,
                )
                return socket
        except aiohttp.WSServerHandshakeError as exc:
            raise TransportError(_refused_upgrade(exc), "WebSockets", exc.status) from None  # it shows the URL: see _cause
        except _FAILURES as exc:
            raise TransportError(f"WebSockets failed: {explain(exc)}", "WebSockets") from _cause(exc)

    async def aclose(self) -> None:
        """Close our own sessions; the caller's is left as it is."""
        await self._sessions.aclose()

    async def _open_event_stream(self, url: str, token: str | None) -> aiohttp.ClientResponse:
        session, way = self._sessions.way(url)
        headers = _merged(self._stream_headers(token), {"Accept": _EVENT_STREAM, "Cache-Control": "no-cache"})
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                return await session.get(
                    self._stream_address(url, token),
                    headers=headers,
                    timeout=aiohttp.ClientTimeout(total=None),
                    raise_for_status=False,
                    **way,
                )
        except _FAILURES as exc:
            raise TransportError(f"ServerSentEvents failed: {explain(exc)}", "ServerSentEvents") from _cause(exc)

    async def _request(
        self, method: str, url: str, token: str | None, data: bytes | None, headers: Mapping[str, str] | None
    ) -> HttpResponse:
        session, way = self._sessions.way(url)
        try:
            async with session.request(
                method,
                _address(url, token),
                data=io.BytesIO(data) if data is not None and len(data) > _LARGE else data,
                headers=_merged(self._request_headers(token), headers or {}),
                timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT),
                raise_for_status=False,  # whatever the caller's session is set to: statuses are looked at here
                **way,
            ) as response:
                return HttpResponse(response.status, response.reason or "", await response.read())
        except _FAILURES as exc:
            raise TransportError(explain(exc)) from _cause(exc)

    def _request_headers(self, token: str | None) -> dict[str, str]:
        return _merged(self._headers, {"Authorization": f"Bearer {token}"} if token else {})

    # What browsers cannot send with a header: WebSockets and event streams.

    def _stream_address(self, url: str, token: str | None) -> URL:
        address = _address(url, token)
        return address.extend_query(access_token=token) if token and self.options.access_token_in_query else address

    def _stream_headers(self, token: str | None) -> dict[str, str]:
        return self._request_headers(None if self.options.access_token_in_query else token)


def _address(url: str, token: str | None) -> URL:
    """Return where a request goes. A token leaves no place for a name and password in the URL: both are one header."""
    address = request_address(url)
    return address.with_user(None) if token and address.user is not None else address


def _merged(headers: Mapping[str, str], winners: Mapping[str, str]) -> dict[str, str]:
    """Return both; a name stands there once, however it is written."""
    taken = {name.lower() for name in winners}
    return {name: value for name, value in headers.items() if name.lower() not in taken} | dict(winners)


def explain(exc: BaseException) -> str:
    """Return what went wrong in a request, and what to do about it where that is known."""
    match exc:
        case aiohttp.ClientConnectorCertificateError():
            return explain(exc.certificate_error)
        case ssl.SSLCertVerificationError():
            text = f"the server's certificate was not accepted: {exc.verify_message.rstrip('.')}"
            unknown = exc.verify_code in _UNKNOWN_AUTHORITY
            return f"{text}. Pass its authority as ssl=ssl.create_default_context(cafile=...)" if unknown else text
        case aiohttp.ClientConnectorSSLError() | ssl.SSLError() if "WRONG_VERSION" in str(exc) or "RECORD_LAYER" in str(exc):
            return "the server speaks no TLS at this address: use http:// there, or the port for https://"
        case aiohttp.ClientOSError() | ssl.SSLError() if "CERTIFICATE_REQUIRED" in str(exc):
            return "the server asks for a client certificate: load one into the SSLContext that is passed as ssl="
        case ProxyError():
            return f"the proxy opened no tunnel: {exc}"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy opened no tunnel: {exc.status} {exc.message}"
        case aiohttp.ClientProxyConnectionError():
            return f"the proxy cannot be reached: {exc}"
        case aiohttp.ConnectionTimeoutError():
            return "the server could not be reached in time"
        case TimeoutError():
            return f"no answer within {REQUEST_TIMEOUT:g} s"
        case aiohttp.InvalidURL():
            return "the URL cannot be used"
        case aiohttp.ClientResponseError():
            return f"{exc.message or 'unexpected answer'} (status {exc.status})"
        case _:
            return _URL.sub(lambda found: redact_url(found[0]), str(exc)) or type(exc).__name__


def hint(error: TransportError) -> str:
    """Return what may be behind a first request that was not answered, if there is something to be said."""
    if not isinstance(error.__cause__, aiohttp.ServerDisconnectedError):
        return ""
    return " without an answer: it may speak only https://, or ask for a client certificate (ssl=)"


def _cause(exc: BaseException) -> BaseException | None:
    """Return what may be shown as the cause of an error: not those of aiohttp that show the URL, which may hold a token."""
    return None if isinstance(exc, aiohttp.ClientResponseError | aiohttp.InvalidURL) or _URL.search(str(exc)) else exc


def _refused_upgrade(exc: aiohttp.WSServerHandshakeError) -> str:
    text = f"WebSockets failed: The server returned status code '{exc.status}' when status code '101' was expected."
    if exc.status == 404:
        text += (
            " Either this is not a SignalR endpoint, or the server does not know the connection id: with several servers behind"
            " one address, check that sticky sessions are enabled."
        )
    return text


def user_agent() -> str:
    """Return the header in the official clients' format."""
    try:
        full = version("signalr-client")
    except PackageNotFoundError:  # run from a checkout that was never installed
        full = "Unknown Version"
    short = ".".join(full.split(".")[:2]) if full[0].isdigit() else "0.0"
    system = {"Linux": "Linux", "Darwin": "macOS", "Windows": "Windows NT"}.get(platform.system(), "Unknown OS")
    return f"Microsoft SignalR/{short} ({full}; {system}; Python; {platform.python_version()})"
