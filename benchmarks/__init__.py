"""What the client costs beside a WebSocket loop written by hand: ``scripts/bench``.

Speed is never a test that passes or fails with the clock; tests/integration/test_benchmarks.py only holds both sides to right
results, so that what is measured here is the same work.
"""
