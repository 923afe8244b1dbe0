"""The fields of a Python class, whatever kind of class it is, with their defaults. Room: generate."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal

import msgspec

from signalr_client.core.binding.annotations import field_types
from signalr_client.core.binding.models import model_fields
from signalr_client.core.binding.naming import Naming, PropertyName, naming_function
from signalr_client.core.binding.shapes import Shape, is_model, shape_of, written_fields
from signalr_client.generate.description import REQUIRED, UNKNOWN, Constant, Default, EmptyContainer, EnumConstant, Field
from signalr_client.generate.names import dotnet_name
from signalr_client.generate.types import Type

__all__ = ["Spelling", "array_types", "class_doc", "default_of", "read_fields", "root_type"]

_MISSING: Final = object()

Read = Callable[[Any, str], Type]
"""Returns the type of an annotation, given what has it."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """How names are spelled, which is what the hub protocols are configured with.

    Attributes:
        json: those of fields over JSON.
        messagepack: those of fields over MessagePack.
        enums: those of members of enumerations.
    """

    json: Naming = "camelCase"
    messagepack: Naming = "PascalCase"
    enums: Naming = "PascalCase"


def read_fields(kind: type, around: Mapping[str, Any], read: Read, spelling: Spelling) -> tuple[tuple[Field, ...], bool]:
    """Return the fields of a class, and whether it is an array over MessagePack.

    Args:
        kind: the class.
        around: classes by name, for forward references.
        read: reads the type of a field.
        spelling: the names on the wire.
    """
    spell = _Spell(spelling)
    where = f"{kind.__module__}.{kind.__qualname__}"
    if is_model(kind):
        return tuple(_model_fields(kind, read, spell, where)), False
    shape = shape_of(kind, (), around)
    assert shape is not None  # the caller has asked
    fields = []
    if shape.tag is not None:
        name, value = shape.tag
        tag_type = read(Literal[value], where)
        fields.append(Field(name, dotnet_name(name), name, name, tag_type, Constant(value)))
    defaults = _defaults(kind)
    for field in shape.fields:
        default = REQUIRED if field.required else default_of(defaults.get(field.name, _MISSING))
        named = spell.field(field.name, field.property_name, field.wire_name)
        kind_of_field = read(field.type, f"{where}.{field.name}")
        fields.append(dataclasses.replace(named, type=kind_of_field, default=default, positional=not field.keyword))
    fields += _only_written(kind, {field.name for field in shape.fields}, read, spell, where)
    return tuple(fields), shape.sequence


def array_types(shape: Shape) -> list[Any]:
    """Return the types of the items of a class whose values are arrays, its tag included."""
    tag = [] if shape.tag is None else [Literal[shape.tag[1]]]
    return [*tag, *(field.type for field in shape.fields)]


def root_type(kind: type) -> tuple[Any] | None:
    """Return the type that a RootModel of pydantic wraps, in a tuple; None for other classes."""
    if is_model(kind) and getattr(kind, "__pydantic_root_model__", False):
        return (model_fields(kind)[0].type,)
    return None


def class_doc(kind: type) -> str:
    """Return the docstring that the author of a class wrote; dataclasses make one of their own."""
    text = vars(kind).get("__doc__")
    if not isinstance(text, str) or text.startswith(f"{kind.__name__}("):
        return ""
    return inspect.cleandoc(text)


def default_of(value: object) -> Default:
    """Return the default for a value in Python; `UNKNOWN` if other languages cannot write it."""
    match value:
        case Enum():
            return EnumConstant(type(value).__name__, value.name) if value.name in type(value).__members__ else UNKNOWN
        case Decimal() if not value.is_finite():
            return UNKNOWN
        case None | bool() | int() | float() | str() | Decimal():
            return Constant(value)
        case bytes() | list() | dict() | set() | frozenset() | tuple() if not value:
            return EmptyContainer()
        case _:
            return UNKNOWN


class _Spell:
    """Names of fields."""

    def __init__(self, spelling: Spelling) -> None:
        self._json = naming_function(spelling.json)
        self._messagepack = naming_function(spelling.messagepack)

    def field(self, name: str, given: PropertyName | None, prescribed: str | None) -> Field:
        """Return a field with its names; the type is to be filled in."""
        mark = given or PropertyName(name)
        json = prescribed or mark.spelled(self._json, binary=False)
        messagepack = prescribed or mark.spelled(self._messagepack, binary=True)
        return Field(name, dotnet_name(mark.name), json, messagepack, _NO_TYPE)


def _model_fields(kind: Any, read: Read, spell: _Spell, where: str) -> list[Field]:
    fields = []
    for field in model_fields(kind):
        if field.excluded:
            continue
        info = kind.model_fields[field.name]
        default = REQUIRED if info.is_required() else default_of(_made(info.default, info.default_factory))
        named = spell.field(field.name, None, field.written)
        fields.append(
            dataclasses.replace(
                named, type=read(field.type, f"{where}.{field.name}"), default=default, doc=info.description or ""
            )
        )
    for name, found in kind.__pydantic_decorators__.computed_fields.items():
        alias = found.info.alias if found.info.alias_priority != 1 else None
        result = read(found.info.return_type, f"{where}.{name}")
        fields.append(dataclasses.replace(spell.field(name, None, alias), type=result, default=UNKNOWN))
    return fields


def _only_written(kind: type, read_names: set[str], read: Read, spell: _Spell, where: str) -> list[Field]:
    """Return the fields that a constructor does not take, such as those of dataclasses with ``init=False``."""
    found = []
    written = [entry for entry in written_fields(kind) or () if entry[0] not in read_names]
    types = field_types(kind, (), {}) if written else {}
    for name, given, prescribed in written:
        named = spell.field(name, given, prescribed)
        found.append(dataclasses.replace(named, type=read(types.get(name, Any), f"{where}.{name}"), default=UNKNOWN))
    return found


def _defaults(kind: Any) -> dict[str, object]:
    """Return the defaults of the fields of a class by name; a factory is called if it is that of a container."""
    if dataclasses.is_dataclass(kind):
        return {field.name: _made(field.default, field.default_factory) for field in dataclasses.fields(kind)}
    if hasattr(kind, "__attrs_attrs__"):
        return {field.name: _attrs_default(field.default) for field in kind.__attrs_attrs__}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return {field.name: _made(field.default, field.default_factory) for field in msgspec.structs.fields(kind)}
    return dict(getattr(kind, "_field_defaults", {}))


def _attrs_default(default: Any) -> object:
    factory = getattr(default, "factory", None)
    return default if factory is None else _made(_MISSING, factory)


def _made(default: object, factory: object) -> object:
    if factory in _FACTORIES:
        return factory()
    unset = default in (dataclasses.MISSING, msgspec.NODEFAULT) if isinstance(default, _SENTINELS) else False
    return _MISSING if unset or callable(factory) else default


_FACTORIES: Final = (list, dict, set, frozenset, tuple)
_SENTINELS: Final = (type(dataclasses.MISSING), type(msgspec.NODEFAULT))
_NO_TYPE: Final[Any] = None
