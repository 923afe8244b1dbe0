"""Names in each language."""

from __future__ import annotations

import pytest

from signalr_client.generate.names import (
    dotnet_name,
    is_interface_name,
    python_constant,
    python_name,
    typescript_name,
    without_interface_prefix,
)


@pytest.mark.parametrize(
    ("dotnet", "python"),
    [
        ("SendMessage", "send_message"),
        ("sendMessage", "send_message"),
        ("send_message", "send_message"),
        ("GetURLForId", "get_url_for_id"),
        ("XMLFile", "xml_file"),
        ("Sum4", "sum4"),
        ("IsOK", "is_ok"),
        ("X", "x"),
        ("Class", "class_"),
        ("renamed-method", "renamed_method"),
        ("ÄndereName", "ändere_name"),
    ],
)
def test_python_names_are_those_of_pep_8(dotnet: str, python: str) -> None:
    assert python_name(dotnet) == python


@pytest.mark.parametrize(("dotnet", "python"), [("DarkBlue", "DARK_BLUE"), ("USD", "USD"), ("None", "NONE"), ("Mro", "MRO_")])
def test_members_of_enumerations_are_constants(dotnet: str, python: str) -> None:
    assert python_constant(dotnet) == python


@pytest.mark.parametrize(
    ("name", "dotnet"),
    [
        ("send_message", "SendMessage"),
        ("SendMessage", "SendMessage"),
        ("renamed-method", "RenamedMethod"),
        ("DARK_BLUE", "DarkBlue"),
        ("USD", "USD"),
        ("2nd", "_2nd"),
    ],
)
def test_dotnet_names_are_in_pascal_case(name: str, dotnet: str) -> None:
    assert dotnet_name(name) == dotnet


def test_keys_of_typescript_are_quoted_where_they_have_to_be() -> None:
    assert [typescript_name(name) for name in ("a", "a-b", "ä")] == ["a", '"a-b"', '"ä"']


def test_interfaces_are_recognized_by_their_names() -> None:
    names = ["IChatClient", "Index", "IPAddress", "I"]
    assert [is_interface_name(name) for name in names] == [True, False, False, False]
    assert [without_interface_prefix(name) for name in names] == ["ChatClient", "Index", "IPAddress", "I"]
