"""Models of pydantic (version 2). Room: core, row 1. pydantic is optional, and nothing here imports it.

A model validates and serializes itself: aliases, validators, constraints and serializers are its own. What it does not know is how
.NET spells values, so its members are read as the types of their annotations first. A member that does not fit is passed on as it
is, because a validator of the model may accept it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from signalr_client.core.binding.misfit import Misfit, expected, index_part, refusal
from signalr_client.core.binding.naming import plain_name
from signalr_client.core.binding.reader import Reader

__all__ = ["ModelField", "model_fields", "model_reader", "model_writer", "root_model_reader"]

_DICT = frozenset({dict})


class ModelField:
    """One field of a model.

    Attributes:
        name: the attribute.
        type: its annotation.
        given: the key by which the model takes it.
        written: the name that the model prescribes on the wire, if it prescribes one.
        excluded: whether it is never written.
    """

    __slots__ = ("excluded", "given", "name", "type", "written")

    def __init__(self, name: str, info: Any, *, by_name: bool) -> None:
        self.name: str = name
        self.type: Any = info.annotation
        alias = info.validation_alias
        self.given: str = name if by_name or not isinstance(alias, str) else alias
        chosen = info.serialization_alias if isinstance(info.serialization_alias, str) else None
        # an alias of an alias generator spells the name for one protocol only, so the naming of the protocol takes its place
        self.written: str | None = None if info.alias_priority == 1 else chosen
        self.excluded: bool = bool(info.exclude)


def model_fields(kind: Any) -> list[ModelField]:
    """Return the fields of a model."""
    config = kind.model_config
    by_name = bool(config.get("populate_by_name") or config.get("validate_by_name"))
    return [ModelField(name, info, by_name=by_name) for name, info in kind.model_fields.items()]


def model_reader(kind: Any, fields: Sequence[ModelField], readers: Sequence[Reader], names: Sequence[str]) -> Reader:
    """Return the reader of a model; *names* are those of the fields on the wire."""
    name = kind.__name__
    members: dict[str, tuple[str, Reader]] = {}
    for field, reader, wire in zip(fields, readers, names, strict=True):
        for spelling in (wire, field.given, field.name):
            members.setdefault(plain_name(spelling), (field.given, reader))

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise expected(name, value)
        found: dict[Any, Any] = {}
        misfits: dict[str, Misfit] = {}
        for key, item in value.items():
            known = members.get(plain_name(key)) if type(key) is str else None
            if known is None:
                found[key] = item  # the model decides about unknown members
                continue
            given, reader = known
            try:
                found[given] = reader.read(item)
            except Misfit as exc:
                found[given], misfits[given] = item, exc
        return _validate(kind, found, misfits)

    return Reader(name, read, _DICT, members=frozenset(members))


def root_model_reader(kind: Any, root: Reader) -> Reader:
    """Return the reader of a RootModel, which is its only value."""

    def read(value: Any) -> Any:
        try:
            value = root.read(value)
        except Misfit as exc:
            return _validate(kind, value, {"": exc})
        return _validate(kind, value, {})

    return Reader(kind.__name__, read, root.accepts, rank=root.rank)


def model_writer(kind: Any, spell: Callable[[str], str]) -> Callable[[Any], Any]:
    """Return the function that turns a model into the values of its members, by their names on the wire; they are not plain yet."""
    decorators = kind.__pydantic_decorators__
    if decorators.model_serializers:
        return _dump
    if kind.__pydantic_root_model__:
        return lambda model: model.root
    serialized = {field for found in decorators.field_serializers.values() for field in found.info.fields}
    fields = [field for field in model_fields(kind) if not field.excluded]
    plain = [(field.name, field.written or spell(field.name)) for field in fields if field.name not in serialized]
    special = {
        field.name: field.written or spell(field.name) for field in fields if field.name in serialized or "*" in serialized
    }
    computed = [
        (name, (found.info.alias if found.info.alias_priority != 1 else None) or spell(name))
        for name, found in decorators.computed_fields.items()
    ]

    def write(model: Any) -> dict[str, Any]:
        written = {wire: getattr(model, name) for name, wire in plain if "*" not in serialized}
        if special:
            dumped = model.model_dump(include=set(special))
            written |= {special[name]: value for name, value in dumped.items()}
        written |= {wire: getattr(model, name) for name, wire in computed}
        return written | (model.model_extra or {})

    return write


def _dump(model: Any) -> Any:
    return model.model_dump(by_alias=True)


def _validate(kind: Any, value: Any, misfits: Mapping[str, Misfit]) -> Any:
    """Return the model.

    Args:
        kind: the model.
        value: its members, read as far as they fit.
        misfits: why others did not, which describes a refusal better than the model can.

    Raises:
        Misfit: the model refuses the values; the path is that of the first error.
    """
    try:
        return kind.model_validate(value)
    except Exception as exc:  # pydantic.ValidationError, or whatever a validator raises
        errors: Callable[..., list[Mapping[str, Any]]] | None = getattr(exc, "errors", None)
        if errors is None:
            raise refusal(kind.__name__, exc) from exc
        first = errors(include_url=False, include_input=False, include_context=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        if "" in misfits:
            raise misfits[""] from None
        if name in misfits:
            raise misfits[name].inside(f".{name}") from None
        misfit = Misfit(f"{first['msg'][:1].lower()}{first['msg'][1:]}")
        for part in reversed(first["loc"]):
            misfit.inside(index_part(part) if isinstance(part, int) else f".{part}")
        raise misfit from exc
