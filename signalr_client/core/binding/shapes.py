"""Which fields a class has, whatever kind of class it is: dataclass, attrs, msgspec Struct, NamedTuple, TypedDict. Room: core, row 1.

A `Shape` is read from the class once. It says nothing about the wire, except for the names and tags that the class itself prescribes.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
import typing_extensions

from signalr_client.core.binding.annotations import field_types, without_marks
from signalr_client.core.binding.naming import PropertyName

__all__ = ["Field", "Shape", "is_model", "shape_of", "written_fields"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a class.

    Attributes:
        name: the attribute.
        argument: the parameter of the constructor.
        type: the type.
        required: whether the constructor needs it.
        keyword: whether the constructor takes it by name only.
        property_name: the .NET name, where one is given.
        wire_name: the name on the wire, where the class prescribes it.
    """

    name: str
    argument: str
    type: Any
    required: bool
    keyword: bool = False
    property_name: PropertyName | None = None
    wire_name: str | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What reading and writing need to know of a class.

    Attributes:
        kind: the class.
        fields: what its constructor takes, in order.
        make: the constructor.
        sequence: its values are arrays over MessagePack, as .NET's tuples are; over JSON they are objects.
        array: its values are arrays in both hub protocols, as those of a Struct with ``array_like``.
        tag: the member that tells the members of a union apart, and its value.
        strict: whether unknown members are refused.
    """

    kind: Any
    fields: tuple[Field, ...]
    make: Callable[..., Any]
    sequence: bool = False
    array: bool = False
    tag: tuple[str, str | int] | None = None
    strict: bool = False


def is_model(kind: type) -> bool:
    """Return whether *kind* is a model of pydantic (version 2), which reads and writes itself."""
    return hasattr(kind, "__pydantic_validator__") and hasattr(kind, "model_fields")


def shape_of(kind: type, arguments: tuple[Any, ...], known: Mapping[str, Any]) -> Shape | None:
    """Return the shape of a class, or None if it is no class with fields.

    Args:
        kind: the class.
        arguments: what it is generic over.
        known: classes by name, for forward references.

    Raises:
        UnsupportedTypeError: an annotation cannot be resolved.
    """
    for test, read in _KINDS:
        if test(kind):
            return read(kind, field_types(kind, arguments, known))
    return None


def written_fields(kind: type) -> list[tuple[str, PropertyName | None, str | None]] | None:
    """Return the name, the .NET name and the prescribed wire name of each field to write; None if it is no class with fields."""
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
    elif hasattr(kind, "__attrs_attrs__"):
        names = [attribute.name for attribute in kind.__attrs_attrs__]
    elif _is_named_tuple(kind):
        names = list(kind._fields)  # type: ignore[attr-defined]  # that makes it a NamedTuple
    elif issubclass(kind, msgspec.Struct):
        marks = _property_names(kind)
        return [(field.name, marks.get(field.name), _struct_name(field)) for field in msgspec.structs.fields(kind)]
    else:
        return None
    marks = _property_names(kind)
    return [(name, marks.get(name), None) for name in names]


def _dataclass(kind: Any, types: Mapping[str, Any]) -> Shape:
    missing = dataclasses.MISSING
    fields = [
        _field(
            field.name,
            types[field.name],
            required=field.default is missing and field.default_factory is missing,
            keyword=bool(field.kw_only),
        )
        for field in dataclasses.fields(kind)
        if field.init
    ]
    return Shape(kind, tuple(fields), kind)


def _attrs(kind: Any, types: Mapping[str, Any]) -> Shape:
    import attrs  # noqa: PLC0415  # optional, and imported already by whoever made the class

    fields = [
        _field(
            attribute.name,
            types.get(attribute.name, Any if attribute.type is None else attribute.type),
            argument=attribute.alias,
            required=attribute.default is attrs.NOTHING,
            keyword=attribute.kw_only,
        )
        for attribute in kind.__attrs_attrs__
        if attribute.init
    ]
    return Shape(kind, tuple(fields), kind)


def _struct(kind: Any, types: Mapping[str, Any]) -> Shape:
    config = kind.__struct_config__
    fields = tuple(
        dataclasses.replace(
            _field(field.name, types[field.name], required=field.required, keyword=True), wire_name=_struct_name(field)
        )
        for field in msgspec.structs.fields(kind)
    )
    tag = None if config.tag is None else (config.tag_field, config.tag)
    return Shape(kind, fields, kind, array=config.array_like, tag=tag, strict=config.forbid_unknown_fields)


def _named_tuple(kind: Any, types: Mapping[str, Any]) -> Shape:
    fields = [_field(name, types.get(name, Any), required=name not in kind._field_defaults) for name in kind._fields]
    return Shape(kind, tuple(fields), kind, sequence=True)


def _typed_dict(kind: Any, types: Mapping[str, Any]) -> Shape:
    fields = []
    for name, wanted in types.items():
        required = _REQUIRED.get(typing.get_origin(wanted), name in kind.__required_keys__)
        field = _field(name, wanted, required=required, keyword=True)
        fields.append(field if field.property_name else dataclasses.replace(field, wire_name=name))
    return Shape(kind, tuple(fields), dict)


def _field(name: str, wanted: Any, *, required: bool, argument: str | None = None, keyword: bool = False) -> Field:
    wanted = without_marks(wanted)
    return Field(name, argument or name, wanted, required, keyword, _property_name(wanted))


def _property_name(annotation: Any) -> PropertyName | None:
    """Return the `PropertyName` in the annotation."""
    annotation = without_marks(annotation)
    metadata = typing.get_args(annotation)[1:] if typing.get_origin(annotation) is Annotated else ()
    return next((mark for mark in metadata if isinstance(mark, PropertyName)), None)


def _property_names(kind: type) -> dict[str, PropertyName]:
    """Return the .NET names of the fields that have one. Only annotations that mention the mark are resolved."""
    if not any("PropertyName" in text for text in _annotation_texts(kind)):
        return {}
    found = {name: _property_name(wanted) for name, wanted in field_types(kind, (), {}).items()}
    return {name: given for name, given in found.items() if given is not None}


def _annotation_texts(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        for annotation in typing_extensions.get_annotations(base, format=typing_extensions.Format.FORWARDREF).values():
            yield annotation if isinstance(annotation, str) else repr(annotation)


def _struct_name(field: Any) -> str | None:
    """Return the name that a Struct prescribes with ``rename`` or ``name``."""
    return None if field.encode_name == field.name else field.encode_name


def _is_named_tuple(kind: type) -> bool:
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


_REQUIRED: Final[dict[Any, bool]] = {  # texts of annotations hide these marks from the class itself
    typing.Required: True,
    typing.NotRequired: False,
    typing_extensions.Required: True,
    typing_extensions.NotRequired: False,
}

_KINDS: Final[tuple[tuple[Callable[[Any], bool], Callable[[Any, Mapping[str, Any]], Shape]], ...]] = (
    (typing_extensions.is_typeddict, _typed_dict),
    (dataclasses.is_dataclass, _dataclass),
    (lambda kind: hasattr(kind, "__attrs_attrs__"), _attrs),
    (lambda kind: issubclass(kind, msgspec.Struct), _struct),
    (_is_named_tuple, _named_tuple),
)
