"""Who sent an HTTP request. Room: server, security."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from signalr_client.server.security.users import User
from signalr_client.user_code import call

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Authenticate", "authenticate", "bearer_token"]

Authenticate = Callable[["web.Request"], "User | None | Awaitable[User | None]"]
"""Returns the user who sent a request, or None for an anonymous one; sync or async."""

_BEARER: Final = "bearer "


async def authenticate(function: Authenticate | None, request: web.Request) -> User:
    """Return who sent *request* according to the application's *function*; the anonymous user without one.

    Raises:
        TypeError: the function returned something else than a user or None.
    """
    user = None if function is None else await call(function, request)
    if user is None:
        return User()
    if not isinstance(user, User):
        raise TypeError(f"HubOptions.authenticate has to return a User or None; it returned {type(user).__name__}.")
    return user


def bearer_token(request: web.Request) -> str | None:
    """Return the bearer token of a request, from its header or from the query, where browsers have to put it; None without one.

    For use in your own ``authenticate`` function.
    """
    header = request.headers.get("Authorization", "")
    if header.lower().startswith(_BEARER):
        return header[len(_BEARER) :].strip() or None
    return next((value for key, value in request.query.items() if key.lower() == "access_token"), None) or None
