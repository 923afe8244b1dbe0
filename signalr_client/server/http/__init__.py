"""Negotiate, connect, poll, send and end: the HTTP requests of a hub, whatever web framework receives them."""
