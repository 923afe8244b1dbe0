"""`hub_method`, which sets the name of a method on the wire."""

from __future__ import annotations

import pytest

from signalr_client.core.hub_method import hub_method, wire_name


def test_the_decorator_returns_the_method_unchanged() -> None:
    def method() -> int:
        return 1

    assert hub_method("renamed-method")(method) is method
    assert wire_name(method) == "renamed-method"
    assert method() == 1


def test_a_method_without_the_decorator_has_no_wire_name() -> None:
    assert wire_name(lambda: None) is None
    assert wire_name(None) is None


def test_a_subclass_inherits_the_name() -> None:
    class Parent:
        @hub_method("x")
        def method(self) -> None: ...

    class Child(Parent):
        pass

    assert wire_name(Child.method) == wire_name(Child().method) == "x"


def test_an_override_has_its_own_name() -> None:
    class Parent:
        @hub_method("x")
        def method(self) -> None: ...

    class Child(Parent):
        def method(self) -> None: ...

    assert wire_name(Child.method) is None


def test_an_empty_name_is_rejected() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        hub_method("")
