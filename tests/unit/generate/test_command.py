"""``signalr generate``: what it writes, its exit codes, and its messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from signalr_client.cli.main import main

HERE = Path(__file__).parent
HUB = "tests.unit.generate.shop:ShopHub"
CSHARP = str(HERE / "Shop.cs")


def run(*arguments: str) -> int:
    """Run the command and return its exit code."""
    try:
        main(["generate", *arguments])
    except SystemExit as exc:
        return int(exc.code or 0)
    return 0


@pytest.mark.parametrize("source", [HUB, CSHARP, f"{CSHARP}:ShopHub"])
@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("typescript", "export interface ShopHubConnection"),
        ("csharp", "public interface IShopHub"),
        ("asyncapi", '"asyncapi": "3.0.0"'),
        ("python", "class ShopHub(Protocol):"),
    ],
)
def test_each_source_is_written_in_each_language(
    source: str, target: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(source, "--to", target) == 0
    captured = capsys.readouterr()
    assert text in captured.out
    assert all(line.startswith("signalr: warning: ") for line in captured.err.splitlines())


def test_a_file_is_written_as_utf_8(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "Chat.cs"
    source.write_text("/// <summary>é</summary>\nclass ChatHub : Hub { }", encoding="utf-8")
    path = tmp_path / "chat.ts"
    assert run(str(source), "--to", "typescript", "-o", str(path)) == 0
    assert "/** é */\n" in path.read_bytes().decode()
    assert capsys.readouterr().out == ""


def test_options_reach_the_reader_and_the_writer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, text in [
        ((HUB, "--to", "csharp", "--namespace", "Shop.Api"), "namespace Shop.Api;"),
        ((HUB, "--to", "typescript", "--protocol", "messagepack"), "ProductName: string;"),
        ((HUB, "--to", "typescript", "--naming", "PascalCase"), "ProductName: string;"),
        ((HUB, "--to", "typescript", "--enums", "names", "--enum-naming", "camelCase"), 'OnItsWay: "onItsWay"'),
        ((CSHARP, "--to", "python", "--naming", "PascalCase"), 'PropertyName("IsOK", json="IsOK")'),
        ((f"{CSHARP}:IShopClient", "--to", "python"), "class ShopClient(Protocol):"),
    ]:
        assert run(*arguments) == 0
        assert text in capsys.readouterr().out
    assert run(HUB, "--to", "asyncapi", "--title", "T", "--version", "2", "--path", "/p") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["info"]["title"], document["info"]["version"]) == ("T", "2")
    assert document["channels"]["shopHub"]["address"] == "/p"


def test_nullable_overrides_the_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "Chat.cs"
    source.write_text('class ChatHub : Hub { public string Get() => ""; }')
    for option, text in [("enable", "-> str: ..."), ("disable", "-> str | None: ...")]:
        assert run(str(source), "--to", "python", "--nullable", option) == 0
        assert text in capsys.readouterr().out


def test_several_files_are_read_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hub, types = tmp_path / "Hub.cs", tmp_path / "Types.cs"
    hub.write_text("class ChatHub : Hub<IClient> { public Note Get() => null!; }")
    types.write_text("public record Note(int Id); public record Other(int Id); interface IClient { Task Tell(Note note); }")
    assert run(str(hub), f"{types}:Other", f"{hub}:ChatHub", "--to", "python") == 0
    text = capsys.readouterr().out
    for name in ("Note", "Other", "Client", "ChatHub"):
        assert f"class {name}" in text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["chat", "--to", "python"], "A class is named as module:Class, for example chat:ChatHub, but got 'chat'."),
        (["no_such_module:ChatHub", "--to", "python"], "There is no module 'no_such_module'"),
        (["signalr_client.types:Headers", "--to", "python"], "is not a class."),
        ([HUB, CSHARP, "--to", "python"], "Sources in Python and in C# cannot be mixed."),
        ([HUB, "--to", "python", "--namespace", "X"], "--namespace is for --to csharp only."),
        ([HUB, "--to", "csharp", "--protocol", "json"], "--protocol is for --to typescript only."),
        ([HUB, "--to", "python", "--nullable", "enable"], "--nullable is for sources in C# only."),
        ([HUB, "signalr_client.cli.demo_hub:DemoHub", "--to", "asyncapi", "--path", "/"], "--path is for one hub"),
        ([HUB, "--to", "rust"], "invalid choice: 'rust'"),
        ([HUB], "--to"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert text in captured.err
    assert captured.out == ""


def test_what_fails_exits_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says why and where, without a traceback, and no file is written."""
    source, output = tmp_path / "Chat.cs", tmp_path / "chat.py"
    source.write_text("class ChatHub : Hub {\n    public Unknown Get() => null;\n}")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken_module_of_a_hub.py").write_text("1 / 0")
    (tmp_path / "hub_that_cannot_be_mapped.py").write_text(
        "from signalr_client.server import Hub\nclass ChatHub(Hub):\n    def call(self, *values: int) -> None: ...\n"
    )
    for named, text in [
        ("Chat.cs", "signalr: Chat.cs:2: The type 'Unknown' is not declared in the files"),
        ("Missing.cs", "signalr: Missing.cs: No such file or directory"),
        ("Chat.cs:OtherHub", "signalr: 'OtherHub' is the name of no types in the files, which declare ChatHub."),
        ("tests.unit.generate.shop:State", "is neither a class that derives from Hub nor a Protocol."),
        ("broken_module_of_a_hub:ChatHub", "The module 'broken_module_of_a_hub' cannot be imported: ZeroDivisionError"),
        ("hub_that_cannot_be_mapped:ChatHub", "'values' takes any number of arguments"),
    ]:
        assert run(named, "--to", "python", "-o", str(output)) == 1
        captured = capsys.readouterr()
        assert text in captured.err
        assert "Traceback" not in captured.err
        assert not output.exists()
    assert run(HUB, "--to", "python", "-o", str(tmp_path / "missing" / "chat.py")) == 1
    assert "missing/chat.py: No such file or directory" in capsys.readouterr().err
