"""Cuts that are planned for a certain byte. Room: tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from signalr_client.testing.events import EventLog
from signalr_client.testing.faults import Cut, Direction

__all__ = ["CutPoint", "CutPoints"]


@dataclass(slots=True, eq=False)
class _Plan:
    """A planned cut; *remaining* is the number of bytes that still pass before it."""

    remaining: int
    direction: Direction | None
    how: Cut
    between_messages: bool
    outcome: int | str | None = None  # the id of the connection that was cut, or why there will be no cut

    def position(self, size: int, boundaries: Sequence[int]) -> int | None:
        """Return how many of the next *size* bytes pass before the cut, or None if the cut comes later."""
        if self.between_messages:
            return next((boundary for boundary in boundaries if boundary >= self.remaining), None)
        return self.remaining if self.remaining <= size else None


class CutPoint:
    """A cut that was planned with `FaultProxy.cut_after`. It happens at most once."""

    def __init__(self, points: CutPoints, plan: _Plan) -> None:
        self._points = points
        self._plan = plan

    @property
    def connection_id(self) -> int | None:
        """The id of the connection that was cut, as in `ProxyConnection.id`; None before the cut."""
        return self._plan.outcome if isinstance(self._plan.outcome, int) else None

    async def wait(self) -> int:
        """Wait until a connection has been cut, and return its id.

        Cancelling ends the wait only; the cut remains planned.

        Raises:
            RuntimeError: there will be no cut: it was cancelled, the proxy was stopped, or the cut was to fall between messages and
                the bytes are not HTTP.
        """
        await self._points.log.wait_until(lambda: self._plan.outcome is not None)
        if not isinstance(self._plan.outcome, int):
            raise RuntimeError(self._plan.outcome)
        return self._plan.outcome

    def cancel(self) -> None:
        """Cancel the cut. Has no effect after the cut."""
        self._points.drop(self._plan, "The cut was cancelled.")


class CutPoints:
    """The planned cuts of one proxy. They count the bytes of all its connections."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self._plans: list[_Plan] = []

    def plan(self, after: int, direction: Direction | None, how: Cut, *, between_messages: bool) -> CutPoint:
        """Plan a cut after so many more bytes."""
        plan = _Plan(after, direction, how, between_messages)
        self._plans.append(plan)
        return CutPoint(self, plan)

    def drop(self, plan: _Plan, reason: str) -> None:
        """Remove a planned cut."""
        if plan in self._plans:
            self._plans.remove(plan)
            plan.outcome = reason
            self.log.changed()

    def drop_all(self, reason: str) -> None:
        """Remove all planned cuts."""
        for plan in self._plans.copy():
            self.drop(plan, reason)

    def passage(
        self, connection_id: int, direction: Direction, size: int, boundaries: Sequence[int] | None
    ) -> tuple[int, Cut | None]:
        """Decide how many of the next bytes of a connection pass, and count them.

        Args:
            connection_id: the connection.
            direction: where the bytes go.
            size: how many bytes there are.
            boundaries: the offsets in these bytes at which a message can begin; None if they are not HTTP.

        Returns:
            How many bytes pass, and how the connection is to be cut after them; None if it is not.
        """
        if not self._plans:
            return size, None
        plans = [plan for plan in self._plans if plan.direction in {direction, None}]
        if boundaries is None:
            for plan in [plan for plan in plans if plan.between_messages]:
                plans.remove(plan)
                self.drop(plan, f"Connection {connection_id} carries no plain HTTP/1.1, so its messages cannot be told apart.")
        positions = [plan.position(size, boundaries or ()) for plan in plans]
        passing = min((position for position in positions if position is not None), default=size)
        due = [plan for plan, position in zip(plans, positions, strict=True) if position == passing]
        for plan in plans:
            plan.remaining = max(0, plan.remaining - passing)
        for plan in due:
            self._plans.remove(plan)
            plan.outcome = connection_id
        return passing, due[0].how if due else None
