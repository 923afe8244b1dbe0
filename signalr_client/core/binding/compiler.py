"""From a type to its `Reader`. Room: core, row 1.

A compiler serves one type and what it consists of. A class is compiled once, so types that contain themselves end.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import typing_extensions

from signalr_client.core.binding.annotations import alias_value, is_alias, meaning, refuse_text, type_key
from signalr_client.core.binding.constraints import constraint
from signalr_client.core.binding.containers import DICTS, LISTS, dict_reader, list_reader, tuple_reader
from signalr_client.core.binding.enums import enum_reader, literal_reader
from signalr_client.core.binding.misfit import expected, type_name
from signalr_client.core.binding.models import ModelField, model_fields, model_reader, root_model_reader
from signalr_client.core.binding.objects import object_reader
from signalr_client.core.binding.reader import Rank, Reader
from signalr_client.core.binding.scalars import Form, anything, key_reader, scalar_reader
from signalr_client.core.binding.shapes import Field, is_model, shape_of
from signalr_client.core.binding.unions import union_reader
from signalr_client.errors import UnsupportedTypeError

__all__ = ["Compiler"]

_LITERALS: Final = (Literal, typing_extensions.Literal)


class Compiler:
    """Makes the reader of one type.

    Args:
        form: how values are spelled.
        spell: the name of a field on the wire.
        digits: decoded numbers are Decimals instead of floats, to keep all of their digits.

    Attributes:
        needs_digits: a type that was compiled is a Decimal.
    """

    def __init__(self, form: Form, spell: Callable[[str], str], *, digits: bool = False) -> None:
        self.needs_digits: bool = False
        self._form = form
        self._spell = spell
        self._digits = digits
        self._named: dict[Any, Reader] = {}  # the classes and aliases that have been begun
        self._classes: dict[str, type] = {}  # the classes around what is being compiled, for forward references
        self._where = ""  # which field is being compiled, for errors

    def compile(self, wanted: Any) -> Reader:
        """Return the reader of *wanted*.

        Raises:
            UnsupportedTypeError: values cannot be converted to it.
        """
        wanted = meaning(wanted)
        if wanted is Any or wanted is object or wanted is typing_extensions.Any:
            return anything(digits=self._digits)
        if wanted is Decimal:
            self.needs_digits = True
        reader = scalar_reader(wanted, self._form, digits=self._digits)
        if reader is not None:
            return reader
        if is_alias(wanted):
            return self._once(wanted, lambda: self.compile(alias_value(wanted)))
        refuse_text(wanted, self._where)
        return self._structured(wanted)

    def _structured(self, wanted: Any) -> Reader:
        """Return the reader of a type that consists of others."""
        origin, arguments = get_origin(wanted) or wanted, get_args(wanted)
        if origin is Annotated:
            return self._annotated(*arguments)
        if origin in (Union, types.UnionType):
            return union_reader(type_name(wanted), [self.compile(argument) for argument in arguments])
        if origin in _LITERALS:
            kinds = {type(value): self.compile(type(value)) for value in arguments if isinstance(value, Enum)}
            return literal_reader(arguments, type_name(wanted), kinds)
        if origin in LISTS:
            return list_reader(type_name(wanted), self.compile(arguments[0] if arguments else Any), LISTS[origin])
        if origin is tuple:
            return self._tuple(wanted, arguments)
        if origin in DICTS:
            key, item = arguments if len(arguments) == 2 else (Any, Any)
            return dict_reader(type_name(wanted), key_reader(self.compile(key), key), self.compile(item), DICTS[origin])
        if not isinstance(origin, type):
            raise self._unsupported(wanted)
        if issubclass(origin, Enum):
            return enum_reader(origin)
        return self._once(wanted, lambda: self._class(wanted, origin, arguments))

    def _annotated(self, wanted: Any, *metadata: Any) -> Reader:
        """Return the reader of an annotated type; the constraints of a `msgspec.Meta` are checked, other metadata is not ours."""
        reader = self.compile(wanted)
        check = constraint(wanted, metadata, self._where)
        if check is None:
            return reader

        def read(value: Any) -> Any:
            found = reader.read(value)
            check(found)
            return found

        return Reader(reader.name, read, reader.accepts, rank=reader.rank)

    def _tuple(self, wanted: Any, arguments: tuple[Any, ...]) -> Reader:
        name = type_name(wanted)
        if not arguments and wanted is tuple:
            return list_reader(name, anything(digits=self._digits), tuple)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return list_reader(name, self.compile(arguments[0]), tuple)
        return tuple_reader(name, [self.compile(argument) for argument in arguments])

    def _once(self, wanted: Any, make: Callable[[], Reader]) -> Reader:
        """Return the reader of a class or an alias. While it is being made, a stand-in serves what refers to it."""
        key = type_key(wanted)
        if key in self._named:
            return self._named[key]
        stand_in = self._named[key] = Reader(type_name(wanted), lambda value: made.read(value), None)  # noqa: PLW0108  # not made yet
        made = make()
        stand_in.members = made.members  # a union looks at them when it reads
        self._named[key] = made
        return made

    def _class(self, wanted: Any, origin: type, arguments: tuple[Any, ...]) -> Reader:
        around, self._classes = self._classes, {**self._classes, origin.__name__: origin}
        where = self._where
        try:
            if is_model(origin):
                return self._model(origin)
            shape = shape_of(origin, arguments, around)
            if shape is None and arguments:
                raise self._unsupported(wanted)
            if shape is None:
                return _opaque(origin)
            readers = [self._field(wanted, field) for field in shape.fields]
            names = [self._wire_name(field) for field in shape.fields]
            if len(set(names)) < len(names):
                raise UnsupportedTypeError(f"Two fields of {type_name(wanted)} have the same name on the wire: {names}.")
            return object_reader(type_name(wanted), shape, readers, names)
        finally:
            self._classes, self._where = around, where

    def _unsupported(self, wanted: Any) -> UnsupportedTypeError:
        name = type_name(wanted)
        return UnsupportedTypeError(f"Values cannot be converted to {name}{self._where}; docs/types.md lists the types.")

    def _model(self, kind: Any) -> Reader:
        fields = model_fields(kind)
        if kind.__pydantic_root_model__:
            return root_model_reader(kind, self._leniently(fields[0]))
        names = [field.written or self._spell(field.name) for field in fields]
        return model_reader(kind, fields, [self._leniently(field) for field in fields], names)

    def _leniently(self, field: ModelField) -> Reader:
        """Return the reader of a field of a model; what only pydantic knows is left to it."""
        try:
            return self.compile(field.type)
        except UnsupportedTypeError:
            return anything(digits=self._digits)

    def _field(self, owner: Any, field: Field) -> Reader:
        self._where = f" (field '{field.name}' of {type_name(owner)})"
        return self.compile(field.type)

    def _wire_name(self, field: Field) -> str:
        if field.wire_name is not None:
            return field.wire_name
        if field.property_name is not None:
            return field.property_name.spelled(self._spell, binary=self._form is Form.MESSAGEPACK)
        return self._spell(field.name)


def _opaque(kind: type) -> Reader:
    """Return the reader of a class that has no fields: it only takes its own instances, which a hub protocol of the user may decode."""

    def read(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        raise expected(f"{kind.__name__} (which is not a type that values can be converted to)", value)

    return Reader(kind.__name__, read, None, rank=Rank.CONTAINER)
