"""Who a client is, what it may do, and how its authentication is renewed."""
