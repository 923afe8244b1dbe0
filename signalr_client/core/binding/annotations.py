"""What annotations mean: forward references, type variables, aliases. Room: core, row 1.

Annotations are read when a type is compiled, never when a value arrives. A text in an annotation is looked up in the module that
wrote it, and among the classes that are being compiled around it, so that a class may refer to itself wherever it is defined.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, ForwardRef, Generic, Protocol, TypeVar, Union, get_args, get_origin

import typing_extensions
from typing_extensions import NoDefault, TypeAliasType

from signalr_client.errors import UnsupportedTypeError

__all__ = [
    "alias_value",
    "field_types",
    "function_types",
    "is_alias",
    "meaning",
    "refuse_text",
    "substitute",
    "type_key",
    "type_variable_value",
    "type_variables",
    "without_marks",
]

_ALIASES: Final = tuple({TypeAliasType, getattr(typing, "TypeAliasType", TypeAliasType)})
_MARKS: Final = frozenset(
    {
        typing.Final,
        typing.ClassVar,
        typing_extensions.Required,
        typing_extensions.NotRequired,
        typing_extensions.ReadOnly,
        typing.Required,
        typing.NotRequired,
    }
)
_MOST_LAYERS: Final = 100
"""Wrappers around a function that are looked behind: an object may claim to have any attribute, and never come to an end."""

_ROOTS: Final = (object, Generic, Protocol, typing_extensions.Protocol)


def field_types(kind: type, arguments: tuple[Any, ...], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the types of the fields of a class, in the order of their definition, with its type variables replaced.

    Args:
        kind: the class.
        arguments: what it is generic over; empty if it is not, or if that is not said.
        known: classes by name, for texts that the module of the class does not resolve.

    Raises:
        UnsupportedTypeError: an annotation cannot be resolved; the text names it.
    """
    found: dict[str, Any] = {}
    variables = type_variables(kind, arguments)
    for base in reversed(kind.__mro__):
        if base in _ROOTS:
            continue
        annotations = typing_extensions.get_annotations(base, format=typing_extensions.Format.FORWARDREF)
        if not annotations:
            continue
        names = {parameter.__name__: parameter for parameter in getattr(base, "__type_params__", ())}
        names = {**known, **vars(base), base.__name__: base, kind.__name__: kind, **names}
        namespace = vars(sys.modules.get(base.__module__, typing))
        for name, annotation in annotations.items():
            resolved = _resolve(annotation, namespace, names, f"field '{name}' of {base.__qualname__}")
            found[name] = substitute(resolved, variables.get(base, {}))
    return found


def function_types(
    function: Callable[..., object], known: Mapping[str, Any] = types.MappingProxyType({}), *, returns: bool = False
) -> dict[str, Any]:
    """Return the types of the parameters of a function or another callable, by name; parameters without annotation are left out.

    Args:
        function: the function.
        known: types by name, for texts that the function's module does not resolve.
        returns: whether the type of the result is read too, as ``return``.

    Raises:
        UnsupportedTypeError: an annotation cannot be resolved; the text names it.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins have no signature
        return {}
    plain = _plain_function(function)
    names = dict(known)
    names |= inspect.getclosurevars(plain).nonlocals if inspect.isfunction(plain) else {}
    names |= {parameter.__name__: parameter for parameter in getattr(plain, "__type_params__", ())}
    namespace = getattr(plain, "__globals__", {})
    where = getattr(plain, "__qualname__", repr(function))
    found = {
        name: _resolve(parameter.annotation, namespace, names, f"parameter '{name}' of {where}")
        for name, parameter in signature.parameters.items()
        if parameter.annotation is not parameter.empty
    }
    if returns and signature.return_annotation is not signature.empty:
        found["return"] = _resolve(signature.return_annotation, namespace, names, f"the result of {where}")
    return found


def substitute(annotation: Any, variables: Mapping[Any, Any]) -> Any:
    """Return *annotation* with its type variables replaced."""
    if not variables:
        return annotation
    if isinstance(annotation, TypeVar | typing_extensions.TypeVar):
        return variables.get(annotation, annotation)
    origin = get_origin(annotation)
    if origin is None or not getattr(annotation, "__parameters__", ()):
        return annotation
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        return Annotated[(substitute(inner, variables), *metadata)]
    arguments = tuple(substitute(argument, variables) for argument in get_args(annotation))
    if origin in (Union, types.UnionType):
        return Union[arguments]  # noqa: UP007  # the members are known at run time only
    return annotation.copy_with(arguments) if hasattr(annotation, "copy_with") else origin[arguments]


def type_key(annotation: Any) -> Any:
    """Return what stands for *annotation* in a dict: itself, or its id if it cannot be hashed, because its metadata cannot."""
    try:
        hash(annotation)
    except TypeError:
        return id(annotation)
    return annotation


def type_variable_value(variable: Any) -> Any:
    """Return the type that stands for a type variable without a value: its default, its bound, its constraints, or Any."""
    default = getattr(variable, "__default__", NoDefault)
    if default is not NoDefault and default is not getattr(typing, "NoDefault", NoDefault):
        return default
    if variable.__constraints__:
        return Union[variable.__constraints__]  # noqa: UP007  # as above
    if variable.__bound__ is None:
        return Any
    return _resolve(
        variable.__bound__, vars(sys.modules.get(variable.__module__, typing)), {}, f"type variable {variable.__name__}"
    )


def type_variables(kind: type, arguments: tuple[Any, ...]) -> dict[type, dict[Any, Any]]:
    """Return, for *kind* and each of its generic bases, what its type variables stand for."""
    found: dict[type, dict[Any, Any]] = {}

    def visit(current: type, values: tuple[Any, ...]) -> None:
        parameters = getattr(current, "__parameters__", ())
        own = dict(zip(parameters, values, strict=False))
        found.setdefault(current, {}).update(own)
        for base in vars(current).get("__orig_bases__", current.__bases__):
            origin = get_origin(base) or base
            if isinstance(origin, type) and origin not in _ROOTS:
                visit(origin, tuple(substitute(argument, own) for argument in get_args(base)))

    visit(kind, arguments)
    return found


def is_alias(annotation: Any) -> bool:
    """Return whether *annotation* is an alias made with ``type`` or TypeAliasType, with or without arguments."""
    return isinstance(annotation, _ALIASES) or isinstance(get_origin(annotation), _ALIASES)


def alias_value(alias: Any) -> Any:
    """Return what an alias stands for.

    Raises:
        UnsupportedTypeError: it refers to a name that is not defined.
    """
    plain = alias if isinstance(alias, _ALIASES) else get_origin(alias)
    try:
        value = plain.__value__
    except NameError as exc:
        raise UnsupportedTypeError(f"The type alias {plain.__name__} cannot be resolved: {exc}.") from exc
    module = getattr(plain, "__module__", None) or "typing"
    names = {plain.__name__: plain}
    value = _resolve(value, vars(sys.modules.get(module, typing)), names, f"type alias {plain.__name__}")
    variables = dict(zip(plain.__type_params__, get_args(alias), strict=False)) if plain is not alias else {}
    return substitute(value, variables)


def without_marks(annotation: Any) -> Any:
    """Return *annotation* without Required, NotRequired, ReadOnly and Final, which say something about the field and not its type."""
    while get_origin(annotation) in _MARKS:
        (annotation,) = get_args(annotation)
    return annotation


def meaning(annotation: Any) -> Any:
    """Return *annotation* without such marks, and what a NewType or a type variable stands for in its place."""
    while True:
        annotation = without_marks(annotation)
        if isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif isinstance(annotation, TypeVar | typing_extensions.TypeVar):
            annotation = type_variable_value(annotation)
        else:
            return annotation


def refuse_text(annotation: Any, where: str = "") -> None:
    """Check that an annotation is not the name of a type.

    Raises:
        UnsupportedTypeError: it is.
    """
    if isinstance(annotation, str | ForwardRef):
        text = annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else annotation
        raise UnsupportedTypeError(f"'{text}'{where} is a text, not a type: pass the class itself.")


def _resolve(annotation: Any, namespace: Mapping[str, Any], names: Mapping[str, Any], where: str) -> Any:
    """Return *annotation* without texts.

    Raises:
        UnsupportedTypeError: a name is not defined.
    """
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation
    # The types of a class are looked up, because ClassVar and Final are allowed only there.
    holder = type("Holder", (), {"__annotations__": {"value": annotation}})
    try:
        return typing.get_type_hints(holder, dict(namespace), dict(names), include_extras=True)["value"]
    except NameError as exc:
        text = annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else annotation
        raise UnsupportedTypeError(
            f"The annotation '{text}' of {where} cannot be resolved: {exc}. Define or import the type at the top level of its"
            " module, outside of `if TYPE_CHECKING`."
        ) from exc
    except (TypeError, SyntaxError, AttributeError) as exc:
        raise UnsupportedTypeError(f"The annotation '{annotation}' of {where} is not a type: {exc}.") from exc


def _plain_function(function: Any) -> Any:
    """Return the function that wrote the annotations: behind decorators, methods, partials and callable objects."""
    for _ in range(_MOST_LAYERS):
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, types.MethodType):
            function = function.__func__
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        elif isinstance(function, type):
            return function.__init__  # type: ignore[misc]  # only read, never called
        elif not inspect.isroutine(function) and hasattr(type(function), "__call__"):  # noqa: B004  # its annotations are read
            function = type(function).__call__
        else:
            break
    return function
