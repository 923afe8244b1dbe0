"""Client results: the invocations that wait for the result of a client. Room: server, lifetime."""

from __future__ import annotations

import asyncio
from typing import Any

from signalr_client.core.binding import Converter
from signalr_client.core.messages import UNSET, Completion
from signalr_client.core.portable import find_unportable, is_portable_as_typed
from signalr_client.errors import BindingError, ConnectionClosedError, HubException
from signalr_client.server.lifetime.manager import LifetimeConnection

__all__ = ["ClientResults"]


class ClientResults:
    """Pending invocations by invocation id; each belongs to one connection, and only that connection may complete it."""

    def __init__(self) -> None:
        self._pending: dict[str, tuple[str, asyncio.Future[object]]] = {}

    def __len__(self) -> int:
        """Return the number of pending invocations."""
        return len(self._pending)

    def add(self, invocation_id: str, connection_id: str) -> asyncio.Future[object]:
        """Add a pending invocation; the caller has to `remove` it."""
        result: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._pending[invocation_id] = connection_id, result
        return result

    def remove(self, invocation_id: str) -> None:
        """Forget an invocation; a result that still arrives is dropped."""
        del self._pending[invocation_id]

    def complete(self, connection: LifetimeConnection, completion: Completion) -> bool:
        """Complete an invocation; return False if the id is not pending.

        A completion from another connection than the one that was asked ends that connection, as in ASP.NET Core.
        """
        invocation_id = completion.invocation_id
        pending = self._pending.get(invocation_id)
        if pending is None:
            return False
        connection_id, result = pending
        if connection_id != connection.connection_id:
            connection.fail(
                HubException(f"Connection ID '{connection.connection_id}' is not valid for invocation ID '{invocation_id}'.")
            )
        elif not result.done():
            if completion.error:
                result.set_exception(HubException(completion.error))
            elif completion.result is UNSET:
                result.set_exception(HubException("The client sent no result."))
            else:
                result.set_result(completion.result)
        return True

    def cancel(self, connection_id: str) -> None:
        """Fail everything that waits for this connection, because it has ended."""
        for asked, result in self._pending.values():
            if asked == connection_id and not result.done():
                result.set_exception(disconnected(connection_id))


def disconnected(connection_id: str) -> ConnectionClosedError:
    """Return the error of an invocation whose client has disconnected."""
    return ConnectionClosedError(f"Connection '{connection_id}' disconnected.")


def convert_result(result: object, converter: Converter[Any]) -> object:
    """Return a client's result as the type that was asked for.

    Raises:
        HubException: it does not fit, as in ASP.NET Core; or not every hub protocol can carry it.
    """
    reason = find_unportable(result)
    if reason is not None and not converter.needs_digits:
        raise HubException(f"Error trying to deserialize result. {reason}")
    try:
        converted: object = converter.convert_result(result)
    except BindingError as exc:
        raise HubException(str(exc)) from exc
    if reason is not None and not is_portable_as_typed([converted]):
        raise HubException(f"Error trying to deserialize result. {reason}")
    return converted
