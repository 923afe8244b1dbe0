"""Who a client is, and what it may do. Room: server. Finding out who it is, from an HTTP request, is authentication.py.

Spec: server-behaviour.md, "A" rows 11 and 12, and "Authentication" under "B".
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar, overload

from signalr_client.server.errors import HubDefinitionError

__all__ = [
    "AuthorizeRequirement",
    "Policy",
    "User",
    "authorize",
    "is_authorized",
    "requirements_of",
    "resolve_requirements",
]

NAME_IDENTIFIER: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"
"""The claim type that .NET maps ``sub`` to."""

_IDENTIFIER_CLAIMS: Final = (NAME_IDENTIFIER, "nameid", "sub")
_ROLE_CLAIMS: Final = ("http://schemas.microsoft.com/ws/2008/06/identity/claims/role", "role", "roles")
_REQUIREMENTS: Final = "__hub_requirements__"

T = TypeVar("T", bound=Callable[..., object])


class User:
    """Who a client is; ``User()`` is the anonymous one.

    Args:
        name: how the user is called; a user with a name or with claims is authenticated.
        claims: what the identity says, as in the payload of a JWT; values are texts, or lists of texts.
        roles: the roles, besides those that the claims ``role`` and ``roles`` name.
        identifier: what `Clients.user` finds the user by; without it the claim ``sub`` (``nameid``, NameIdentifier), else the name.
        expires_at: when the authentication ends, in seconds since 1970; see `HubOptions.close_on_authentication_expiration`.
        is_authenticated: whether the identity was proven; None for "if anything is known of the user".
    """

    __slots__ = ("claims", "expires_at", "identifier", "is_authenticated", "name", "roles")

    def __init__(
        self,
        name: str | None = None,
        claims: Mapping[str, object] | None = None,
        roles: Iterable[str] = (),
        *,
        identifier: str | None = None,
        expires_at: float | None = None,
        is_authenticated: bool | None = None,
    ) -> None:
        self.name = name
        self.claims: Mapping[str, object] = dict(claims or {})
        self.roles = frozenset({roles} if isinstance(roles, str) else roles).union(*map(self.claim_values, _ROLE_CLAIMS))
        self.identifier = identifier if identifier is not None else self._claimed_identifier()
        self.expires_at = expires_at
        known = self.identifier is not None or bool(self.claims)
        self.is_authenticated = known if is_authenticated is None else is_authenticated

    def __repr__(self) -> str:
        """Return the name and the roles; claims may be private."""
        return f"User(name={self.name!r}, roles={sorted(self.roles)!r})"

    def is_in_role(self, role: str) -> bool:
        """Return whether the user has *role*; case matters."""
        return role in self.roles

    def claim_values(self, claim: str) -> tuple[str, ...]:
        """Return the values of *claim*, none if the user has no such claim."""
        value = self.claims.get(claim)
        match value:
            case None:
                return ()
            case list() | tuple() | set() | frozenset():
                return tuple(str(item) for item in value)
            case _:
                return (str(value),)

    def _claimed_identifier(self) -> str | None:
        for claim in _IDENTIFIER_CLAIMS:
            if values := self.claim_values(claim):
                return values[0]
        return self.name


Policy = Callable[[User], bool | Awaitable[bool]]
"""Says whether a user may; sync or async."""


@dataclass(frozen=True, slots=True)
class AuthorizeRequirement:
    """What one `authorize` asks for: an authenticated user, one of ``roles`` if there are any, and the ``policy``."""

    roles: frozenset[str] = frozenset()
    policy: str | Policy | None = None


@overload
def authorize(target: T, /) -> T: ...
@overload
def authorize(target: str = "", /, *, policy: str | Policy | None = None, roles: str | Iterable[str] = ()) -> Mark: ...


def authorize(target: T | str = "", /, *, policy: str | Policy | None = None, roles: str | Iterable[str] = ()) -> T | Mark:
    """Let only some users use a hub (every request of theirs), or call one method of it.

    Several of them on one thing must all agree. Without arguments, with or without parentheses, it asks for an authenticated
    user. What a hub asks for is asked of every HTTP request; what a method asks for, at each call, and an override asks for what
    its original asked for, too.

    Args:
        target: the name of one of `HubOptions.authorization_policies`, or what is decorated.
        policy: the same name, or a function of the `User`, sync or async, that returns whether it may.
        roles: role names, or one text with commas between them; the user must have one of them.

    Spec: server-behaviour.md, "Authentication" under "B", and "D".
    """
    names = roles.split(",") if isinstance(roles, str) else roles
    policy = target if isinstance(target, str) and target else policy
    mark = Mark(AuthorizeRequirement(frozenset(name.strip() for name in names if name.strip()), policy))
    return mark if isinstance(target, str) else mark(target)


class Mark:
    """The decorator that `authorize` returns: it notes one requirement on a class or function and leaves it as it is."""

    def __init__(self, requirement: AuthorizeRequirement) -> None:
        self._requirement = requirement

    def __call__(self, target: T) -> T:
        """Note the requirement on *target* itself, not on what it inherits from."""
        own: tuple[AuthorizeRequirement, ...] = vars(target).get(_REQUIREMENTS, ())
        setattr(target, _REQUIREMENTS, (*own, self._requirement))
        return target


def requirements_of(*definitions: object) -> tuple[AuthorizeRequirement, ...]:
    """Return what `authorize` asked for on any of *definitions*: a class and its bases, or a method and what it overrides."""
    return tuple(wanted for definition in definitions for wanted in vars(definition).get(_REQUIREMENTS, ()))


def resolve_requirements(
    requirements: Iterable[AuthorizeRequirement], policies: Mapping[str, Policy]
) -> tuple[AuthorizeRequirement, ...]:
    """Return *requirements* with their policies' names replaced by the policies.

    Raises:
        HubDefinitionError: a policy is not known.
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
    """Return whether *user* meets all *requirements*, whose policies were resolved; an exception of a policy passes through."""
    for wanted in requirements:
        if not user.is_authenticated or (wanted.roles and not wanted.roles & user.roles):
            return False
        if wanted.policy is not None:
            assert callable(wanted.policy)  # names were replaced when the hub was mapped
            verdict = wanted.policy(user)
            if not (await verdict if inspect.isawaitable(verdict) else verdict):
                return False
    return True
