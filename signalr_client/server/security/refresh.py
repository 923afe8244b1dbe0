"""Renewing the authentication of an open connection: whether it is allowed, and how long it lasts. Room: server, security."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from signalr_client.server.security.users import User
from signalr_client.user_code import call

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["AuthenticationRefreshContext", "AuthenticationRefreshGate", "may_refresh", "token_lifetime"]


@dataclass(frozen=True, slots=True)
class AuthenticationRefreshContext:
    """The arguments of `HubOptions.on_authentication_refresh`.

    Attributes:
        request: the request with the new authentication.
        connection_id: the connection it is for.
        previous_user: the user of the connection so far.
        new_user: the user it would have from now on.
    """

    request: web.Request
    connection_id: str
    previous_user: User
    new_user: User


AuthenticationRefreshGate = Callable[[AuthenticationRefreshContext], bool | Awaitable[bool]]
"""Decides whether a connection may continue with a new authentication; sync or async."""


async def may_refresh(context: AuthenticationRefreshContext, decide: AuthenticationRefreshGate | None) -> bool:
    """Return whether the connection may continue as the new user.

    Groups and items stay with the connection, so unless the application decides otherwise only the same user may.
    """
    if decide is None:
        return context.new_user.identifier == context.previous_user.identifier
    return bool(await call(decide, context))


def token_lifetime(user: User) -> int | None:
    """Return the number of whole seconds that *user* stays authenticated from now on; None if there is no end."""
    return None if user.expires_at is None else max(0, math.floor(user.expires_at - time.time()))
