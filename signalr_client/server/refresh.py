"""Renewing the authentication of a connection that stands: whether it may be, and how long it lasts. Room: server.

Spec: client-behaviour.md, "J. New by version" (authentication refresh of .NET 11).
"""

from __future__ import annotations

import inspect
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from signalr_client.server.authorization import User

if TYPE_CHECKING:
    from aiohttp import web

    from signalr_client.server.options import HubOptions

__all__ = ["AuthenticationRefreshContext", "may_refresh", "token_lifetime"]


@dataclass(frozen=True, slots=True)
class AuthenticationRefreshContext:
    """What `HubOptions.on_authentication_refresh` decides by.

    Attributes:
        request: the request that brought the new authentication.
        connection_id: the connection that it is for.
        previous_user: who the client has been so far.
        new_user: who it would be from now on.
    """

    request: web.Request
    connection_id: str
    previous_user: User
    new_user: User


async def may_refresh(context: AuthenticationRefreshContext, options: HubOptions) -> bool:
    """Return whether the connection may go on as the new user.

    Groups and items stay with the connection, so without a decision of the application nobody but the same user may.
    """
    if options.on_authentication_refresh is None:
        return context.new_user.identifier == context.previous_user.identifier
    verdict = options.on_authentication_refresh(context)
    return bool(await verdict if inspect.isawaitable(verdict) else verdict)


def token_lifetime(user: User, options: HubOptions) -> int | None:
    """Return for how many whole seconds from now *user* is authenticated, for clients that may renew it; None if for ever."""
    if not options.enable_authentication_refresh or user.expires_at is None:
        return None
    return max(0, math.floor(user.expires_at - time.time()))
