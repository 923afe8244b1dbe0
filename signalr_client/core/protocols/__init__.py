"""The hub protocols: one message to and from bytes. Room: core, row 1; no I/O, no clock.

`HubProtocol` is the interface. `JsonHubProtocol` and `MessagePackHubProtocol` implement it, and users may write their own.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from signalr_client.core.binding import Binding, json_binding, messagepack_binding
from signalr_client.core.framing import Framer
from signalr_client.core.messages import HubMessage
from signalr_client.core.protocols.json import JsonHubProtocol
from signalr_client.core.protocols.messagepack import MessagePackHubProtocol
from signalr_client.types import TransferFormat

__all__ = ["HubProtocol", "JsonHubProtocol", "MessagePackHubProtocol", "binding_of"]


@runtime_checkable
class HubProtocol(Protocol):
    """Encodes and decodes hub messages. One object may serve many connections, so it keeps no state of any of them.

    Received values are converted to types as JSON spells them if the protocol is a text, and as MessagePack does if it is binary. A
    protocol that knows better has an attribute ``binding``, for example that of a `JsonHubProtocol` which it uses.
    """

    @property
    def name(self) -> str:
        """The name in the handshake, "json" for example."""

    @property
    def version(self) -> int:
        """The highest version of the hub protocol that it supports: 2 if it can write `Ack` and `Sequence`, else 1."""

    @property
    def transfer_format(self) -> TransferFormat:
        """Whether the transport has to carry text or bytes."""

    def framer(self, max_size: int | None = None) -> Framer:
        """Return a new framer for one direction of one connection; *max_size* is in bytes."""

    def encode(self, message: HubMessage) -> bytes:
        """Return *message* framed for the wire.

        Raises:
            BindingError: a value of the message cannot be encoded.
        """

    def decode(self, record: bytes) -> HubMessage | None:
        """Return the message of one record, or None for an unknown message type, which is skipped.

        Raises:
            ProtocolError: the record is not a valid message.
        """


def binding_of(protocol: HubProtocol) -> Binding:
    """Return the conversion of types for *protocol*."""
    binding = getattr(protocol, "binding", None)
    if isinstance(binding, Binding):
        return binding
    return json_binding() if protocol.transfer_format is TransferFormat.TEXT else messagepack_binding()
