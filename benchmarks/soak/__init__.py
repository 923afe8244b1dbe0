"""A soak test: many clients of this package, our server, a network that misbehaves, and every result checked.

    python -m benchmarks.soak --seconds 60 --clients 200

Clients, proxies and server run in one process and one event loop. So the model of what each client has to receive (`oracle.py`) is
exact, and what is left at the end can be counted. Start reading in `run.py`.
"""
