"""Both clients in every benchmark do the work that is measured. These tests do not measure time."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import cast

import pytest
from pydantic import BaseModel

from benchmarks.__main__ import main
from benchmarks.measure import HUB, PROTOCOLS, connection, measure
from benchmarks.raw import raw_client
from benchmarks.stateful import compare
from benchmarks.typed import WAYS, Trade, TypedProtocol, converted, records, trade
from benchmarks.workloads import WORKLOADS, Workload, WrongResultError
from signalr_client import JsonHubProtocol, MessagePackHubProtocol

pytestmark = pytest.mark.interop

COUNT = 300  # more than the workers of the concurrent workload, and enough to get several messages in one frame


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda work: work.name)
async def test_both_clients_get_the_correct_results(aspnetcore_url: str, workload: Workload, protocol: str) -> None:
    url = aspnetcore_url + HUB
    async with asyncio.timeout(30), connection(protocol, url) as ours, raw_client(protocol, url) as raw:
        for _ in range(2):  # the first round must not affect the second
            await workload.ours(ours, COUNT)
            await workload.raw(raw, COUNT)


async def test_the_workloads_run_with_and_without_stateful_reconnect(python_url: str) -> None:
    async with asyncio.timeout(60):
        found = [each async for each in compare(python_url, PROTOCOLS, WORKLOADS, scale=0.01, rounds=1)]
    assert [(each.protocol, each.workload) for each in found] == [(name, work) for name in PROTOCOLS for work in WORKLOADS]
    assert all(len(each.plain.per_second) == len(each.stateful.per_second) == 1 and each.ratio > 0 for each in found)


@pytest.mark.parametrize("protocol", [JsonHubProtocol(), MessagePackHubProtocol()], ids=PROTOCOLS)
@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_converting_gives_the_same_objects(way: str, protocol: TypedProtocol) -> None:
    items = converted(protocol, way, records(protocol, 100))
    found = [item.model_dump() if isinstance(item, BaseModel) else asdict(cast("Trade", item)) for item in items]
    assert found == [asdict(trade(number)) for number in range(100)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("size", [0, 127, 128, 70_000])
async def test_raw_client_reads_messages_of_any_length(aspnetcore_url: str, protocol: str, size: int) -> None:
    async with asyncio.timeout(30), raw_client(protocol, aspnetcore_url + HUB) as raw:
        assert await raw.invoke("MakeString", size) == "y" * size
        assert await raw.invoke("Echo", "y" * size) == "y" * size


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("size", [1, 2, 3, 64])
async def test_raw_client_reads_messages_that_span_frames(protocol: str, size: int) -> None:
    raw = raw_client(protocol, "http://unused")
    got: list[object] = []
    raw.on("Item", lambda *args: got.append(args))
    wire = b"".join(raw.call(1, "1", "Item", (number, "x" * 100)) + raw.ping() for number in range(5))
    for start in range(0, len(wire), size):
        raw.take(wire[start : start + size])
    assert got == [(number, "x" * 100) for number in range(5)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_raw_client_raises_the_error_of_a_call(aspnetcore_url: str, protocol: str) -> None:
    async with asyncio.timeout(30), raw_client(protocol, aspnetcore_url + HUB) as raw:
        with pytest.raises(RuntimeError, match="NoSuchMethod"):
            await raw.invoke("NoSuchMethod")


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_wrong_result_fails_the_workload(aspnetcore_url: str, protocol: str) -> None:
    def refuse(_item: object) -> None:
        raise WrongResultError("not this")

    async with asyncio.timeout(30), raw_client(protocol, aspnetcore_url + HUB) as raw:
        with pytest.raises(WrongResultError, match="not this"):
            await raw.stream(refuse, "Counter", 3, 0)


async def test_measure_records_every_round(aspnetcore_url: str) -> None:
    outcomes = [outcome async for outcome in measure(aspnetcore_url, PROTOCOLS, WORKLOADS[:2], scale=0.001, rounds=2)]
    assert [(outcome.protocol, outcome.workload.name, outcome.operations) for outcome in outcomes] == [
        ("json", "sequential", 3),
        ("json", "concurrent", 20),
        ("messagepack", "sequential", 3),
        ("messagepack", "concurrent", 20),
    ]
    assert all(len(side.cpu_us) == len(side.per_second) == 2 for outcome in outcomes for side in (outcome.ours, outcome.raw))


@pytest.mark.parametrize(("limit", "code"), [("0.0001", 1), ("1000000", 0)])
def test_command_line_writes_a_report_and_checks_the_limit(
    aspnetcore_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    limit: str,
    code: int,
) -> None:
    report = tmp_path / "report.json"
    command = ["--url", aspnetcore_url, "--only", "stream", "--scale", "0.001", "--rounds", "2", "--json", str(report)]
    monkeypatch.setattr(sys, "argv", ["scripts/bench", *command, "--check", limit])
    assert main() == code
    results = json.loads(report.read_text())["results"]
    assert [(result["protocol"], result["workload"]) for result in results] == [("json", "stream"), ("messagepack", "stream")]
    shown = capsys.readouterr()
    assert "stream from the server" in shown.out
    assert ("above" in shown.err) == bool(code)
