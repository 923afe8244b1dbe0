"""What the annotations of constructors and hub methods mean: types, and which of them are services. Room: server, injection.

Annotations are read once, when a hub is mapped or a service is created for the first time, never when a message arrives.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from signalr_client.server.errors import HubDefinitionError

__all__ = ["FromKeyedServices", "FromServices", "Hint", "element_type", "read_annotations", "read_hint"]

_SEQUENCES: Final = (list, Sequence, Iterable, Collection)


class FromServices:
    """Marks a parameter as a service: ``clock: Annotated[Clock, FromServices()]``.

    Without the mark, a parameter of a hub method is a service if its type is registered, unless
    `HubOptions.disable_implicit_from_services_parameters` is set. A subclass marks a parameter as well.
    """

    def __repr__(self) -> str:
        """Return the call that makes an equal one."""
        return f"{type(self).__name__}()"


class FromKeyedServices:
    """Marks a parameter as the service registered under a key: ``cache: Annotated[Cache, FromKeyedServices("big")]``."""

    def __init__(self, key: Hashable) -> None:
        self.key = key

    def __repr__(self) -> str:
        """Return the call that makes an equal one."""
        return f"FromKeyedServices({self.key!r})"


class Hint(NamedTuple):
    """One annotation: the type without its marks, whether it allows None, and the marks."""

    type: Any
    optional: bool
    from_services: bool
    keyed: FromKeyedServices | None


def read_hint(annotation: Any, where: str) -> Hint:
    """Return the meaning of one resolved *annotation*; *where* names the parameter in errors.

    Raises:
        HubDefinitionError: it has both marks.
    """
    metadata: tuple[object, ...] = ()
    if typing.get_origin(annotation) is typing.Annotated:
        annotation, *marks = typing.get_args(annotation)
        metadata = tuple(marks)
    keyed = next((mark for mark in metadata if isinstance(mark, FromKeyedServices)), None)
    from_services = any(mark is FromServices or isinstance(mark, FromServices) for mark in metadata)
    if keyed is not None and from_services:
        raise HubDefinitionError(
            f"The FromKeyedServices is not supported on parameters that are also annotated with FromServices ({where})."
        )
    return Hint(*_without_none(annotation), from_services, keyed)


def read_annotations(function: Callable[..., object], names: Mapping[str, object]) -> dict[str, Any]:
    """Return the resolved annotations of a function, or of a class's constructor, with their marks.

    Args:
        function: a function or a class.
        names: types by name, for annotations that the function's own module cannot resolve (classes defined in a function).

    Raises:
        HubDefinitionError: the annotation of a parameter cannot be resolved. A return annotation that cannot is left out.
    """
    source = function.__init__ if isinstance(function, type) else function  # type: ignore[misc]  # only read, never called
    annotations: dict[str, Any] = getattr(source, "__annotations__", {})
    if not any(isinstance(annotation, str) for annotation in annotations.values()):
        return _evaluate(annotations, {})
    plain = inspect.unwrap(source)
    namespace = {**names, **getattr(plain, "__globals__", {})}
    if inspect.isfunction(plain):
        namespace.update(inspect.getclosurevars(plain).nonlocals)
    resolved = {}
    for name, annotation in annotations.items():
        try:
            resolved.update(_evaluate({name: annotation}, namespace))
        except NameError as exc:
            if name == "return":
                continue
            raise HubDefinitionError(
                f"The annotation '{annotation}' of the parameter '{name}' of '{plain.__qualname__}' cannot be resolved: {exc}."
                " Define the type at module level."
            ) from exc
    return resolved


def element_type(annotation: Any) -> Any:
    """Return T of ``list[T]`` and similar types, which stand for all registrations of T; None for other annotations."""
    arguments = typing.get_args(annotation)
    return arguments[0] if typing.get_origin(annotation) in _SEQUENCES and len(arguments) == 1 else None


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """Return (the other type, True) for an Optional, else (*annotation*, False)."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        others = [argument for argument in typing.get_args(annotation) if argument is not type(None)]
        if len(others) == 1 and len(typing.get_args(annotation)) == 2:
            return others[0], True
    return annotation, False


def _evaluate(annotations: dict[str, Any], namespace: dict[str, Any]) -> dict[str, Any]:
    holder = types.SimpleNamespace(__annotations__=annotations)
    return typing.get_type_hints(holder, globalns=namespace, include_extras=True)
