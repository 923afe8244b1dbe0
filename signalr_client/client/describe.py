"""How a message is shown in the log. Room: client."""

from __future__ import annotations

from signalr_client.core.messages import Close, Completion, HubMessage, Invocation, StreamInvocation, StreamItem

__all__ = ["describe"]


def describe(message: HubMessage) -> str:
    """Return *message* as a log line shows it: its kind and ids, never its contents."""
    match message:
        case Invocation() | StreamInvocation():
            text = f"{type(message).__name__} id={message.invocation_id or '-'} target={message.target} args={len(message.arguments)}"
            return f"{text} streams={','.join(message.stream_ids)}" if message.stream_ids else text
        case Completion():
            return f"Completion id={message.invocation_id}{' error' * bool(message.error)}"
        case StreamItem():
            return f"StreamItem id={message.invocation_id}"
        case Close():
            return f"Close allow_reconnect={message.allow_reconnect}{' error' * bool(message.error)}"
        case _:
            return f"{type(message).__name__} {getattr(message, 'invocation_id', '')}".rstrip()
