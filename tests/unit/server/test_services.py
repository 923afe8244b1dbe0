"""Services: how they are found, made, kept and closed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Protocol

import pytest

from signalr_client.server import FromKeyedServices, HubDefinitionError, ServiceCollection, ServiceError


class Clock:
    def now(self) -> str:
        return "now"


class Cache:
    def __init__(self, size: int = 0) -> None:
        self.size = size


class Report:
    def __init__(self, clock: Clock, cache: Annotated[Cache, FromKeyedServices("big")], title: str = "untitled") -> None:
        self.clock, self.cache, self.title = clock, cache, title


class Closing:
    """Notes when it is closed, under a name that the test gives it."""

    log: list[str]

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    async def aclose(self) -> None:
        self.log.append(self.name)


def resolve(services: ServiceCollection, kind: Any) -> Any:
    return services.build().create_scope().get(kind)


def test_lifetimes() -> None:
    """A singleton is one for all, a scoped service one for each scope, a transient one new each time."""
    services = ServiceCollection().add_singleton(Clock).add_scoped(Cache).add_transient(list)
    provider = services.build()
    one, other = provider.create_scope(), provider.create_scope()
    assert one.get(Clock) is one.get(Clock) is other.get(Clock)
    assert one.get(Cache) is one.get(Cache)
    assert one.get(Cache) is not other.get(Cache)
    assert one.get(list) is not one.get(list)


def test_a_collection_builds_one_provider() -> None:
    services = ServiceCollection().add_singleton(Clock)
    assert services.build() is services.build()


@pytest.mark.parametrize(
    ("services", "made"),
    [
        (ServiceCollection().add_singleton(Cache, Cache(1)), 1),
        (ServiceCollection().add_singleton(Cache(2)), 2),
        (ServiceCollection().add_scoped(Cache, lambda: Cache(3)), 3),
        (ServiceCollection().add_scoped(Cache, lambda scope: Cache(len(scope.get(Clock).now()))).add_singleton(Clock), 3),
        (ServiceCollection().add_transient(Cache, Cache), 0),
        (ServiceCollection().add_singleton(Cache, Cache(4)).add_singleton(Cache, Cache(5)), 5),
    ],
    ids=["object", "the object alone", "function", "function of the scope", "class", "the last one wins"],
)
def test_what_makes_a_service(services: ServiceCollection, made: int) -> None:
    assert resolve(services, Cache).size == made


def test_constructors_get_their_services_by_annotation() -> None:
    services = ServiceCollection().add_singleton(Clock).add_keyed_singleton(Cache, "big", Cache(9)).add_scoped(Report)
    report = resolve(services, Report)
    assert (report.clock.now(), report.cache.size, report.title) == ("now", 9, "untitled")


def test_every_registration_can_be_asked_for_at_once() -> None:
    services = ServiceCollection().add_singleton(Cache, Cache(1)).add_singleton(Cache, Cache(2))
    for kind in (list[Cache], Iterable[Cache]):
        assert [cache.size for cache in resolve(services, kind)] == [1, 2]
    assert services.build().is_service(list[Cache])
    assert not services.build().is_service(list[Clock])


def test_a_protocol_can_stand_for_a_service() -> None:
    class Tells(Protocol):
        def now(self) -> str: ...

    assert resolve(ServiceCollection().add_singleton(Tells, Clock), Tells).now() == "now"


class NeedsClock:
    def __init__(self, clock: Clock) -> None: ...


class Chicken:
    def __init__(self, egg: Egg) -> None: ...


class Egg:
    def __init__(self, chicken: Chicken) -> None: ...


class NeedsCache:
    def __init__(self, cache: Cache) -> None: ...


@pytest.mark.parametrize(
    ("services", "wanted", "text"),
    [
        (ServiceCollection(), Clock, "No service for type 'Clock' has been registered."),
        (
            ServiceCollection().add_scoped(NeedsClock),
            NeedsClock,
            "Unable to resolve service for type 'Clock' while attempting to activate 'NeedsClock'.",
        ),
        (
            ServiceCollection().add_scoped(Chicken).add_scoped(Egg),
            Chicken,
            "A circular dependency was detected for the service of type 'Chicken'.",
        ),
        (
            ServiceCollection().add_singleton(NeedsCache).add_scoped(Cache),
            NeedsCache,
            "Cannot resolve scoped service 'Cache' from root provider.",
        ),
    ],
)
def test_what_cannot_be_made_says_why(services: ServiceCollection, wanted: Any, text: str) -> None:
    with pytest.raises(ServiceError) as missing:
        resolve(services, wanted)
    assert str(missing.value) == text


def test_an_unknown_key_is_named() -> None:
    scope = ServiceCollection().add_keyed_singleton(Cache, "big").build().create_scope()
    with pytest.raises(ServiceError, match="No service for type 'Cache' with the key 'small'"):
        scope.get_keyed(Cache, "small")


@pytest.mark.parametrize("method", ["add_scoped", "add_transient"])
def test_an_object_can_only_be_a_singleton(method: str) -> None:
    with pytest.raises(HubDefinitionError, match="An object can only be registered as a singleton"):
        getattr(ServiceCollection(), method)(Cache, Cache(1))


async def test_what_a_scope_made_is_closed_with_it_newest_first() -> None:
    log: list[str] = []
    services = (
        ServiceCollection()
        .add_singleton(Clock)
        .add_scoped(Closing, lambda: Closing("scoped", log))
        .add_keyed_transient(Closing, "t", lambda: Closing("transient", log))
        .add_keyed_singleton(Closing, "s", lambda: Closing("singleton", log))
    )
    scope = services.build().create_scope()
    scope.get(Closing)
    scope.get_keyed(Closing, "t")
    scope.get_keyed(Closing, "s")
    await scope.aclose()
    assert log == ["transient", "scoped"]
    await services.aclose()
    assert log == ["transient", "scoped", "singleton"]


async def test_an_object_that_was_given_is_not_closed() -> None:
    log: list[str] = []
    services = ServiceCollection().add_singleton(Closing, Closing("given", log))
    resolve(services, Closing)
    await services.aclose()
    assert log == []


async def test_one_that_cannot_be_closed_does_not_keep_the_rest_from_it() -> None:
    log: list[str] = []

    class Breaks:
        def close(self) -> None:
            raise RuntimeError("cannot close")

    services = ServiceCollection().add_scoped(Closing, lambda: Closing("closed", log)).add_scoped(Breaks)
    scope = services.build().create_scope()
    scope.get(Closing)
    scope.get(Breaks)
    with pytest.raises(RuntimeError, match="cannot close"):
        await scope.aclose()
    assert log == ["closed"]
