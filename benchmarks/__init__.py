"""Compare the client with a minimal handwritten WebSocket client: ``scripts/bench``.

No test depends on speed. tests/integration/test_benchmarks.py checks that both clients get correct results, so that both are
measured doing the same work.
"""
