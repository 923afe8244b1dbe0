"""Integration tests open real sockets: each is watched for leaks."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _watch(no_leaks: None) -> None:
    """Switch the leak check on for every test here."""
