"""Who sent an HTTP request, and whether it may use the hub at all. Room: server.

Spec: server-behaviour.md, "Authentication" under "B".
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Final

from aiohttp import web

from signalr_client.server.authorization import AuthorizeRequirement, User, is_authorized
from signalr_client.server.options import HubOptions

__all__ = ["authenticate", "bearer_token", "refuse"]

_BEARER: Final = "bearer "


async def authenticate(request: web.Request, options: HubOptions) -> User:
    """Return who sent *request*; the anonymous user if nothing says so."""
    if options.authenticate is None:
        return User()
    user = options.authenticate(request)
    if inspect.isawaitable(user):
        user = await user
    return User() if user is None else user


async def refuse(user: User, requirements: Iterable[AuthorizeRequirement]) -> web.Response | None:
    """Return the answer to a request of somebody who may not use the hub, or None if *user* may."""
    if await is_authorized(user, requirements):
        return None
    if user.is_authenticated:
        return web.Response(status=403)
    return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})


def bearer_token(request: web.Request) -> str | None:
    """Return the bearer token of a request: from its header, or from the query, where browsers have to put it; else None.

    For an ``authenticate`` function of your own.
    """
    header = request.headers.get("Authorization", "")
    if header.lower().startswith(_BEARER):
        return header[len(_BEARER) :].strip() or None
    return next((value for key, value in request.query.items() if key.lower() == "access_token"), None) or None
