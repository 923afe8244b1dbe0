"""What a Protocol says about the methods of the other side, and which Protocols are refused."""

from __future__ import annotations

import functools
import sys
import textwrap
import types
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

import pytest

from signalr_client import hub_method
from signalr_client.core.contracts import NO_ANNOTATION, Contract, ContractMethod, read_contract
from signalr_client.errors import BindingError, UnsupportedTypeError

T = TypeVar("T")
K = TypeVar("K")
K_contra = TypeVar("K_contra", contravariant=True)


@dataclass
class Point:
    x: int
    y: int


class Base(Protocol):
    async def Inherited(self, text: str) -> None: ...

    @hub_method("renamed-method")
    async def renamed(self) -> int: ...


class Chat(Base, Protocol):
    """The methods of a chat hub."""

    async def Add(self, x: int, y: int = 5) -> int: ...

    def Later(self) -> Awaitable[str]: ...

    def AsCoroutine(self) -> Coroutine[Any, Any, None]: ...

    def Counter(self, count: int) -> AsyncIterator[int]: ...

    def Items(self) -> AsyncIterable[Point | None]: ...

    async def Generated(self) -> AsyncGenerator[int, None]:
        yield 1

    async def Unsaid(self): ...  # type: ignore[no-untyped-def]

    @hub_method(send=True)
    async def Log(self, line: str, *details: int, level: int = 1, where: str) -> None: ...

    async def Untyped(self, value, *rest) -> Any: ...  # type: ignore[no-untyped-def]

    async def renamed(self) -> int: ...

    async def _private(self, **anything: object) -> None: ...


def method(name: str, protocol: Any = Chat) -> ContractMethod:
    return read_contract(protocol).methods[name]


@pytest.mark.parametrize(
    ("name", "target", "stream", "result", "send"),
    [
        ("Inherited", "Inherited", None, None, False),
        ("renamed", "renamed-method", None, int, False),
        ("Add", "Add", None, int, False),
        ("Later", "Later", None, str, False),
        ("AsCoroutine", "AsCoroutine", None, None, False),
        ("Counter", "Counter", AsyncIterator, int, False),
        ("Items", "Items", AsyncIterable, Point | None, False),
        ("Generated", "Generated", AsyncGenerator, int, False),
        ("Unsaid", "Unsaid", None, NO_ANNOTATION, False),
        ("Log", "Log", None, None, True),
    ],
)
def test_a_method_is_read(name: str, target: str, stream: Any, result: Any, *, send: bool) -> None:
    """An overriding method keeps the name that the one it overrides was given."""
    found = method(name)
    assert (found.target, found.stream, found.result, found.send) == (target, stream, result, send)


def test_a_contract_has_exactly_the_public_methods() -> None:
    contract = read_contract(Chat)
    assert contract.methods.keys() == {
        *("Inherited", "renamed", "Add", "Later", "AsCoroutine", "Counter", "Items", "Generated", "Unsaid", "Log", "Untyped")
    }
    assert (contract.name, contract.doc) == ("Chat", "The methods of a chat hub.")


def test_a_protocol_is_read_once() -> None:
    assert read_contract(Chat) is read_contract(Chat)


@pytest.mark.parametrize(
    ("name", "given", "named", "sent"),
    [
        ("Add", (1, 2), {}, [1, 2]),
        ("Add", (1,), {}, [1, 5]),
        ("Add", (), {"y": 2, "x": 1}, [1, 2]),
        ("Log", ("a",), {"where": "b"}, ["a", 1, "b"]),
        ("Log", ("a", 7, 8), {"where": "b", "level": 2}, ["a", 7, 8, 2, "b"]),
        ("Untyped", ("a", None, [1]), {}, ["a", None, [1]]),
        ("Later", (), {}, []),
    ],
)
def test_arguments_are_sent_in_the_order_of_the_parameters(
    name: str, given: tuple[object, ...], named: dict[str, object], sent: list[object]
) -> None:
    assert list(method(name).arguments(given, named)) == sent


@pytest.mark.parametrize(
    ("name", "given", "named", "kind", "text"),
    [
        ("Add", (), {}, TypeError, "Chat.Add() missing a required argument: 'x'"),
        ("Add", (1, 2, 3), {}, TypeError, "Chat.Add() too many positional arguments"),
        ("Add", (1,), {"z": 1}, TypeError, "Chat.Add() got an unexpected keyword argument 'z'"),
        ("Add", (1,), {"x": 1}, TypeError, "Chat.Add() multiple values for argument 'x'"),
        ("Add", (1, "2"), {}, BindingError, "Cannot call Chat.Add: y: expected int, got str"),
        ("Add", (), {"x": None}, BindingError, "Cannot call Chat.Add: x: expected int, got None"),
        ("Log", ("a", 1, "b"), {"where": ""}, BindingError, "Cannot call Chat.Log: details[1]: expected int, got str"),
        ("Log", ("a",), {}, TypeError, "Chat.Log() missing a required argument: 'where'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    name: str, given: tuple[object, ...], named: dict[str, object], kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind) as refused:
        method(name).arguments(given, named)
    assert str(refused.value).startswith(text)


class Paged(Protocol[T, K_contra]):
    async def Get(self, key: K_contra, default: T | None = None) -> list[T]: ...

    def All(self) -> AsyncIterator[dict[str, T]]: ...


class Points(Paged[Point, K], Protocol[K]):
    async def Nearest(self, points: list[Point]) -> K: ...


@pytest.mark.parametrize(
    ("protocol", "name", "result"),
    [
        (Paged[int, str], "Get", list[int]),
        (Paged[int, str], "All", dict[str, int]),
        (Points[str], "Get", list[Point]),
        (Points[str], "All", dict[str, Point]),
        (Points[str], "Nearest", str),
    ],
)
def test_the_type_variables_of_a_generic_protocol_are_replaced(protocol: Any, name: str, result: Any) -> None:
    assert method(name, protocol).result == result


def test_arguments_of_a_generic_protocol_are_checked() -> None:
    method("Get", Points[str]).arguments(("key", Point(1, 2)), {})
    method("Get", Points).arguments((object(), Point(1, 2)), {})
    with pytest.raises(BindingError, match=r"Cannot call Points\.Get: key: expected str, got int"):
        method("Get", Points[str]).arguments((1,), {})
    with pytest.raises(BindingError, match=r"Cannot call Points\.Get: default: expected Point \| None, got str"):
        method("Get", Points[str]).arguments(("key", "a"), {})


NEW_SYNTAX: Final = """
    from collections.abc import AsyncIterator
    from typing import Protocol

    type Pair[T] = tuple[T, T]

    class Store[T](Protocol):
        async def Put(self, item: T, pair: Pair[T]) -> list[T]: ...
        def All(self) -> AsyncIterator[Pair[T]]: ...
        async def Convert[K](self, item: K) -> K: ...
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax is new in Python 3.12")
@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
def test_type_parameters_of_python_3_12_are_replaced(future: str) -> None:
    module = types.ModuleType("new_protocol")
    sys.modules[module.__name__] = module
    try:
        exec(future + textwrap.dedent(NEW_SYNTAX), vars(module))
        store = module.Store[int]
        assert method("Put", store).result == list[int]
        assert method("All", store).result == module.Pair[int]
        method("Put", store).arguments((1, (2, 3)), {})
        method("Convert", store).arguments(("anything",), {})
        with pytest.raises(BindingError, match=r"Cannot call Store\.Put: pair\[1\]: expected int, got str"):
            method("Put", store).arguments((1, (2, "a")), {})
    finally:
        del sys.modules[module.__name__]


class WithProperty(Protocol):
    @property
    def name(self) -> str: ...


class WithCachedProperty(Protocol):
    @functools.cached_property
    def name(self) -> str:
        return ""


class WithAttribute(Protocol):
    name: str


class WithClassVariable(Protocol):
    name: ClassVar[str] = ""


class Neither(Protocol):
    def Method(self) -> int: ...


class Unannotated(Protocol):
    def Method(self): ...  # type: ignore[no-untyped-def]


class AsyncStream(Protocol):
    async def Method(self) -> AsyncIterator[int]: ...


class Static(Protocol):
    @staticmethod
    async def Method() -> None: ...


class OfTheClass(Protocol):
    @classmethod
    async def Method(cls) -> None: ...


class Constant(Protocol):
    Number = 5  # type: ignore[misc]


class Nested(Protocol):
    class Inner: ...


class Keywords(Protocol):
    async def Method(self, **options: int) -> None: ...


class NoSelf(Protocol):
    async def Method() -> None: ...  # type: ignore[misc]


class SendsForResult(Protocol):
    @hub_method(send=True)
    async def Method(self) -> int: ...


class SendsForStream(Protocol):
    @hub_method(send=True)
    def Method(self) -> AsyncIterator[int]: ...


class StubDefault(Protocol):
    async def Method(self, x: int = ...) -> None: ...


class WrongDefault(Protocol):
    async def Method(self, x: int = "a") -> None: ...  # type: ignore[assignment]


class NoProtocol:
    async def Method(self) -> None: ...


class Implementation(Chat):
    """A class that derives from a Protocol is no Protocol."""


@pytest.mark.parametrize(
    ("protocol", "text"),
    [
        (WithProperty, "Type must not contain properties. ('name' of 'WithProperty' is one.)"),
        (WithCachedProperty, "Type must not contain properties. ('name' of 'WithCachedProperty' is one.)"),
        (WithAttribute, "Type must not contain properties. ('WithAttribute' has attributes.)"),
        (WithClassVariable, "Type must not contain properties. ('WithClassVariable' has attributes.)"),
        (
            Neither,
            "Cannot generate proxy implementation for 'Neither.Method'. A method must be 'async def', return an Awaitable",
        ),
        (Unannotated, "Cannot generate proxy implementation for 'Unannotated.Method'. A method must be 'async def'"),
        (
            AsyncStream,
            "'AsyncStream.Method'. It is 'async def' and returns a stream, which is not awaited: write 'def' instead.",
        ),
        (Static, "Cannot generate proxy implementation for 'Static.Method'. It is of type staticmethod, not a method."),
        (OfTheClass, "Cannot generate proxy implementation for 'OfTheClass.Method'. It is of type classmethod, not a method."),
        (Constant, "Cannot generate proxy implementation for 'Constant.Number'. It is of type int, not a method."),
        (Nested, "Cannot generate proxy implementation for 'Nested.Inner'. It is of type type, not a method."),
        (Keywords, "'Keywords.Method' takes any keyword arguments (**options), but arguments are sent without names."),
        (NoSelf, "'NoSelf.Method' has no parameter 'self'."),
        (SendsForResult, "'SendsForResult.Method' has send=True, so nobody waits for a response: its result must be None."),
        (SendsForStream, "'SendsForStream.Method' has send=True"),
        (
            StubDefault,
            "The parameter 'x' of 'StubDefault.Method' has the default '...', which cannot be sent: write the value.",
        ),
        (
            WrongDefault,
            "The parameter 'x' of 'WrongDefault.Method' does not fit its annotation: the default: expected int, got str",
        ),
        (NoProtocol, "Type must be an interface. (<class "),
        (Implementation, "is not a typing.Protocol.)"),
        (Protocol, "is not a typing.Protocol.)"),
        (int | None, "Type must be an interface. (int | None is not a typing.Protocol.)"),
        ("Chat", "Type must be an interface. ('Chat' is not a typing.Protocol.)"),
        (None, "Type must be an interface."),
        (Generic, "Type must be an interface."),
    ],
)
def test_a_protocol_that_cannot_be_a_proxy_is_refused(protocol: Any, text: str) -> None:
    with pytest.raises(TypeError) as refused:
        Contract(protocol)
    assert text in str(refused.value)


class UnsendableParameter(Protocol):
    async def Method(self, callback: Callable[[], None]) -> None: ...


class UnknownParameter(Protocol):
    async def Method(self, value: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821  # there is none


class UnknownResult(Protocol):
    async def Method(self) -> Missing: ...  # type: ignore[name-defined]  # noqa: F821  # there is none


@pytest.mark.parametrize(
    ("protocol", "text"),
    [
        (
            UnsendableParameter,
            r"The parameter 'callback' of 'UnsendableParameter.Method' cannot be sent: Values of type Callable",
        ),
        (UnknownParameter, "The annotation 'Missing' of parameter 'value' of UnknownParameter.Method cannot be resolved"),
        (UnknownResult, "The annotation 'Missing' of the result of UnknownResult.Method cannot be resolved"),
    ],
)
def test_a_type_that_cannot_be_used_is_refused(protocol: Any, text: str) -> None:
    with pytest.raises(UnsupportedTypeError, match=text):
        Contract(protocol)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("add", "'Chat' has no method 'add'. Did you mean 'Add'?"),
        ("Conter", "'Chat' has no method 'Conter'. Did you mean 'Counter'?"),
        ("as_coroutine", "'Chat' has no method 'as_coroutine'. Did you mean 'AsCoroutine'?"),
    ],
)
def test_a_misspelt_method_names_the_one_that_was_meant(name: str, text: str) -> None:
    assert str(read_contract(Chat).missing(name)) == text


def test_an_unknown_method_lists_those_that_there_are() -> None:
    assert str(read_contract(Base).missing("xyz")) == "'Base' has no method 'xyz'. It has Inherited, renamed."
