"""The benchmarks do what they say, on both sides; how fast they are is not a test's affair."""

from __future__ import annotations

import pytest

from benchmarks.measure import PROTOCOLS, measure
from benchmarks.workloads import WORKLOADS

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("workload", WORKLOADS)
async def test_a_workload_runs_on_both_sides(aspnetcore_url: str, workload: str, protocol: str) -> None:
    """Each checks its own results."""
    result = await measure(f"{aspnetcore_url}/testhub", workload, protocol, rounds=1, scale=0.01)
    assert (result.workload, result.protocol) == (workload, protocol)
    assert set(result.as_json()) == {"workload", "protocol", "ours_us", "raw_us", "ours_per_s", "raw_per_s", "ratio"}
