"""What type checkers must infer about the public API of the server. Checked by test_types.py, never run; see cases.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Annotated, Any, assert_type

from aiohttp import web

from signalr_client.server import (
    AuthenticationRefreshContext,
    CancellationToken,
    FromKeyedServices,
    FromServices,
    Hub,
    HubCallerContext,
    HubDefinitionError,
    HubException,
    HubFilter,
    HubInvocationContext,
    HubLifetimeContext,
    HubOptions,
    HubServer,
    HubUsageError,
    ServiceCollection,
    ServiceError,
    User,
    authorize,
    bearer_token,
    hub_method,
)


class Clock:
    """A service."""


@authorize(roles="admin")
class ClockHub(Hub):
    """A hub with services, streams and a token."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    @authorize
    async def now(self, clock: Annotated[Clock, FromServices()], other: Annotated[Clock, FromKeyedServices("other")]) -> int:
        """Methods can be called as usual."""
        del clock, other
        return 1

    @hub_method("sum", cancellable=True)
    async def total(self, numbers: AsyncIterator[int], token: CancellationToken) -> int:
        """An upload and a token."""
        assert_type(token.is_set(), bool)
        await token.wait()
        return sum([number async for number in numbers])

    async def on_connected(self) -> None:
        """What is known of the caller."""
        context = self.context
        assert_type(context, HubCallerContext)
        assert_type(context.connection_id, str)
        assert_type(context.user_identifier, str | None)
        assert_type(context.user, User)
        assert_type(context.items, dict[object, Any])
        assert_type(context.features, dict[object, Any])
        assert_type(context.connection_aborted, asyncio.Event)
        assert_type(context.get_http_request(), web.Request | None)
        context.abort()
        await self.groups.add(context.connection_id, "group")
        await self.groups.remove(context.connection_id, "group")
        await self.groups.add(5, "group")  # type: ignore[arg-type]

    async def on_disconnected(self, exception: BaseException | None) -> None:
        """The end of a connection."""
        raise HubException("no") from exception


class WrongHub(Hub):
    """A method of the base class keeps its signature."""

    async def on_disconnected(self) -> None:  # type: ignore[override]
        """Without the exception."""


async def decorated(hub: ClockHub, clock: Clock, numbers: AsyncIterator[int]) -> None:
    """Decorators keep the types of classes and methods."""
    assert_type(ClockHub(clock), ClockHub)
    assert_type(await hub.now(clock, clock), int)
    assert_type(await hub.total(numbers, CancellationToken()), int)
    await hub.now("no clock", clock)  # type: ignore[arg-type]


def users() -> User:
    """A user has claims and roles."""
    user = User("anna", {"sub": "7"}, ["admin"], expires_at=1e9)
    assert_type(user.name, str | None)
    assert_type(user.identifier, str | None)
    assert_type(user.expires_at, float | None)
    assert_type(user.is_authenticated, bool)
    assert_type(user.roles, frozenset[str])
    assert_type(user.is_in_role("admin"), bool)
    assert_type(user.claim_values("role"), tuple[str, ...])
    return user


def authenticate(request: web.Request) -> User | None:
    """Authentication may be sync or async."""
    assert_type(bearer_token(request), str | None)
    return None


async def authenticate_later(request: web.Request) -> User:
    """The same, async."""
    del request
    return users()


def refreshed(context: AuthenticationRefreshContext) -> bool:
    """Decides about a new token."""
    assert_type(context.previous_user, User)
    assert_type(context.new_user, User)
    return context.previous_user.name == context.new_user.name


class Logged(HubFilter):
    """A filter."""

    async def invoke_method(
        self, invocation: HubInvocationContext, next: Callable[[HubInvocationContext], Awaitable[object]]
    ) -> object:
        """Around a call."""
        assert_type(invocation.hub_method_name, str)
        assert_type(invocation.hub_method_arguments, Sequence[object])
        assert_type(invocation.context, HubCallerContext)
        return await next(invocation)

    async def on_connected(self, lifetime: HubLifetimeContext, next: Callable[[HubLifetimeContext], Awaitable[None]]) -> None:
        """Around connecting."""
        await next(lifetime)


async def servers(services: ServiceCollection) -> None:
    """Options, services, and the life of a server."""
    options = HubOptions(
        enable_detailed_errors=True,
        keep_alive_interval=timedelta(seconds=5),
        authenticate=authenticate,
        hub_filters=[Logged()],
        authorization_policies={"adults": lambda user: user.is_in_role("adult")},
    )
    HubOptions(authenticate=authenticate_later)
    HubOptions(authenticate=users)  # type: ignore[arg-type]
    HubOptions(hub_filters=[Logged])
    HubOptions(hub_filters=[Clock])  # type: ignore[list-item]
    HubOptions(keep_alive=5)  # type: ignore[call-arg]
    assert_type(services.add_singleton(Clock).add_scoped(Clock, Clock), ServiceCollection)
    assert_type(services.add_keyed_singleton(Clock, "other", Clock()), ServiceCollection)
    async with HubServer({"/hub": ClockHub}, options=options, services=services) as server:
        assert_type(server, HubServer)
        assert_type(server.url("/hub"), str)
    HubServer({"/hub": Clock})  # type: ignore[dict-item]
    definition: ValueError = HubDefinitionError()
    missing: LookupError = ServiceError()
    usage: Exception = HubUsageError("clients", "detached", "")
    del definition, missing, usage
