"""Every row of the table in docs/types.md: what is written in both protocols, and that it is read again."""

from __future__ import annotations

import pytest

from signalr_client import JsonHubProtocol, MessagePackHubProtocol
from signalr_client.core.binding import checker
from signalr_client.core.messages import StreamItem
from tests.support.type_table import READ_AS, ROWS, value_of


def test_every_row_is_tested() -> None:
    assert len(ROWS) == 30
    assert {cells[0] for cells in ROWS} <= READ_AS.keys()


@pytest.mark.parametrize("cells", ROWS, ids=lambda cells: cells[0])
def test_a_row_says_what_is_written(cells: list[str]) -> None:
    _, _, example, text, wire = cells
    value = value_of(example)
    encoded = JsonHubProtocol().encode(StreamItem(invocation_id="1", item=value)).decode()
    assert encoded == '{"type":2,"invocationId":"1","item":' + text.strip("`") + "}\x1e"
    protocol = MessagePackHubProtocol()
    [record] = protocol.framer().feed(protocol.encode(StreamItem(invocation_id="1", item=value)))
    message = protocol.decode(record)
    assert isinstance(message, StreamItem)
    assert message.item == value_of(wire)
    assert type(message.item) is type(value_of(wire))


@pytest.mark.parametrize("protocol", [JsonHubProtocol(), MessagePackHubProtocol()], ids=["json", "messagepack"])
@pytest.mark.parametrize("cells", ROWS, ids=lambda cells: cells[0])
def test_what_is_written_is_read_as_the_types_of_the_row(
    cells: list[str], protocol: JsonHubProtocol | MessagePackHubProtocol
) -> None:
    value = value_of(cells[2])
    [record] = protocol.framer().feed(protocol.encode(StreamItem(invocation_id="1", item=value)))
    for wanted in READ_AS[cells[0]]:
        converter = protocol.binding.converter(wanted)
        message = protocol.decode(record)
        if isinstance(protocol, JsonHubProtocol) and converter.needs_digits:
            message = protocol.decode_digits(record)
        assert isinstance(message, StreamItem)
        again: object = converter.convert(message.item, "value")
        assert again == value
        check = checker(wanted)
        if check is not None:
            check.require(again, "value")  # so it can be passed on through a typed proxy
        assert str(again) == str(value) or wanted in (float, bytearray, frozenset[int], tuple[int | str, ...])
