"""Fixtures for the tests over real sockets."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def no_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test in which anything was logged as an error, by whatever library."""
    caplog.set_level(logging.ERROR)
    yield
    gc.collect()  # "Task exception was never retrieved" is logged when the task is collected
    records = [*caplog.get_records("call"), *caplog.get_records("teardown")]
    assert [record.getMessage() for record in records if record.levelno >= logging.ERROR] == []
