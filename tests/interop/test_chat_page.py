"""The official client that is part of the package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from signalr_client.cli import chat_page


@pytest.mark.interop
def test_the_official_client_is_the_one_from_npm(typescript_client: Path) -> None:
    """Byte for byte, and of the version that its license file names."""
    folder = Path(chat_page.__file__).parent
    assert (folder / "signalr.min.js").read_bytes() == (typescript_client / "dist/browser/signalr.min.js").read_bytes()
    version = json.loads((typescript_client / "package.json").read_text())["version"]
    assert f"@microsoft/signalr {version}, unchanged" in (folder / "LICENSE.signalr.txt").read_text()
