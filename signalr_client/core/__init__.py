"""What client and server share: messages, protocols, rules. No socket, no clock, no event loop in this room."""
