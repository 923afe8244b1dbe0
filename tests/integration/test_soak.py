"""The soak test passes, and notices what it is there to notice. ``scripts/soak`` runs it by hand."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.soak.hub import SoakHub
from benchmarks.soak.run import Plan, soak

ROOT = Path(__file__).parents[2]
PLAN = Plan(seconds=2.0, clients=5, seed=1, fault_interval=1_000.0, disconnect_timeout=0.5)


def test_clients_and_server_survive_a_network_that_misbehaves(pytestconfig: pytest.Config) -> None:
    """With a new seed each time; the output has it."""
    seconds, clients = ("600", "200") if pytestconfig.getoption("--long") else ("5", "20")
    loop = pytestconfig.getoption("--loop")
    command = [sys.executable, "-m", "benchmarks.soak", "--seconds", seconds, "--clients", clients, "--loop", loop]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0
    assert done.stdout.rstrip().endswith("verdict: PASSED")


class LosesAMessage(SoakHub):
    """Each time, one message is not sent."""

    async def push(self, audience: str, count: int, size: int) -> int:
        self.oracle.expect([self.context.connection_id], size)
        return await super().push(audience, count, size)


class SendsTwice(SoakHub):
    """Sends a message that the oracle does not know of."""

    async def push(self, audience: str, count: int, size: int) -> int:
        await self.clients.caller.send("Push", 0, "")
        return await super().push(audience, count, size)


class LosesANote(SoakHub):
    """One of the numbers that a client sends does not count."""

    def note(self, number: int) -> None:
        if number != 3:
            super().note(number)


class AnswersWrongly(SoakHub):
    """Gives a wrong answer."""

    def echo(self, value: object) -> object:
        return [value]


class NeverAnswers(SoakHub):
    """Gives no answer."""

    async def echo(self, value: object) -> object:
        await self.context.connection_aborted.wait()
        return value


class NeverEnds(SoakHub):
    """Ignores that a stream was left."""

    async def on_disconnected(self, exception: BaseException | None) -> None:
        self.oracle.running["on_disconnected"] += 1
        await super().on_disconnected(exception)


class Fails(SoakHub):
    """Raises something unexpected."""

    def noted(self) -> tuple[int, int] | None:
        raise RuntimeError("a defect of the hub")


@pytest.mark.parametrize(
    ("hub", "text"),
    [
        (LosesAMessage, "the next one is Push(number="),
        (SendsTwice, "got message 0 with 0 characters"),
        (LosesANote, "the server got number 4 after 2"),
        (AnswersWrongly, "echo: expected "),
        (NeverAnswers, "echo: did not end within 4 s, at "),
        (NeverEnds, "calls of on_disconnected are running although their clients have left"),
        (Fails, "a defect of the hub"),
    ],
)
async def test_a_defect_is_noticed(hub: type[SoakHub], text: str) -> None:
    outcome = await soak(replace(PLAN, patience=4.0, hub=hub))
    assert any(text in failure for failure in outcome.tally.failures)


async def test_nothing_is_noticed_without_a_defect() -> None:
    outcome = await soak(PLAN)
    assert outcome.tally.failures == []
    assert outcome.tally.done["message to a client"] > 0
