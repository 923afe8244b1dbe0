"""Every target with input from Hypothesis: valid input, changed a little or a lot, and arbitrary bytes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, WHOLE_CONNECTIONS, Target, load


@st.composite
def changed(draw: st.DrawFn, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """Return valid input with some changes."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 8)))
        new = draw(
            st.one_of(
                st.just(b""),  # a cut
                st.just(data[start:end] * 2),
                st.binary(min_size=1, max_size=3),
                st.sampled_from(words),
                st.sampled_from(seeds),
            )
        )
        data = data[:start] + new + data[end:]
    return data[: draw(st.sampled_from([4096, draw(st.integers(0, 200))]))]


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Return input for *target*: its decisions, and what follows them."""
    control = st.binary(min_size=target.control, max_size=target.control)
    return st.builds(bytes.__add__, control, changed(target.seeds, target.words) | st.binary(max_size=60))


@pytest.mark.parametrize("name", TARGETS)
def test_hostile_input_breaks_no_promise(name: str, pytestconfig: pytest.Config) -> None:
    target = load(name)
    count = 60 if name in WHOLE_CONNECTIONS else 200

    @settings(
        max_examples=100 * count if pytestconfig.getoption("--long") else count,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(data=inputs(target))
    def check(data: bytes) -> None:
        target.run(data)

    check()


@pytest.mark.parametrize("name", TARGETS)
def test_valid_input_breaks_no_promise(name: str) -> None:
    target = load(name)
    for seed in target.seeds:
        for control in (bytes(target.control), bytes([1]) * target.control, bytes(range(2, 2 + target.control))):
            target.run(control + seed)
