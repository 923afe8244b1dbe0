"""`User`: the identity of a client. Room: server, security."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["User"]

NAME_IDENTIFIER: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"
"""The claim type that .NET maps ``sub`` to."""

_IDENTIFIER_CLAIMS: Final = (NAME_IDENTIFIER, "nameid", "sub")
_ROLE_CLAIMS: Final = ("http://schemas.microsoft.com/ws/2008/06/identity/claims/role", "role", "roles")


class User:
    """The identity of a client; ``User()`` is the anonymous one.

    Args:
        name: the user's name; a user with a name or with claims is authenticated.
        claims: the claims of the identity, as in the payload of a JWT; values are strings or lists of strings.
        roles: roles, in addition to those in the claims ``role`` and ``roles``.
        identifier: the key that `Clients.user` finds the user by; by default the claim ``sub`` (or ``nameid``, or .NET's
            NameIdentifier), else the name.
        expires_at: when the authentication ends, in seconds since 1970; see `HubOptions.close_on_authentication_expiration`.
        is_authenticated: whether the identity was proven; None means "if anything is known of the user".
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
        self.name: str | None = name
        self.claims: Mapping[str, object] = dict(claims or {})
        self.roles: frozenset[str] = frozenset({roles} if isinstance(roles, str) else roles).union(
            *map(self.claim_values, _ROLE_CLAIMS)
        )
        self.identifier: str | None = identifier if identifier is not None else self._claimed_identifier()
        self.expires_at: float | None = expires_at
        known = self.identifier is not None or bool(self.claims)
        self.is_authenticated: bool = known if is_authenticated is None else is_authenticated

    def __repr__(self) -> str:
        """Return the name and the roles; claims may be private."""
        return f"User(name={self.name!r}, roles={sorted(self.roles)!r})"

    def is_in_role(self, role: str) -> bool:
        """Return whether the user has *role*; case-sensitive."""
        return role in self.roles

    def claim_values(self, claim: str) -> tuple[str, ...]:
        """Return the values of *claim*; empty if the user has no such claim."""
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
