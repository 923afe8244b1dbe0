"""What keeps count right when stream items are sent again to a peer that does not count all of them. Room: core, row 2.

ASP.NET Core and the .NET client do not count a StreamItem whose stream they do not know: it has no type there, so it becomes a binding
failure. That goes wrong in a replay. The end of a stream may have arrived before the socket was lost. Then its items are not counted
when they arrive again, and as many new messages after them are dropped as duplicates. The sender cannot know whether the end has
arrived.

So each run of items in a replay is followed by a Sequence message with the number of its first item, and by as many messages that are
counted and have no effect. With items from number p to q:

- If the peer counts them, the Sequence takes it back from q + 1 to p. If it does not, it is at p already.
- The messages after it take it from p to q + 1. It has received higher numbers, so it drops them as duplicates.

One case is left. If a method returns before its upload has ended, the items that follow are not counted when they are sent first. The
numbers of both sides differ from then on, and the client does not resume such a connection: see client/outgoing.py.
Spec: hub protocol specification, "Sequence Message Encoding"; MessageBuffer.cs of ASP.NET Core.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Final

from signalr_client.core.messages import CancelInvocation, Sequence, StreamItem
from signalr_client.core.protocols import HubProtocol

__all__ = ["item_padding"]

_NO_EFFECT: Final = CancelInvocation(invocation_id="0")  # no call has this id


def item_padding(protocol: HubProtocol) -> Callable[[Iterable[bytes], int], dict[int, bytes]]:
    """Return a function for `ReplayBuffer.resume`: it is given encoded messages, and returns what has to follow runs of items."""

    def is_item(numbered: tuple[int, bytes]) -> bool:
        [record] = protocol.framer(None).feed(numbered[1])
        return isinstance(protocol.decode(record), StreamItem)

    def pad(messages: Iterable[bytes], first: int) -> dict[int, bytes]:
        filler = protocol.encode(_NO_EFFECT)
        padding: dict[int, bytes] = {}
        for items, run in itertools.groupby(enumerate(messages, first), key=is_item):
            if items:
                numbers = [number for number, _ in run]
                padding[numbers[-1]] = protocol.encode(Sequence(sequence_id=numbers[0])) + filler * len(numbers)
        return padding

    return pad
