"""Python types to and from the values of the hub protocols. Room: core, row 1; no I/O, no clock.

.NET spells one value differently in JSON and in MessagePack: names, enums, dates, durations, decimals, bytes. A `Binding` knows the
spelling of one hub protocol. Its `Converter` reads what the protocol has decoded as a type that was asked for, and its `write`
prepares any value for the encoder. docs/types.md has the table of types.

A type is compiled once, into a `Reader` for itself and one for each type in it (compiler.py); which fields a class has is the
business of shapes.py, and what its annotations mean that of annotations.py. Values are written as what they are (writer.py). Where
a Protocol says what type an argument has, a `Checker` compares the value with it first (checks.py).
"""

from signalr_client.core.binding.annotations import function_types, substitute, type_variables
from signalr_client.core.binding.binding import Binding, Converter, bind, json_binding, messagepack_binding
from signalr_client.core.binding.checks import Checker, checker
from signalr_client.core.binding.misfit import TooDeep, type_name
from signalr_client.core.binding.naming import Naming, PropertyName, member_names, plain_name
from signalr_client.core.binding.scalars import Form
from signalr_client.core.binding.writer import PLAIN

__all__ = [
    "PLAIN",
    "Binding",
    "Checker",
    "Converter",
    "Form",
    "Naming",
    "PropertyName",
    "TooDeep",
    "bind",
    "checker",
    "function_types",
    "json_binding",
    "member_names",
    "messagepack_binding",
    "plain_name",
    "substitute",
    "type_name",
    "type_variables",
]
