"""Tunnels through a proxy for WebSockets without TLS, with aiohttp-socks. Room: transports.

aiohttp asks a proxy for a tunnel (CONNECT) only if there is TLS. This module is imported only if such a tunnel may be needed, because
aiohttp-socks is optional (extra ``proxy``) and takes a while to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError

from signalr_client.transports.failures import TunnelError

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

__all__ = ["TunnelConnector"]


class TunnelConnector(ProxyConnector):
    """A connector whose connections lead through a proxy. What goes wrong there is a `TunnelError`."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # the signature is aiohttp's
    ) -> Connection:
        """Return a connection for a request.

        Raises:
            TunnelError: the proxy cannot be reached, did not answer, or opened no tunnel.
        """
        try:
            return await super().connect(req, traces, timeout)
        except (ProxyConnectionError, ProxyTimeoutError) as exc:
            raise TunnelError(f"the proxy cannot be reached: {exc}") from None
        except ProxyError as exc:
            raise TunnelError(f"the proxy opened no tunnel: {exc}") from None
