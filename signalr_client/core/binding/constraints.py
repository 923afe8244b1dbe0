"""The constraints of a `msgspec.Meta` in an annotation. Room: core, row 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, get_origin

import msgspec

from signalr_client.core.binding.annotations import without_marks
from signalr_client.core.binding.misfit import Misfit, type_name
from signalr_client.errors import UnsupportedTypeError

__all__ = ["constraint"]


def constraint(wanted: Any, metadata: Sequence[Any], where: str) -> Callable[[Any], None] | None:
    """Return a function that raises `Misfit` for a value that breaks a constraint; None if the metadata contains no constraint.

    Args:
        wanted: the type without its metadata.
        metadata: the metadata; what is not a `msgspec.Meta` is not ours.
        where: what is being compiled, for errors.

    Raises:
        UnsupportedTypeError: the constraints do not apply to the type.
    """
    marks = tuple(mark for mark in metadata if isinstance(mark, msgspec.Meta))
    if not marks:
        return None
    kind = without_marks(wanted)
    checked: Any = Annotated[(get_origin(kind) or kind, *marks)]  # made at run time
    try:
        msgspec.json.Decoder(checked)
    except TypeError as exc:
        raise UnsupportedTypeError(f"The constraints of {type_name(wanted)}{where} cannot be checked: {exc}") from exc

    def check(value: Any) -> None:
        try:
            msgspec.convert(value, checked)
        except msgspec.ValidationError as exc:
            raise Misfit(f"{str(exc)[:1].lower()}{str(exc)[1:]}") from None

    return check
