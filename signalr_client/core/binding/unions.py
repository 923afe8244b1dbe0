"""Readers of unions. Room: core, row 1.

A value is given to the members of the union that its type allows, in the order of their `Rank`. Among classes the one that knows the
most of its members wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from signalr_client.core.binding.misfit import Misfit, expected
from signalr_client.core.binding.naming import plain_name
from signalr_client.core.binding.reader import PLAIN_TYPES, Reader

__all__ = ["union_reader"]


def union_reader(name: str, members: Sequence[Reader]) -> Reader:
    """Return the reader of a union."""
    nullable = any(member.nullable for member in members)
    ordered = [member for member in members if member.accepts != _none(nullable=True)]
    if nullable and len(ordered) == 1:
        return _optional(name, ordered[0])
    by_kind = {kind: _candidates(ordered, kind) for kind in PLAIN_TYPES}
    others = [member for member in ordered if member.accepts is None]

    def read(value: Any) -> Any:
        if value is None and nullable:
            return None
        candidates = by_kind.get(type(value), others)
        match candidates:
            case []:
                raise expected(name, value)
            case [only]:
                return only.read(value)
            case _:
                return _first_fit(name, candidates, value)

    accepts = None if others else frozenset(kind for kind, found in by_kind.items() if found) | _none(nullable=nullable)
    return Reader(
        name, read, accepts, _same(ordered, nullable=nullable), min(member.rank for member in ordered), nullable=nullable
    )


def _optional(name: str, inner: Reader) -> Reader:
    read_inner = inner.read

    def read(value: Any) -> Any:
        if value is None:
            return None
        try:
            return read_inner(value)
        except Misfit as exc:
            if not exc.parts and type(value) not in (inner.accepts or PLAIN_TYPES):
                raise expected(name, value) from None
            raise

    accepts = None if inner.accepts is None else inner.accepts | _none(nullable=True)
    return Reader(
        name, read, accepts, _same([inner], nullable=True), inner.rank, inner.integer_rank, inner.members, nullable=True
    )


def _first_fit(name: str, candidates: Sequence[Reader], value: Any) -> Any:
    """Return the value as the first type that it fits; of several classes, as the one that knows the most members."""
    if type(value) is dict:
        keys = {plain_name(key) for key in value if type(key) is str}
        candidates = sorted(candidates, key=lambda member: -len(keys & member.members))
    misfits: list[Misfit] = []
    for candidate in candidates:
        try:
            return candidate.read(value)
        except Misfit as exc:
            misfits.append(exc)
    if type(value) is dict and misfits[0].parts:  # what is wrong with the likeliest class
        raise misfits[0]
    raise Misfit(f"expected {name}, got a {type(value).__name__} that fits none of them") from misfits[0]


def _candidates(members: Sequence[Reader], kind: type) -> list[Reader]:
    """Return the members that may read a decoded value of type *kind*, the first to try first."""
    return sorted((member for member in members if member.may_read(kind)), key=lambda member: member.rank_for(kind))


def _same(members: Sequence[Reader], *, nullable: bool) -> frozenset[type]:
    """Return the types whose values are returned as they are, by the first member that may read them."""
    kinds = set[type](_none(nullable=nullable))
    for kind in PLAIN_TYPES:
        readers = _candidates(members, kind)
        if readers and kind in readers[0].same:
            kinds.add(kind)
    return frozenset(kinds)


def _none(*, nullable: bool) -> frozenset[type]:
    return frozenset({type(None)}) if nullable else frozenset()
