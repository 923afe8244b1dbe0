"""How a message is shown in the log. Room: client."""

from __future__ import annotations

from typing import Final

from signalr_client.core.messages import Close, Completion, HubMessage, Invocation, StreamInvocation, StreamItem

__all__ = ["describe", "shown"]

_LONGEST: Final = 100  # characters of a name that a log line shows


def describe(message: HubMessage) -> str:
    """Return *message* as a log line shows it: its kind and ids, never its contents."""
    match message:
        case Invocation() | StreamInvocation():
            text = f"{type(message).__name__} id={shown(message.invocation_id or '-')} target={shown(message.target)}"
            text += f" args={len(message.arguments)}"
            return f"{text} streams={shown(','.join(message.stream_ids))}" if message.stream_ids else text
        case Completion():
            return f"Completion id={shown(message.invocation_id)}{' error' * bool(message.error)}"
        case StreamItem():
            return f"StreamItem id={shown(message.invocation_id)}"
        case Close():
            return f"Close allow_reconnect={message.allow_reconnect}{' error' * bool(message.error)}"
        case _:
            return f"{type(message).__name__} {shown(getattr(message, 'invocation_id', ''))}".rstrip()


def shown(name: str) -> str:
    """Return a target or an id of the peer without what it could use to forge or fill a log: no control characters, no great length."""
    if len(name) > _LONGEST:
        name = f"{name[:_LONGEST]}..."
    return name if name.isprintable() else ascii(name)[1:-1]
