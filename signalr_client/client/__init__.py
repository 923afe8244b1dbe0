"""The public client: builder, connection, calls, streams, handlers. It knows the session and a transport, no socket and no bytes."""
