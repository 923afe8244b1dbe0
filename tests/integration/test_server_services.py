"""Services, filters and authorization of a running hub."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest

from signalr_client import ConnectionClosedError, HubConnectionBuilder, HubProtocol
from signalr_client.server import (
    FromKeyedServices,
    FromServices,
    Hub,
    HubFilter,
    HubInvocationContext,
    HubLifetimeContext,
    HubOptions,
    HubServer,
    ServiceCollection,
    User,
    authorize,
)
from tests.support.hub_server import refusal, serving


class Clock:
    name = "clock"


class Cache:
    def __init__(self, size: int = 0) -> None:
        self.size = size


class Counting:
    """A scoped service: it counts what happens in one call, and says when it was closed."""

    closed = 0

    def __init__(self) -> None:
        self.count = 0

    async def aclose(self) -> None:
        Counting.closed += 1


class Injected(Hub):
    def __init__(self, clock: Clock, counting: Counting) -> None:
        self.clock, self.counting = clock, counting

    def of_constructor(self) -> str:
        return self.clock.name

    def implicit(self, clock: Clock, suffix: str) -> str:
        return clock.name + suffix

    def between(self, prefix: str, clock: Clock, suffix: str) -> str:
        return prefix + clock.name + suffix

    def all_caches(self, caches: list[Cache]) -> list[int]:
        return [cache.size for cache in caches]

    def marked(self, clock: Annotated[Clock, FromServices()], suffix: str) -> str:
        return clock.name + suffix

    def keyed(
        self, big: Annotated[Cache, FromKeyedServices("big")], small: Annotated[Cache, FromKeyedServices("small")]
    ) -> int:
        return big.size - small.size

    def missing(self, never: Annotated[set[int], FromServices()]) -> None: ...

    def optional(self, never: Annotated[set[int] | None, FromServices()]) -> bool:
        return never is None

    def scoped(self, counting: Counting) -> bool:
        return counting is self.counting

    async def with_stream(self, clock: Clock, items: AsyncIterator[int], factor: int) -> str:
        return clock.name + str(factor * sum([item async for item in items]))


def services() -> ServiceCollection:
    return (
        ServiceCollection()
        .add_singleton(Clock)
        .add_scoped(Counting)
        .add_singleton(Cache, Cache(1))
        .add_singleton(Cache, Cache(2))
        .add_keyed_singleton(Cache, "big", Cache(100))
        .add_keyed_singleton(Cache, "small", Cache(1))
    )


async def numbers(*items: int) -> AsyncIterator[int]:
    for item in items:
        yield item


async def test_services_are_injected_beside_what_the_client_sends(hub_protocol: HubProtocol) -> None:
    """They do not count as arguments."""
    async with serving(Injected, services=services()) as serve:
        client = await serve.connect(hub_protocol)
        assert await client.invoke("OfConstructor") == "clock"
        assert await client.invoke("Implicit", "!") == "clock!"
        assert await client.invoke("Between", "<", ">") == "<clock>"
        assert await client.invoke("AllCaches") == [1, 2]
        assert await client.invoke("Marked", "!") == "clock!"
        assert await client.invoke("Keyed") == 99
        assert await client.invoke("Optional") is True
        assert await client.invoke("WithStream", numbers(1, 2), 10) == "clock30"
        assert await refusal(client.invoke("Implicit")) == "Failed to invoke 'implicit' due to an error on the server."
        assert await refusal(client.invoke("Missing")) == "An unexpected error occurred invoking 'missing' on the server."


async def test_a_scope_lasts_as_long_as_a_call() -> None:
    """Constructor and method share it, and what was made in it is closed with it."""
    async with serving(Injected, services=services()) as serve:
        client = await serve.connect()
        Counting.closed = 0
        for calls in (1, 2):
            assert await client.invoke("Scoped") is True
            assert await client.invoke("OfConstructor") == "clock"
            assert Counting.closed >= 2 * calls - 1  # that of the last call may close after its answer


async def test_implicit_injection_can_be_turned_off() -> None:
    """An unmarked service is an argument then, a marked one still a service."""

    class Marked(Hub):
        def marked(self, clock: Annotated[Clock, FromServices()]) -> str:
            return clock.name

        def unmarked(self, clock: Clock) -> str:
            return clock.name

    options: dict[str, Any] = {"disable_implicit_from_services_parameters": True, "enable_detailed_errors": True}
    async with serving(Marked, services=services(), **options) as serve:
        client = await serve.connect()
        assert await client.invoke("Marked") == "clock"
        assert (await refusal(client.invoke("Unmarked"))).endswith("Invocation provides 0 argument(s) but target expects 1.")


class NeedsMissing(Hub):
    def __init__(self, missing: Cache) -> None: ...


async def test_a_hub_that_cannot_be_made_ends_the_connection() -> None:
    async with serving(NeedsMissing, enable_detailed_errors=True) as serve:
        client = serve.builder().build()
        ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        client.on_close(ended.set_result)
        try:
            await client.start()
            error = await ended
        except ConnectionClosedError as exc:
            error = exc
        wanted = (
            "Connection closed with an error. InvalidOperationException: Unable to resolve service for type 'Cache' while"
            " attempting to activate 'NeedsMissing'."
        )
        assert wanted in str(error)


async def test_a_hub_may_be_a_service_itself() -> None:
    """Then it is not made and not disposed for each call."""

    class Service(Hub):
        disposed = False

        def __init__(self) -> None:
            self.calls = 0

        def count(self) -> int:
            self.calls += 1
            return self.calls

        def dispose(self) -> None:
            Service.disposed = True

    async with serving(Service, services=ServiceCollection().add_singleton(Service)) as serve:
        client = await serve.connect()
        assert [await client.invoke("Count") for _ in range(3)] == [1, 2, 3]
        assert not Service.disposed


async def test_a_container_of_somebody_elses_serves_hubs() -> None:
    """Without is_service nothing is injected unmarked, and marks still work."""

    class Scope:
        def get(self, service: Any) -> Any:
            if service is Clock:
                return Clock()
            raise LookupError(service)

        async def aclose(self) -> None: ...

    class Container:
        def create_scope(self) -> Scope:
            return Scope()

    class Foreign(Hub):
        def __init__(self, clock: Clock) -> None:
            self.clock = clock

        def both(self, clock: Annotated[Clock, FromServices()], suffix: str) -> str:
            return self.clock.name + clock.name + suffix

    server = HubServer({"/hub": Foreign}, services=Container())
    async with server, HubConnectionBuilder().with_url(server.url("/hub")).build() as client:
        assert await client.invoke("Both", "!") == "clockclock!"


# filters


class Noting(HubFilter):
    """Notes what it is run around, under its name."""

    log: list[str]

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    async def invoke_method(self, invocation: HubInvocationContext, next: Any) -> object:
        self.log.append(f"{self.name}> {invocation.hub_method_name}{list(invocation.hub_method_arguments)}")
        result = await next(invocation)
        self.log.append(f"{self.name}< {result}")
        return result

    async def on_connected(self, lifetime: HubLifetimeContext, next: Any) -> None:
        self.log.append(f"{self.name} connected {type(lifetime.hub).__name__}")
        await next(lifetime)

    async def on_disconnected(self, lifetime: HubLifetimeContext, exception: BaseException | None, next: Any) -> None:
        self.log.append(f"{self.name} disconnected {exception}")
        await next(lifetime, exception)


class Doubling(HubFilter):
    async def invoke_method(self, invocation: HubInvocationContext, next: Any) -> object:
        doubled = [int(str(argument)) * 2 for argument in invocation.hub_method_arguments]
        return await next(dataclasses.replace(invocation, hub_method_arguments=doubled))


class Adding(Hub):
    log: list[str] = []  # noqa: RUF012  # one for the test

    async def on_connected(self) -> None:
        self.log.append("hub connected")

    async def on_disconnected(self, exception: BaseException | None) -> None:
        self.log.append("hub disconnected")

    def add(self, x: int, y: int) -> int:
        return x + y


async def test_filters_run_around_everything_the_first_outermost() -> None:
    log: list[str] = []
    Adding.log = log
    async with serving(Adding, hub_filters=[Noting("outer", log), Doubling, Noting("inner", log)]) as serve:
        client = await serve.connect()
        assert await client.invoke("Add", 1, 2) == 6
        await client.stop()
    assert log == [
        "outer connected Adding",
        "inner connected Adding",
        "hub connected",
        "outer> add[1, 2]",
        "inner> add[2, 4]",
        "inner< 6",
        "outer< 6",
        "outer disconnected None",
        "inner disconnected None",
        "hub disconnected",
    ]


async def test_a_filter_may_answer_itself_or_refuse() -> None:
    class Gate(HubFilter):
        async def invoke_method(self, invocation: HubInvocationContext, next: Any) -> object:
            if invocation.hub_method_arguments[0] == 0:
                return "answered by the filter"
            raise PermissionError("not one")

    async with serving(Adding, hub_filters=[Gate()], enable_detailed_errors=True) as serve:
        client = await serve.connect()
        assert await client.invoke("Add", 0, 0) == "answered by the filter"
        text = "An unexpected error occurred invoking 'add' on the server. PermissionError: not one"
        assert await refusal(client.invoke("Add", 1, 0)) == text


async def test_a_hubs_own_filters_run_inside_those_of_the_server() -> None:
    log: list[str] = []
    Adding.log = []
    server = HubServer(options=HubOptions(hub_filters=[Noting("server", log)]))
    server.map_hub("/hub", Adding, options=HubOptions(hub_filters=[Noting("hub", log)]))
    async with server, HubConnectionBuilder().with_url(server.url("/hub")).build() as client:
        await client.invoke("Add", 1, 1)
        assert [line.partition(">")[0] for line in log if ">" in line] == ["server", "hub"]


# authorization of methods; that of requests is tested with the HTTP endpoint


class Guarded(Hub):
    @authorize
    def for_users(self) -> str:
        return "user"

    @authorize(roles="admin, root")
    def for_roles(self) -> str:
        return "role"

    @authorize("short")
    def for_policy(self) -> str:
        return "policy"

    @authorize(policy=lambda user: user.name == "anna")
    @authorize(roles="admin")
    def for_both(self) -> str:
        return "both"

    @authorize
    async def stream(self) -> AsyncIterator[int]:
        yield 1


class Child(Guarded):
    def for_roles(self) -> str:
        return "overridden"


async def short_name(user: User) -> bool:
    return len(user.name or "") <= 4


@pytest.mark.parametrize(
    ("name", "roles", "allowed"),
    [
        (None, [], set()),
        ("bertram", [], {"for_users"}),
        ("bert", [], {"for_users", "for_policy"}),
        ("gertrud", ["root"], {"for_users", "for_roles"}),
        ("anna", ["admin"], {"for_users", "for_roles", "for_policy", "for_both"}),
        ("anna", ["Admin"], {"for_users", "for_policy"}),
    ],
)
@pytest.mark.parametrize("hub", [Guarded, Child])
async def test_what_a_user_may_call(hub: type[Hub], name: str | None, roles: list[str], allowed: set[str]) -> None:
    """The text has no full stop; an override asks for what its original asked for."""
    options: dict[str, Any] = {
        "authenticate": lambda _request: User(name, roles=roles) if name else None,
        "authorization_policies": {"short": short_name},
    }
    async with serving(hub, **options) as serve:
        client = await serve.connect()
        for method in ("for_users", "for_roles", "for_policy", "for_both"):
            if method in allowed:
                assert await client.invoke(method)
            else:
                assert await refusal(client.invoke(method)) == f"Failed to invoke '{method}' because user is unauthorized"
        if name is None:

            async def read() -> list[object]:
                return [item async for item in client.stream("Stream")]

            assert await refusal(read()) == "Failed to invoke 'stream' because user is unauthorized"
