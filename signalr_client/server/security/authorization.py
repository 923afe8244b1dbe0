"""`authorize`: which users may use a hub or call a method. Room: server, security.

The decorator leaves its requirements on the class or function itself. A decorator above it that returns a function without them would
make a protected method public, so every function that was ever marked is remembered, and mapping a hub checks that none was lost.
"""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Final, TypeVar, overload

from signalr_client.server.errors import HubDefinitionError
from signalr_client.server.security.users import User
from signalr_client.user_code import call

__all__ = [
    "AuthorizeRequirement",
    "Policy",
    "authorize",
    "check_marks",
    "is_authorized",
    "requirements_of",
    "resolve_requirements",
]

_REQUIREMENTS: Final = "__hub_requirements__"
_marked: Final[weakref.WeakSet[FunctionType]] = weakref.WeakSet()

T = TypeVar("T", bound=Callable[..., object])

Policy = Callable[[User], bool | Awaitable[bool]]
"""Decides whether a user is allowed; sync or async."""


@dataclass(frozen=True, slots=True)
class AuthorizeRequirement:
    """What one `authorize` requires: an authenticated user, one of ``roles`` if there are any, and the ``policy``."""

    roles: frozenset[str] = frozenset()
    policy: str | Policy | None = None


@overload
def authorize(target: T, /) -> T: ...
@overload
def authorize(target: str = "", /, *, policy: str | Policy | None = None, roles: str | Iterable[str] = ()) -> Mark: ...


def authorize(target: T | str = "", /, *, policy: str | Policy | None = None, roles: str | Iterable[str] = ()) -> T | Mark:
    """Restrict a hub, or one method of it, to some users.

    Without arguments, with or without parentheses, the user has to be authenticated. Several decorators on one target must all
    agree. The requirements of a hub apply to every HTTP request; those of a method apply to each call, and an override has those
    of the method it overrides, too. Put it directly on the method, above it only decorators that use `functools.wraps`: a hub
    whose requirement was lost that way is refused when it is mapped.

    Args:
        target: the name of one of `HubOptions.authorization_policies`, or the decorated class or function.
        policy: the same name, or a function of the `User`, sync or async, that returns whether the user is allowed.
        roles: role names, or one string with commas between them; the user must have one of them.
    """
    names = roles.split(",") if isinstance(roles, str) else roles
    policy = target if isinstance(target, str) and target else policy
    mark = Mark(AuthorizeRequirement(frozenset(name.strip() for name in names if name.strip()), policy))
    return mark if isinstance(target, str) else mark(target)


class Mark:
    """The decorator that `authorize` returns: it adds one requirement to a class or function and returns it unchanged."""

    def __init__(self, requirement: AuthorizeRequirement) -> None:
        self._requirement = requirement

    def __call__(self, target: T) -> T:
        """Add the requirement to *target* itself, not to what it inherits from."""
        setattr(target, _REQUIREMENTS, (*_own(target), self._requirement))
        if isinstance(target, FunctionType):
            _marked.add(target)
        return target


def requirements_of(*definitions: object) -> tuple[AuthorizeRequirement, ...]:
    """Return the requirements on any of *definitions*: a class and its bases, or a method and what it overrides."""
    return tuple(wanted for definition in definitions for wanted in _own(definition))


def check_marks(hub_type: type) -> None:
    """Refuse a hub with a method that was marked with `authorize` and has lost the mark.

    Raises:
        HubDefinitionError: a decorator above `authorize` returned a function without the requirement.
    """
    for kind in hub_type.__mro__:
        for function in list(_marked):
            owner, _, name = function.__qualname__.rpartition(".")
            if function.__module__ != kind.__module__ or owner != kind.__qualname__ or name not in vars(kind):
                continue
            if not requirements_of(vars(kind)[name]):
                raise HubDefinitionError(
                    f"'{kind.__name__}.{name}' is decorated with authorize, but a decorator above it dropped the requirement, so"
                    " everybody could call it. Put authorize above that decorator, or let the decorator use functools.wraps."
                )


def resolve_requirements(
    requirements: Iterable[AuthorizeRequirement], policies: Mapping[str, Policy]
) -> tuple[AuthorizeRequirement, ...]:
    """Return *requirements* with policy names replaced by the policies.

    Raises:
        HubDefinitionError: a policy is not registered.
    """
    resolved = []
    for wanted in requirements:
        policy = wanted.policy
        if isinstance(policy, str):
            if policy not in policies:
                raise HubDefinitionError(f"The AuthorizationPolicy named: '{policy}' was not found.")
            policy = policies[policy]
        resolved.append(AuthorizeRequirement(wanted.roles, policy))
    return tuple(resolved)


async def is_authorized(user: User, requirements: Iterable[AuthorizeRequirement]) -> bool:
    """Return whether *user* meets all *requirements*, with resolved policies; an exception of a policy passes through."""
    for wanted in requirements:
        if not user.is_authenticated or (wanted.roles and not wanted.roles & user.roles):
            return False
        if wanted.policy is not None:
            assert callable(wanted.policy)  # names were replaced when the hub was mapped
            if not await call(wanted.policy, user):
                return False
    return True


def _own(target: object) -> tuple[AuthorizeRequirement, ...]:
    """Return the requirements on *target* itself, without those it inherits."""
    own: tuple[AuthorizeRequirement, ...] = getattr(target, "__dict__", {}).get(_REQUIREMENTS, ())
    return own
