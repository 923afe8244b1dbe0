"""One client's hub connection, from its handshake to its end, and the dispatch of its messages to hub methods."""
