"""Errors raised when a hub is mapped, how methods are found, and hub options."""

from __future__ import annotations

import functools
import types
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Generic, Protocol, TypeVar, overload

import pytest
from aiohttp import web

from signalr_client import BindingError
from signalr_client.server import (
    FromKeyedServices,
    FromServices,
    Hub,
    HubDefinitionError,
    HubOptions,
    HubServer,
    ServiceCollection,
    authorize,
    hub_method,
    map_hub,
)
from signalr_client.server.hubs.descriptor import HubDescriptor
from signalr_client.server.injection.services import build_container
from signalr_client.server.lifetime.memory import InMemoryLifetimeManager

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Clock:
    """A service for dependency injection."""


def mapped(hub: type[Hub[Any]], services: ServiceCollection | None = None, **options: Any) -> HubDescriptor:
    """Return the descriptor of a hub, as created when the server maps it."""
    chosen = HubOptions(**options)
    return HubDescriptor(
        hub,
        build_container(services or ServiceCollection()),
        InMemoryLifetimeManager(),
        policies=chosen.authorization_policies,
        implicit_services=not chosen.disable_implicit_from_services_parameters,
    )


def methods_of(hub: type[Hub[Any]], services: ServiceCollection | None = None) -> list[str]:
    return [method.name for method in mapped(hub, services).methods]


class Parent(Hub):
    def inherited(self) -> None: ...

    def overridden(self) -> None: ...


class Everything(Parent):
    constant = 1

    def __init__(self) -> None:
        self.callback: Callable[[], None] = lambda: None

    def overridden(self) -> None: ...

    def plain(self) -> None: ...

    async def waits(self) -> None: ...

    async def streams(self) -> AsyncIterator[int]:
        yield 1

    def _private(self) -> None: ...

    @property
    def prop(self) -> int:
        return 1

    @staticmethod
    def static() -> None: ...

    @classmethod
    def of_the_class(cls) -> None: ...

    class Nested:
        """A class, not a method."""

    async def on_connected(self) -> None: ...

    async def on_disconnected(self, exception: BaseException | None) -> None: ...

    def dispose(self) -> None: ...

    def __call__(self) -> None: ...


def test_only_public_methods_can_be_called() -> None:
    assert sorted(methods_of(Everything)) == ["inherited", "overridden", "plain", "streams", "waits"]


@pytest.mark.parametrize("name", ["context", "clients", "groups", "abort", "dispose", "on_connected", "__init__", "_private"])
def test_members_of_the_hub_class_cannot_be_called(name: str) -> None:
    assert mapped(Everything).methods.find(name) is None


class Names(Hub):
    def send_message(self) -> None: ...

    def SendOther(self) -> None: ...

    async def PingAsync(self) -> None: ...

    @hub_method("renamed-method")
    def hidden_name(self) -> None: ...


class InheritsName(Names):
    def hidden_name(self) -> None: ...


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("send_message", "send_message"),
        ("SEND_MESSAGE", "send_message"),
        ("SendMessage", "send_message"),
        ("sendmessage", "send_message"),
        ("SendOther", "SendOther"),
        ("sendother", "SendOther"),
        ("send_other", None),
        ("PingAsync", "PingAsync"),
        ("Ping", None),
        ("renamed-method", "renamed-method"),
        ("RENAMED-METHOD", "renamed-method"),
        ("hidden_name", None),
        ("HiddenName", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("hub", [Names, InheritsName])
def test_a_method_is_found_by_its_name_in_any_case(hub: type[Hub], target: str, found: str | None) -> None:
    """No suffix is removed. A name given with `hub_method` replaces the Python name, in subclasses too."""
    method = mapped(hub).methods.find(target)
    assert (method.name if method else None) == found


class DiffersInCase(Hub):
    def save(self) -> None: ...

    def Save(self) -> None: ...


class SameInPascalCase(Hub):
    def send_it(self) -> None: ...

    def SendIt(self) -> None: ...


class SameGivenName(Hub):
    @hub_method("one")
    def first(self) -> None: ...

    @hub_method("ONE")
    def second(self) -> None: ...


class Overloaded(Hub):
    @overload
    def convert(self, value: int) -> int: ...
    @overload
    def convert(self, value: str) -> str: ...

    def convert(self, value: int | str) -> int | str:
        return value


class Dispatched(Hub):
    @functools.singledispatchmethod
    def convert(self, value: object) -> object:
        return value


class GenericMethod(Hub):
    def same(self, value: T) -> T:
        return value


class AnyNumber(Hub):
    def add(self, *numbers: int) -> int:
        return sum(numbers)


class AnyKeywords(Hub):
    def add(self, **numbers: int) -> int:
        return sum(numbers.values())


class UnknownType(Hub):
    def use(self, value: NoSuchType) -> None: ...  # type: ignore[name-defined]  # noqa: F821  # the undefined name is intended


class UnknownPolicy(Hub):
    @authorize("no-such-policy")
    def delete(self) -> None: ...


class UnknownKey(Hub):
    def use(self, clock: Annotated[Clock, FromKeyedServices("missing")]) -> None: ...


class MarkedTwice(Hub):
    def use(self, clock: Annotated[Clock, FromKeyedServices("big"), FromServices()]) -> None: ...


class NoHub:
    def call(self) -> None: ...


@pytest.mark.parametrize(
    ("hub", "text"),
    [
        (DiffersInCase, "Duplicate definitions of 'Save'. Overloading is not supported."),
        (SameInPascalCase, "Overloading is not supported."),
        (SameGivenName, "Duplicate definitions of 'ONE'. Overloading is not supported."),
        (Overloaded, "Duplicate definitions of 'convert'. Overloading is not supported."),
        (Dispatched, "Duplicate definitions of 'convert'. Overloading is not supported."),
        (GenericMethod, "Method 'same' is a generic method which is not supported on a Hub."),
        (AnyNumber, "'numbers' takes any number of arguments"),
        (AnyKeywords, "'numbers' takes any number of arguments"),
        (UnknownType, "The annotation 'NoSuchType' of the parameter 'value' of 'UnknownType.use' cannot be resolved"),
        (UnknownPolicy, "The AuthorizationPolicy named: 'no-such-policy' was not found."),
        (UnknownKey, "'Clock' is not in DI as a keyed service."),
        (MarkedTwice, "The FromKeyedServices is not supported on parameters that are also annotated with FromServices"),
        (NoHub, "A hub is a class that derives from Hub"),
    ],
)
def test_an_invalid_hub_is_rejected_when_it_is_mapped(hub: Any, text: str) -> None:
    with pytest.raises(HubDefinitionError) as refused:
        map_hub(web.Application(), "/hub", hub)
    assert text in str(refused.value)
    with pytest.raises(HubDefinitionError):
        HubServer({"/hub": hub})


def test_a_method_with_more_than_64_parameters_cannot_use_services() -> None:
    names = ", ".join(f"p{number}: int" for number in range(64))
    namespace: dict[str, Any] = {"Clock": Clock}
    exec(f"def call(self, clock: Clock, {names}): ...", namespace)
    hub = type("WideHub", (Hub,), {"call": namespace["call"]})
    with pytest.raises(HubDefinitionError, match="can't use services from DI when they have more than 64 parameters"):
        mapped(hub, ServiceCollection().add_singleton(Clock))
    assert methods_of(hub) == ["call"]


def test_a_container_without_keys_cannot_serve_keyed_services() -> None:

    class Plain:
        def create_scope(self) -> Any:
            raise AssertionError

    with pytest.raises(HubDefinitionError, match="The service provider doesn't support keyed services"):
        HubDescriptor(UnknownKey, Plain(), InMemoryLifetimeManager(), policies={})


# typed clients


class WithProperty(Protocol):
    @property
    def name(self) -> str: ...


class WithAttribute(Protocol):
    name: str


class NotAsync(Protocol):
    def Receive(self) -> None: ...


class NoProtocol:
    async def Receive(self) -> None: ...


@pytest.mark.parametrize(
    ("client", "text"),
    [
        (NoProtocol, "Type must be an interface."),
        (WithProperty, "Type must not contain properties."),
        (WithAttribute, "Type must not contain properties."),
        (NotAsync, "Cannot generate proxy implementation for 'NotAsync.Receive'."),
    ],
)
def test_an_invalid_client_type_is_rejected(client: Any, text: str) -> None:
    hub = types.new_class("TypedHub", (Hub[client],))
    with pytest.raises(HubDefinitionError) as refused:
        mapped(hub)
    assert text in str(refused.value)


class Base(Protocol):
    async def Inherited(self, text: str) -> None: ...


class Client(Base, Protocol):
    async def Receive(self, user: str, text: str = "nothing") -> None: ...


def test_a_typed_proxy_has_only_the_methods_of_its_protocol() -> None:
    hub = types.new_class("TypedHub", (Hub[Client],))
    everybody = mapped(hub).context.clients.all
    public = {name for name in dir(everybody) if not name.startswith("_")}
    assert public == {"Receive", "Inherited"}
    assert repr(everybody) == "<Client proxy of clients>"


class SingleClient(Client, Protocol):
    async def Ask(self) -> int: ...


class Sink(Protocol[T_contra]):
    async def Receive(self, item: T_contra, *, last: bool = False) -> None: ...


class HubOfClient(Hub[T]):
    """A base of hubs whose clients differ."""


class HubOfLists(HubOfClient[Sink[list[T]]], Generic[T]):
    """Another one."""


class OwnHub(HubOfClient[Client]):
    pass


class ListHub(HubOfLists[int]):
    pass


class TwoProtocols(Hub[Client, SingleClient]):
    pass


@pytest.mark.parametrize(
    ("hub", "every", "single"),
    [
        (OwnHub, {"Receive", "Inherited"}, {"Receive", "Inherited"}),
        (ListHub, {"Receive"}, {"Receive"}),
        (TwoProtocols, {"Receive", "Inherited"}, {"Receive", "Inherited", "Ask"}),
        (Hub[Any], {"send"}, {"send", "invoke"}),
    ],
)
def test_the_clients_of_a_hub_are_found_through_its_bases(hub: Any, every: set[str], single: set[str]) -> None:
    clients = mapped(types.new_class("SomeHub", (hub,))).context.clients
    assert {name for name in dir(clients.all) if not name.startswith("_")} == every
    assert {name for name in dir(clients.client("id")) if not name.startswith("_")} == single


async def test_the_arguments_of_a_generic_client_are_checked() -> None:
    everybody = mapped(ListHub).context.clients.all
    await everybody.Receive([1], last=True)
    with pytest.raises(BindingError, match=r"Cannot call Sink\.Receive: item\[1\]: expected int, got str"):
        await everybody.Receive([1, "a"])
    with pytest.raises(BindingError, match=r"Cannot call Sink\.Receive: last: expected bool, got int"):
        await everybody.Receive([1], last=1)


# options


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("keep_alive_interval", 0),
        ("client_timeout_interval", -1),
        ("handshake_timeout", 0.0),
        ("disconnect_timeout", 0),
        ("poll_timeout", -5),
        ("close_timeout", 0),
        ("transport_send_timeout", 0),
        ("maximum_parallel_invocations_per_client", 0),
        ("stream_buffer_capacity", 0),
        ("stateful_reconnect_buffer_size", 0),
        ("application_max_buffer_size", -1),
        ("transport_max_buffer_size", -1),
        ("maximum_receive_message_size", 0),
        ("supported_protocols", []),
        ("supported_protocols", ["xml"]),
    ],
)
def test_an_invalid_option_is_rejected_with_its_name(option: str, value: object) -> None:
    with pytest.raises(HubDefinitionError) as refused:
        HubOptions(**{option: value})  # type: ignore[arg-type]  # values of several types
    assert option in str(refused.value) or "protocol" in str(refused.value)


def test_the_defaults_equal_those_of_aspnetcore() -> None:
    """Only the stateful reconnect buffer size differs, as documented."""
    options = HubOptions()
    assert (options.handshake_timeout, options.keep_alive_interval, options.client_timeout_interval) == (15, 15, 30)
    assert (options.maximum_receive_message_size, options.stream_buffer_capacity) == (32_768, 10)
    assert (options.maximum_parallel_invocations_per_client, options.enable_detailed_errors) == (1, False)
    assert (options.disconnect_timeout, options.poll_timeout, options.transport_send_timeout) == (15, 90, 10)
    assert (options.close_timeout, options.transport_max_buffer_size) == (5, 65_536)
    assert (options.application_max_buffer_size, options.minimum_protocol_version) == (65_536, 0)
    assert [protocol.name for protocol in options.protocols()] == ["json", "messagepack"]
