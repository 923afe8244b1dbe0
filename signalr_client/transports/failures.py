"""Failed requests and broken connections: what happened, what to do about it, and no secret in either. Room: transports.

Exceptions of aiohttp stop in this room. They hold URLs, headers and proxy credentials, so they become neither the ``__cause__``
nor the ``__context__`` of an error that leaves it: callers build the error inside the ``except`` block and raise it after the block.
A local variable that holds the error would keep the whole frame alive through the traceback, so they delete it.
"""

from __future__ import annotations

import os
import re
import ssl
from typing import Final

import aiohttp

from signalr_client.core.negotiation import redact_url
from signalr_client.errors import ProtocolError, TransportError

__all__ = [
    "FAILURES",
    "NO_TUNNEL",
    "OVERLOADED",
    "REQUEST_TIMEOUT",
    "NoResponseError",
    "RequestError",
    "RequestLostError",
    "TunnelError",
    "cause",
    "connect_error",
    "explain",
    "frame_limit",
    "request_error",
    "too_large",
]

REQUEST_TIMEOUT: Final = 100.0
"""Seconds for one request, as in the TypeScript client: longer than the 90 s for which ASP.NET Core holds a poll."""

FAILURES: Final = (aiohttp.ClientError, OSError, TimeoutError, ValueError, RuntimeError)
"""What a request may raise. ValueError: a header or URL is malformed; RuntimeError: the caller's session is closed."""

OVERLOADED: Final = " The server is overloaded, or not running behind its proxy: try again later."
"""The usual reason for a response with status 503, and what to do."""

NO_TUNNEL: Final = (
    "WebSockets without TLS need aiohttp-socks to get through a proxy: install it with pip install 'signalr-sdk[proxy]', or exclude"
    " WebSockets with transports="
)
"""The error message if the tunnel that such a WebSocket needs cannot be opened because its library is not installed."""

FRAME_SLACK: Final = 2**20
"""Bytes that one frame may have beyond one message of the largest size, because servers put several messages into a frame.

ASP.NET Core buffers 64 KiB before it waits, so a frame of its has at most that and one message.
"""

_URL: Final = re.compile(r"[a-z+]+://\S+")
_UNKNOWN_AUTHORITY: Final = (18, 19, 20, 21)  # OpenSSL's codes for a certificate whose issuer it does not know


class RequestLostError(aiohttp.ClientConnectionError):
    """The connection was lost while a request was in flight; ``__cause__`` is aiohttp's own error.

    Unlike that one, it does not make aiohttp send the request again. It never leaves this room.
    """


class TunnelError(aiohttp.ClientConnectionError):
    """A proxy opened no tunnel for a WebSocket without TLS. The text says why. It never leaves this room."""


class RequestError(TransportError):
    """A request got no complete response.

    ``unanswered``: the time for it has passed without a response. ``disconnected``: the server closed the connection instead of
    responding.
    """

    unanswered = False
    disconnected = False


class NoResponseError(TransportError):
    """A transport could not be used, because a response did not arrive in time: to its first request, or to the handshake."""


def frame_limit(max_message_size: int) -> int:
    """Return the largest frame to accept, in bytes: a WebSocket message, an event, or the response to a poll."""
    return max_message_size + FRAME_SLACK


def too_large(what: str, max_message_size: int) -> ProtocolError:
    """Return the error for a frame that is larger than `frame_limit`."""
    return ProtocolError(
        f"The server sent {what} of more than {frame_limit(max_message_size):,} bytes: max_message_size={max_message_size:,} allows"
        f" that many bytes for one message, and {FRAME_SLACK:,} for others in the same frame. Raise max_message_size to accept it."
    )


def request_error(exc: BaseException, *, begun: bool) -> RequestError:
    """Return the error for a request that failed with *exc*; *begun*: after the response had begun."""
    original = _original(exc)
    timed_out = isinstance(original, TimeoutError) and not isinstance(original, aiohttp.ConnectionTimeoutError)
    text = f"the response was not complete within {REQUEST_TIMEOUT:g} s" if begun and timed_out else explain(original)
    error = RequestError(text)
    error.unanswered = timed_out and not begun
    error.disconnected = isinstance(original, aiohttp.ServerDisconnectedError) and not _cut_off(original)
    error.__cause__ = cause(original)
    return error


def connect_error(transport: str, exc: BaseException, limit: float) -> TransportError:
    """Return the error for a transport that could not connect within *limit* seconds, or failed with *exc* before."""
    if isinstance(exc, TimeoutError) and not isinstance(exc, aiohttp.ConnectionTimeoutError):
        error: TransportError = NoResponseError(f"{transport} failed: no answer within {round(limit, 2):g} s", transport)
    else:
        error = TransportError(f"{transport} failed: {explain(exc)}", transport)
    error.__cause__ = cause(exc)
    return error


def explain(exc: BaseException) -> str:
    """Return what went wrong in a request or on a connection, and what to do about it where that is known."""
    exc = _original(exc)
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
        case TunnelError():
            return str(exc)
        case aiohttp.ClientHttpProxyError():
            return f"the proxy opened no tunnel: {exc.status} {exc.message}"
        case aiohttp.ClientProxyConnectionError():
            return f"the proxy cannot be reached: {exc}"
        case aiohttp.ConnectionTimeoutError():
            return "the server could not be reached in time"
        case TimeoutError():
            return f"no answer within {REQUEST_TIMEOUT:g} s"
        case aiohttp.ServerDisconnectedError() if _cut_off(exc):
            return "the connection was lost in the middle of the response"
        case aiohttp.InvalidURL():
            return "the URL cannot be used"
        case aiohttp.ClientResponseError():
            return f"{exc.message or 'unexpected answer'} (status {exc.status})"
        case _:
            return _URL.sub(_shown, str(exc)) or type(exc).__name__


def _shown(found: re.Match[str]) -> str:
    """Return a URL in a text without its secrets, and nearly nothing of one that cannot be parsed: it may contain any."""
    try:
        return redact_url(found[0])
    except ValueError:
        return f"{found[0].partition('://')[0]}://***"


def _cut_off(exc: aiohttp.ServerDisconnectedError) -> bool:
    """Whether the response had begun. aiohttp then takes what it has received for the message, headers and cookies included."""
    return not isinstance(exc.message, str)


def cause(exc: BaseException) -> BaseException | None:
    """Return what may be the ``__cause__`` of an error: the error of the socket or of TLS, if there is one.

    aiohttp's own exceptions name the URL, the headers or the proxy, which may hold secrets.
    """
    match _original(exc):
        case aiohttp.ClientConnectorCertificateError() as original:
            return original.certificate_error
        case aiohttp.ClientConnectorError() as original:
            return original.os_error
        case aiohttp.ClientOSError() as original if original.errno is not None:
            return OSError(original.errno, os.strerror(original.errno))
        case TimeoutError():
            return TimeoutError()
        case OSError() as original if not isinstance(original, aiohttp.ClientError):
            return original
        case _:
            return None


def _original(exc: BaseException) -> BaseException:
    return exc.__cause__ if isinstance(exc, RequestLostError) and exc.__cause__ is not None else exc
