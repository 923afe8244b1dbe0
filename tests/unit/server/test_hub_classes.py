"""What the author of a hub may do in its class without getting in the server's way."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import pytest

from signalr_client.server import Hub, HubDefinitionError, HubServer, authorize
from tests.support.hub_server import serving
from tests.unit.server.test_definitions import mapped


class OwnNames(Hub):
    """Has attributes with the names that the server used for itself, and slots."""

    __slots__ = ("_hub_call", "_hub_clients", "_hub_context", "_hub_groups")

    def __init__(self) -> None:
        self._hub_context = "my own"
        self._hub_call = self._hub_clients = self._hub_groups = 7

    def own(self) -> list[object]:
        return [self._hub_context, self._hub_call, self._hub_clients, self._hub_groups, bool(self.context.connection_id)]


@dataclasses.dataclass(frozen=True)
class Frozen(Hub):
    """Cannot be assigned to."""

    number: int = 3

    def own(self) -> list[object]:
        return [self.number, bool(self.context.connection_id)]


class WithoutSuper(Hub):
    """Does not call the constructor of its base class."""

    def __init__(self) -> None:
        pass

    def own(self) -> list[object]:
        return [bool(self.context.connection_id)]


@pytest.mark.parametrize(("hub", "own"), [(OwnNames, ["my own", 7, 7, 7, True]), (Frozen, [3, True]), (WithoutSuper, [True])])
async def test_the_attributes_of_a_hub_are_its_own(hub: type[Hub], own: list[object]) -> None:
    async with serving(hub) as serve:
        client = await serve.connect()
        assert await client.invoke("Own") == own


# decorators above authorize


def dropping(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that does not show what it wraps."""

    def replacement(self: Any, value: int) -> Any:
        return function(self, value)

    return replacement


def keeping(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function with the attributes of the one that it wraps."""

    @functools.wraps(function)
    def replacement(self: Any, value: int) -> Any:
        return function(self, value)

    return replacement


class Dropped(Hub):
    @dropping
    @authorize(roles="admin")
    def delete(self, value: int) -> None: ...


class InheritsDropped(Dropped):
    def other(self) -> None: ...


class Kept(Hub):
    @keeping
    @authorize(roles="admin")
    def delete(self, value: int) -> None: ...


class Above(Hub):
    @authorize(roles="admin")
    @dropping
    def delete(self, value: int) -> None: ...


@pytest.mark.parametrize("hub", [Dropped, InheritsDropped])
def test_a_method_that_lost_its_requirement_is_refused(hub: type[Hub]) -> None:
    """It would be open to everybody."""
    with pytest.raises(HubDefinitionError, match=r"'Dropped\.delete' is decorated with authorize, but a decorator above it"):
        HubServer({"/hub": hub})


@pytest.mark.parametrize("hub", [Kept, Above])
def test_a_method_that_kept_its_requirement_is_mapped(hub: type[Hub]) -> None:
    (method,) = mapped(hub).methods
    assert [requirement.roles for requirement in method.requirements] == [frozenset({"admin"})]


# names


class Neighbours(Hub):
    def get_it(self) -> None: ...

    def getit(self) -> None: ...

    def do_it_all(self) -> None: ...

    def do_itall(self) -> None: ...


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("get_it", "get_it"),
        ("GET_IT", "get_it"),
        ("getit", "getit"),
        ("GetIt", "getit"),
        ("do_it_all", "do_it_all"),
        ("do_itall", "do_itall"),
        ("DoItAll", None),
    ],
)
def test_names_that_only_meet_in_their_pascal_case_forms_stay_apart(target: str, found: str | None) -> None:
    method = mapped(Neighbours).methods.find(target)
    assert (method.name if method else None) == found
