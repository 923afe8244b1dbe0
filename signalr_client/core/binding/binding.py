"""`Binding`: the conversion between Python types and one hub protocol. Room: core, row 1."""

from __future__ import annotations

import functools
from typing import Any, Final, Generic, TypeVar

from typing_extensions import TypeForm

from signalr_client.core.binding.compiler import Compiler
from signalr_client.core.binding.misfit import Misfit, type_name
from signalr_client.core.binding.naming import Naming, enum_naming_function, naming_function
from signalr_client.core.binding.scalars import Form
from signalr_client.core.binding.writer import PLAIN, Writer, is_plain
from signalr_client.errors import BindingError

__all__ = ["Binding", "Converter", "bind", "json_binding", "messagepack_binding"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_MOST_TYPES: Final = 512  # whose converters are kept for each binding


class Converter(Generic[T_co]):
    """Converts decoded values to one type.

    Attributes:
        name: the type, for errors.
        kind: values of exactly this type are returned as they are; None if there is not one such type.
        needs_digits: the values must be decoded with `JsonHubProtocol.decode_digits`, because the type contains a Decimal.

    Args:
        wanted: the type.
        form: how values are spelled.
        naming: the names of fields.
        digits: the values are decoded in that way in any case.
    """

    __slots__ = ("_read", "kind", "name", "needs_digits")

    def __init__(self, wanted: Any, form: Form, naming: Naming, *, digits: bool = False) -> None:
        spell = naming_function(naming)
        compiler = Compiler(form, spell)
        reader = compiler.compile(wanted)
        self.needs_digits: bool = compiler.needs_digits and form is Form.JSON
        if self.needs_digits or digits:
            reader = Compiler(form, spell, digits=True).compile(wanted)
        self.name: str = type_name(wanted)
        self.kind: type | None = next(iter(reader.same)) if len(reader.same) == 1 else None
        self._read = reader.read

    def convert(self, value: object, path: str) -> T_co:
        """Return *value* as the type.

        Raises:
            BindingError: it does not fit; the message begins with *path*.
        """
        try:
            return self._read(value)  # type: ignore[no-any-return]  # that is what the reader was made for
        except Misfit as exc:
            raise BindingError(exc.text(path)) from exc.__cause__

    def convert_result(self, value: object, path: str = "result") -> T_co:
        """Return the result of a call as the type.

        Raises:
            BindingError: it does not fit; the message begins with the official text.
        """
        try:
            return self._read(value)  # type: ignore[no-any-return]  # as above
        except Misfit as exc:
            raise BindingError(f"Error trying to deserialize result to {self.name}. {exc.text(path)}") from exc.__cause__

    def convert_item(self, value: object) -> T_co:
        """Return an item of a stream as the type.

        Raises:
            BindingError: it does not fit.
        """
        return self.convert_result(value, "item")


class Binding:
    """How one hub protocol spells Python values. Bindings with the same options are the same object; see `json_binding`.

    Args:
        form: how values are spelled.
        naming: the names of fields.
        enum_naming: the names of enum members; None writes numbers.
    """

    def __init__(self, form: Form, naming: Naming, enum_naming: Naming | None) -> None:
        self.form = form
        self.naming = naming
        self.enum_naming = enum_naming
        self._writer = Writer(
            form,
            naming_function(naming),
            enum_naming_function("PascalCase" if enum_naming is None else enum_naming),
            enum_names=enum_naming is not None,
        )
        self._kept = functools.lru_cache(_MOST_TYPES)(self._compile)

    def options(self, **defaults: Naming | None) -> str:
        """Return the options that differ from *defaults*, as they are written in a call."""
        given = {name: getattr(self, name) for name in defaults}
        return ", ".join(f"{name}={value!r}" for name, value in given.items() if value != defaults[name])

    def converter(self, wanted: TypeForm[T], *, digits: bool = False) -> Converter[T]:
        """Return the converter of decoded values to *wanted*. It is compiled once and kept, unless very many other types follow.

        Args:
            wanted: the type.
            digits: the values are decoded with all of their digits, because other values of their message need them.

        Raises:
            UnsupportedTypeError: values cannot be converted to it.
        """
        try:
            return self._kept(wanted, digits)  # type: ignore[arg-type]  # types can be hashed, nearly always
        except TypeError as exc:
            if isinstance(exc, BindingError):
                raise
            return self._compile(wanted, digits)  # a type that cannot be hashed, because its metadata cannot

    def write(self, value: object, path: str, levels: int) -> Any:
        """Return *value* as the encoder of the hub protocol takes it; a plain value is returned as it is.

        Raises:
            BindingError: it has no form on the wire; the message begins with *path*.
            TooDeep: it is not plain, and has more than *levels* levels.
        """
        if is_plain(value):
            return value
        try:
            return self._writer.write(value, levels)
        except Misfit as exc:
            raise BindingError(exc.text(path)) from exc.__cause__

    def write_arguments(self, arguments: list[object], levels: int) -> list[object]:
        """Return the arguments of a call as the encoder takes them; plain ones are returned as they are.

        Raises:
            BindingError: one has no form on the wire; the message begins with its number.
            TooDeep: one is not plain, and has more than *levels* levels.
        """
        if is_plain(arguments):
            return arguments
        return [
            argument if type(argument) in PLAIN else self.write(argument, f"arguments[{index}]", levels)
            for index, argument in enumerate(arguments)
        ]

    def write_other(self, value: object) -> Any:
        """Return a value that `is_plain` let through and msgspec does not know, an array of numbers for example; its `enc_hook`.

        Raises:
            TypeError: it has no form on the wire, a complex number for example.
        """
        try:
            return self._writer.write(value, 1)
        except Misfit as exc:
            raise TypeError(exc.reason) from None

    def _compile(self, wanted: Any, digits: bool) -> Converter[Any]:  # noqa: FBT001  # called through _kept
        return Converter(wanted, self.form, self.naming, digits=digits)


@functools.lru_cache(32)
def json_binding(naming: Naming = "camelCase", enum_naming: Naming | None = None) -> Binding:
    """Return the binding for JSON.

    Raises:
        ValueError: a naming is not one of the known words.
    """
    return Binding(Form.JSON, naming, enum_naming)


@functools.lru_cache(32)
def messagepack_binding(naming: Naming = "PascalCase", enum_naming: Naming | None = "PascalCase") -> Binding:
    """Return the binding for MessagePack.

    Raises:
        ValueError: a naming is not one of the known words.
    """
    return Binding(Form.MESSAGEPACK, naming, enum_naming)


def bind(value: object, wanted: TypeForm[T], binding: Binding | None = None) -> T:
    """Return a decoded value converted to the type *wanted*, as JSON spells it unless a *binding* is given.

    Raises:
        BindingError: the value does not fit; the message says where and why.
    """
    return (binding or json_binding()).converter(wanted).convert(value, "value")
