"""Which messages are decoded with all digits of their numbers. Room: core, row 1; no I/O, no clock.

A JSON number becomes a float, which may lose digits. A `Decimal` needs them all, and whether a value will be one is known only when
the message has been decoded, by its target or its id. So the records of such messages are decoded a second time. Nothing is done for
the others, and nothing at all while no Decimal is asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Container

from signalr_client.core.messages import Completion, HubMessage, Invocation, StreamInvocation, StreamItem
from signalr_client.core.protocols import HubProtocol

__all__ = ["ExactNumbers"]

_Decode = Callable[[bytes], HubMessage | None]


class ExactNumbers:
    """The messages of one connection that hold Decimals.

    Attributes:
        targets: the methods with a Decimal in a parameter, None if there are none. They may be added at any time.
        ids: the invocations that wait for a Decimal, and the streams of them. A completion removes its id.
    """

    __slots__ = ("ids", "targets")

    def __init__(self, targets: Container[str] | None = None) -> None:
        self.targets: Container[str] | None = targets
        self.ids: set[str] = set()

    def decoder(self, protocol: HubProtocol) -> _Decode:
        """Return what decodes the records that have arrived; asked for each frame."""
        if self.ids or self.targets:
            decode_digits = getattr(protocol, "decode_digits", None)
            if decode_digits is not None:
                return functools.partial(self._decode, protocol.decode, decode_digits)
        return protocol.decode

    def _decode(self, decode: _Decode, decode_digits: _Decode, record: bytes) -> HubMessage | None:
        message = decode(record)
        match message:
            case Invocation() | StreamInvocation():
                exact = self.targets is not None and message.target in self.targets
            case StreamItem():
                exact = message.invocation_id in self.ids
            case Completion():
                exact = message.invocation_id in self.ids
                self.ids.discard(message.invocation_id)
            case _:
                exact = False
        return decode_digits(record) if exact else message
