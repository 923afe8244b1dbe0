"""Client results: the invocations that wait for the result of a client. Room: server, lifetime."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from signalr_client.core.binding import Converter
from signalr_client.core.error_header import received_error
from signalr_client.core.messages import UNSET, Completion
from signalr_client.core.portable import find_unportable, is_portable_as_typed
from signalr_client.errors import BindingError, ConnectionClosedError, HubException
from signalr_client.server.lifetime.manager import LifetimeConnection
from signalr_client.server.log import get_logger

__all__ = ["ClientResults"]

logger: Final = get_logger("client_results")


class ClientResults:
    """Pending invocations by invocation id; each belongs to one connection, and only that connection may complete it."""

    def __init__(self) -> None:
        self._pending: dict[str, tuple[str, asyncio.Future[object]]] = {}
        self._by_connection: dict[str, set[str]] = {}

    def __len__(self) -> int:
        """Return the number of pending invocations."""
        return len(self._pending)

    def add(self, invocation_id: str, connection: LifetimeConnection) -> asyncio.Future[object]:
        """Add a pending invocation of *connection*; the caller has to `remove` it.

        Raises:
            HubException: the connection has as many pending invocations as it may have. Waiting would not help: a client that does
                not answer holds up everyone who waits for it, and its own calls may be among them.
        """
        limit = connection.max_pending_results
        ids = self._by_connection.setdefault(connection.connection_id, set())
        if limit is not None and len(ids) >= limit:
            raise HubException(
                f"The client has not answered {limit} invocations for a result, and maximum_pending_results_per_client allows no"
                " more; nothing was sent."
            )
        result: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._pending[invocation_id] = connection.connection_id, result
        ids.add(invocation_id)
        return result

    def remove(self, invocation_id: str) -> None:
        """Forget an invocation; a result that still arrives is dropped."""
        connection_id, _ = self._pending.pop(invocation_id)
        ids = self._by_connection[connection_id]
        ids.discard(invocation_id)
        if not ids:
            del self._by_connection[connection_id]

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
                result.set_exception(received_error(completion, logger))
            elif completion.result is UNSET:
                result.set_exception(HubException("The client sent no result."))
            else:
                result.set_result(completion.result)
        return True

    def cancel(self, connection_id: str) -> None:
        """Fail everything that waits for this connection, because it has ended."""
        for invocation_id in self._by_connection.get(connection_id, ()):
            _, result = self._pending[invocation_id]
            if not result.done():
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
