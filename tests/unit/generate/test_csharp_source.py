"""Hubs, interfaces and types in C# are described as .NET maps and serializes them. tests/interop asks the C# compiler."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from signalr_client.generate import Description, GenerateError, read_csharp
from signalr_client.generate.description import (
    REQUIRED,
    UNKNOWN,
    Constant,
    Default,
    EmptyContainer,
    EnumConstant,
    Enumeration,
    Field,
    Method,
    Record,
    Stream,
)
from signalr_client.generate.types import ListOf, MapOf, Nullable, Reference, Scalar, Type

SHOP = Path(__file__).with_name("Shop.cs")


class Reader:
    """Reads texts as files, and collects warnings."""

    def __init__(self, folder: Path) -> None:
        self.warnings: list[str] = []
        self.folder = folder

    def read(self, *texts: str, **options: Any) -> Description:
        """Return the description of texts, each of which is a file: ``0.cs``, ``1.cs``."""
        paths = [self.folder / f"{number}.cs" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
        return read_csharp(*paths, warn=self.warnings.append, **options)

    def methods(self, *texts: str, **options: Any) -> dict[str, Method]:
        """Return the methods by their names on the wire."""
        return {method.wire: method for hub in self.read(*texts, **options).hubs for method in hub.methods}

    def method(self, text: str, **options: Any) -> Method:
        """Return the method of a hub with one."""
        (found,) = self.methods(f"class ChatHub : Hub {{ {text} }}", **options).values()
        return found

    def fields(self, text: str, *others: str, **options: Any) -> dict[str, Field]:
        """Return the fields of the class ``Thing`` by their .NET names."""
        hub = "class ChatHub : Hub { public Thing Get() => null!; }"
        found = self.read(text + hub, *others, **options).by_name["Thing"]
        assert isinstance(found, Record)
        return {field.dotnet: field for field in found.fields}


@pytest.fixture
def csharp(tmp_path: Path) -> Reader:
    """A reader of texts in C#."""
    return Reader(tmp_path)


TYPES: list[tuple[str, Type]] = [
    ("bool", Scalar.BOOL),
    ("sbyte", Scalar.INT8),
    ("byte", Scalar.UINT8),
    ("ushort", Scalar.UINT16),
    ("int", Scalar.INT32),
    ("System.Int64", Scalar.INT64),
    ("global::System.UInt64", Scalar.UINT64),
    ("float", Scalar.FLOAT32),
    ("double", Scalar.FLOAT64),
    ("decimal", Scalar.DECIMAL),
    ("char", Scalar.STRING),
    ("string", Scalar.STRING),
    ("object", Scalar.ANY),
    ("dynamic", Scalar.ANY),
    ("JsonElement", Scalar.ANY),
    ("Uri", Scalar.STRING),
    ("Guid", Scalar.UUID),
    ("DateTime", Scalar.DATE_TIME),
    ("DateTimeOffset", Scalar.DATE_TIME_OFFSET),
    ("DateOnly", Scalar.DATE),
    ("TimeOnly", Scalar.TIME),
    ("TimeSpan", Scalar.DURATION),
    ("byte[]", Scalar.BYTES),
    ("ReadOnlyMemory<byte>", Scalar.BYTES),
    ("List<byte>", ListOf(Scalar.UINT8)),
    ("int[][]", ListOf(ListOf(Scalar.INT32))),
    ("IReadOnlyList<string>", ListOf(Scalar.STRING)),
    ("ImmutableArray<int>", ListOf(Scalar.INT32)),
    ("HashSet<int>", ListOf(Scalar.INT32, unique=True)),
    ("Dictionary<string, List<int>>", MapOf(Scalar.STRING, ListOf(Scalar.INT32))),
    ("System.Collections.Generic.IDictionary<Guid, int>", MapOf(Scalar.UUID, Scalar.INT32)),
    ("int?", Nullable(Scalar.INT32)),
    ("Nullable<int>", Nullable(Scalar.INT32)),
    ("string?", Nullable(Scalar.STRING)),
    ("List<string?>?", Nullable(ListOf(Nullable(Scalar.STRING)))),
    ("KeyValuePair<string, int>", Reference("KeyValuePair", (Scalar.STRING, Scalar.INT32))),
    ("Tuple<int, string>", Reference("Tuple2", (Scalar.INT32, Scalar.STRING))),
    ("Money", Scalar.DECIMAL),
    ("Page<Page<int>>", Reference("Page", (Reference("Page", (Scalar.INT32,)),))),
    ("Inner.Nested", Reference("Nested")),
]


@pytest.mark.parametrize(("written", "expected"), TYPES, ids=[written for written, _ in TYPES])
@pytest.mark.parametrize("wrapped", ["{0}", "Task<{0}>", "ValueTask<{0}>"])
def test_each_type_of_csharp_is_described(csharp: Reader, written: str, expected: Type, wrapped: str) -> None:
    method = csharp.methods(
        f"""
        using Money = System.Decimal;
        class ChatHub : Hub {{ public {wrapped.format(written)} Get({written} value) => default; }}
        record Page<T>(T Item);
        class Inner {{ public record Nested(int X); }}
        """
    )["Get"]
    assert (method.parameters[0].type, method.result) == (expected, expected)
    assert csharp.warnings == []


@pytest.mark.parametrize("written", ["IAsyncEnumerable<int?>", "ChannelReader<int?>"])
def test_streams_are_streams_however_they_are_returned(csharp: Reader, written: str) -> None:
    for result in (written, f"Task<{written}>", f"ValueTask<{written}>"):
        method = csharp.method(f"public {result} Get({written} upload) => null;")
        assert method.result == method.parameters[0].type == Stream(Nullable(Scalar.INT32))


@pytest.mark.parametrize("written", ["void", "Task", "ValueTask", "System.Threading.Tasks.Task"])
def test_methods_without_a_result_have_none(csharp: Reader, written: str) -> None:
    assert csharp.method(f"public {written} Get() {{ }}").result is None


def test_the_shop_is_described_without_losing_anything() -> None:
    """Everything that the other tests check, in one file as people write it."""
    warnings: list[str] = []
    description = read_csharp(SHOP, warn=warnings.append)
    (hub,) = description.hubs
    assert [method.wire for method in hub.methods] == [
        "write-log",
        "PlaceOrder",
        "cancel-order",
        "Find",
        "Watch",
        "Later",
        "Upload",
        "Any",
    ]
    assert hub.client is not None
    assert [method.wire for method in hub.client.methods] == ["OrderChanged", "Confirm"]
    assert warnings == [f"{SHOP}:123: 'log' is taken for a service, because ILogger<ShopHub> is an interface."]


def test_only_public_methods_of_instances_are_hub_methods(csharp: Reader) -> None:
    found = csharp.methods(
        """class ChatHub : Hub {
            public void Call() { }
            public override Task OnConnectedAsync() => null;
            public override Task OnDisconnectedAsync(Exception? e) => null;
            public static void Static() { }
            internal void Internal() { }
            void Private() { }
            Task IOther.Explicit() => null;
            public int Property => 1;
            protected override void Dispose(bool disposing) { }
        }"""
    )
    assert set(found) == {"Call"}


def test_what_the_server_supplies_is_left_out(csharp: Reader) -> None:
    """An interface is a service, because it cannot be sent, and this is said; marked services need no words."""
    method = csharp.method(
        "public void Call(int a, [FromServices] Clock b, [FromKeyedServices(1)] Clock c, CancellationToken d, ILogger<ChatHub> e) { }"
    )
    assert [parameter.name for parameter in method.parameters] == ["a"]
    assert len(csharp.warnings) == 1
    assert csharp.warnings[0].endswith("0.cs:1: 'e' is taken for a service, because ILogger<ChatHub> is an interface.")


def test_names_are_those_of_pep_8_and_the_wire_keeps_its_own(csharp: Reader) -> None:
    method = csharp.method(
        '[HubMethodName("get-url")] public void GetURLForUserId(int userId, string @class, int XMLFile2) { }'
    )
    assert (method.wire, method.name, method.dotnet) == ("get-url", "get_url_for_user_id", "GetURLForUserId")
    assert [parameter.name for parameter in method.parameters] == ["user_id", "class_", "xml_file2"]


def test_the_name_of_a_method_may_be_a_constant(csharp: Reader) -> None:
    found = csharp.methods(
        """class ChatHub : Hub {
            const string Own = Names.Prefix + "own";
            [HubMethodName(Own)] public void A() { }
            [HubMethodName(Names.Other)] public void B() { }
            [HubMethodName(nameof(Names.Prefix))] public void C() { }
            [HubMethodName(@"d""d")] public void D() { }
            [HubMethodName("\\u0065\\t")] public void E() { }
        }""",
        'static class Names { public const string Prefix = "the-"; public const string Other = """other"""; }',
    )
    assert set(found) == {"the-own", "other", "Prefix", 'd"d', "e\t"}


def test_bases_and_partial_classes_belong_to_a_hub(csharp: Reader) -> None:
    """An override takes the place of what it overrides and inherits its name."""
    description = csharp.read(
        """abstract class BaseHub<T> : Hub<T> where T : class {
            [HubMethodName("one")] public virtual void One(int a) { }
            public virtual void Two() { }
        }
        partial class ChatHub : BaseHub<IClient> { public override void One(int b) { } }
        partial class ChatHub { public void Three() { } }
        interface IClient : IBaseClient { Task Tell(string text); }
        interface IBaseClient { Task Stop(); }"""
    )
    (hub,) = description.hubs
    assert [method.wire for method in hub.methods] == ["one", "Two", "Three"]
    assert hub.methods[0].parameters[0].name == "b"


def test_interfaces_are_read_where_there_is_no_hub(csharp: Reader) -> None:
    description = csharp.read(
        "public interface IChatHub : IBase { Task<int> Add(int x, CancellationToken t = default); } interface IBase { Task Ping(); }",
        names=["IChatHub"],
    )
    (hub,) = description.hubs
    assert (hub.name, [method.wire for method in hub.methods]) == ("ChatHub", ["Ping", "Add"])
    assert [each.name for each in csharp.read("interface IOne { Task M(); } interface ITwo { Task N(); }").hubs] == [
        "One",
        "Two",
    ]


def test_names_choose_hubs_and_include_types(csharp: Reader) -> None:
    """A type that no method mentions may be sent by name."""
    text = "class AHub : Hub { } namespace X { class BHub : Hub { } } record Note(int Id); enum Kind { A }"
    description = csharp.read(text, names=["X.BHub", "Note", "Kind"])
    assert [hub.name for hub in description.hubs] == ["BHub"]
    assert [each.name for each in description.declarations] == ["Note", "Kind"]


def test_the_interface_of_clients_may_be_named_beside_its_hub(csharp: Reader) -> None:
    """It is no hub then, nor is it one where a file has interfaces only."""
    text = "class AHub : Hub<IClient> { } interface IClient { Task Tell(); }"
    assert [hub.name for hub in csharp.read(text, names=["AHub", "IClient"]).hubs] == ["AHub"]
    text = "interface IHub { Task Call(); } interface IClient { Task Tell(); }"
    assert [hub.name for hub in csharp.read(text, client="IClient").hubs] == ["Hub"]


def test_the_client_of_a_plain_hub_can_be_given(csharp: Reader) -> None:
    text = "class AHub : Hub { } interface IClient { Task Tell(); }"
    client = csharp.read(text, client="IClient").hubs[0].client
    assert client is not None
    assert (client.name, [method.wire for method in client.methods]) == ("Client", ["Tell"])


def test_doc_comments_are_kept(csharp: Reader) -> None:
    method = csharp.methods(
        """class ChatHub : Hub {
            /// <summary>
            /// Adds   <paramref name="x"/> to a <see cref="System.List{T}"/>.
            /// <para>Twice.</para>
            /// </summary>
            /// <param name="x">A number &lt; 3.</param>
            /// <returns>The <c>sum</c>.</returns>
            public int Add(int x) => x;
            /** <summary>Another.</summary> */
            public int Other() => 1;
            /// Not <XML
            public int Broken() => 1;
            // A comment.
            public int None() => 1;
        }"""
    )
    add = method["Add"]
    assert add.doc == "Adds `x` to a `List{T}`.\n\nTwice."
    assert (add.parameters[0].doc, add.returns) == ("A number < 3.", "The `sum`.")
    assert [method[name].doc for name in ("Other", "Broken", "None")] == ["Another.", "Not <XML", ""]


def test_without_nullable_reference_types_every_reference_may_be_null(csharp: Reader) -> None:
    """Values may not, and what is inside of lists is taken as it is written."""
    types = "enum State { A } record struct Row(int X); class Box {"
    text = f"public List<string> Get(string a, int b, State c, Row d, Box e) => null; }} {types}"
    method = csharp.method(text, nullable=False)
    assert method.result == Nullable(ListOf(Scalar.STRING))
    kinds = [parameter.type for parameter in method.parameters]
    assert kinds == [Nullable(Scalar.STRING), Scalar.INT32, Reference("State"), Reference("Row"), Nullable(Reference("Box"))]


def test_nullable_directives_and_the_project_decide_about_null(csharp: Reader, tmp_path: Path) -> None:
    text = """class ChatHub : Hub {
        public string A() => "";
        #nullable enable
        public string B() => "";
        #nullable disable
        public string C() => "";
        #nullable restore
        public string D() => "";
        #nullable enable warnings
        public string E() => "";
    }"""

    def nullable() -> str:
        return "".join(name for name, method in csharp.methods(text).items() if isinstance(method.result, Nullable))

    assert nullable() == "C"
    project = tmp_path / "Chat.csproj"
    project.write_text("<Project><PropertyGroup><Nullable>enable</Nullable></PropertyGroup></Project>")
    assert nullable() == "C"
    project.write_text("<Project><PropertyGroup><Nullable>disable</Nullable></PropertyGroup></Project>")
    assert nullable() == "ACDE"
    project.write_text("<Project/>")  # what the compiler does by default
    assert nullable() == "ACDE"
    (tmp_path / "Directory.Build.props").write_text(
        "<Project><PropertyGroup><Nullable>enable</Nullable></PropertyGroup></Project>"
    )
    assert nullable() == "C"


MEMBERS: list[tuple[str, str, Type, Default]] = [
    ("public int A { get; set; }", "A", Scalar.INT32, REQUIRED),
    ("public int? A { get; set; }", "A", Nullable(Scalar.INT32), Constant(None)),
    ("public required int? A { get; set; }", "A", Nullable(Scalar.INT32), REQUIRED),
    ("[JsonRequired] public int A { get; set; } = 3;", "A", Scalar.INT32, REQUIRED),
    ("public int A { get; init; } = -0x1_0;", "A", Scalar.INT32, Constant(-16)),
    ("public long A { get; set; } = 1_000L;", "A", Scalar.INT64, Constant(1000)),
    ("public double A { get; set; } = 1.5e3;", "A", Scalar.FLOAT64, Constant(1500.0)),
    ("public bool A { get; set; } = true;", "A", Scalar.BOOL, Constant(value=True)),
    ("public bool A { get; set; } = default;", "A", Scalar.BOOL, Constant(value=False)),
    ("public string A { get; set; } = string.Empty;", "A", Scalar.STRING, Constant("")),
    ("public string A { get; set; } = null!;", "A", Scalar.STRING, REQUIRED),
    ("public string? A { get; set; } = default!;", "A", Nullable(Scalar.STRING), Constant(None)),
    ("public State A { get; set; } = State.Done;", "A", Reference("State"), EnumConstant("State", "DONE")),
    ("public State A { get; set; } = default;", "A", Reference("State"), EnumConstant("State", "NEW")),
    ("public List<int> A { get; } = [];", "A", ListOf(Scalar.INT32), UNKNOWN),
    ("public List<int> A { get; set; } = [];", "A", ListOf(Scalar.INT32), EmptyContainer()),
    ("public int[] A { get; set; } = Array.Empty<int>();", "A", ListOf(Scalar.INT32), EmptyContainer()),
    ("public Dictionary<int, int> A { get; set; } = new();", "A", MapOf(Scalar.INT32, Scalar.INT32), EmptyContainer()),
    ("public int A => 3;", "A", Scalar.INT32, UNKNOWN),
    ("public int A { get; private set; }", "A", Scalar.INT32, UNKNOWN),
    ("public int A { get; } public Thing(int a) { A = a; }", "A", Scalar.INT32, REQUIRED),
    ("[JsonInclude] public int A;", "A", Scalar.INT32, REQUIRED),
    (
        "[JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] public int A { get; set; }",
        "A",
        Scalar.INT32,
        Constant(0),
    ),
]


@pytest.mark.parametrize(("text", "name", "kind", "default"), MEMBERS, ids=[text for text, *_ in MEMBERS])
def test_each_kind_of_member_is_described(csharp: Reader, text: str, name: str, kind: Type, default: Default) -> None:
    fields = csharp.fields(f"class Thing {{ {text} }} enum State {{ New, Done }}")
    assert [(each.dotnet, each.type, each.default) for each in fields.values()] == [(name, kind, default)]
    assert csharp.warnings == []


@pytest.mark.parametrize(
    "text",
    [
        "private int A { get; set; }",
        "public static int A { get; set; }",
        "public const int A = 1;",
        "[JsonIgnore] public int A { get; set; }",
        "public int A { set { } }",
        "public int this[int index] => 1;",
        "public void A() { }",
        "public event Action A;",
    ],
)
def test_what_is_not_on_the_wire_is_not_described(csharp: Reader, text: str) -> None:
    assert csharp.fields(f"class Thing {{ {text} }}") == {}
    assert csharp.warnings == []


def test_members_have_the_names_that_their_attributes_give(csharp: Reader) -> None:
    fields = csharp.fields(
        """class Thing {
            public int UserName { get; set; }
            public int XMLFile { get; set; }
            public int Url_Path { get; set; }
            [JsonPropertyName("user_id")] public int UserId { get; set; }
            [Key("key")] public int Keyed { get; set; }
            [DataMember(Name = "member")] public int Member { get; set; }
        }"""
    )
    assert {name: (field.name, field.json, field.messagepack) for name, field in fields.items()} == {
        "UserName": ("user_name", "userName", "UserName"),
        "XMLFile": ("xml_file", "xmlFile", "XMLFile"),
        "Url_Path": ("url_path", "url_Path", "Url_Path"),
        "UserId": ("user_id", "user_id", "UserId"),
        "Keyed": ("keyed", "keyed", "key"),
        "Member": ("member", "member", "member"),
    }


def test_a_record_has_its_parameters_and_its_properties(csharp: Reader) -> None:
    fields = csharp.fields(
        """
        /// <summary>A thing.</summary>
        /// <param name="A">The first.</param>
        record Thing(int A, [property: JsonPropertyName("b!")] string? B, int C = 3) { public int D { get; init; } = 4; }
        """
    )
    assert [(each.name, each.json, each.default, each.positional, each.doc) for each in fields.values()] == [
        ("a", "a", REQUIRED, True, "The first."),
        ("b", "b!", REQUIRED, True, ""),
        ("c", "c", Constant(3), True, ""),
        ("d", "d", Constant(4), False, ""),
    ]


def test_a_class_with_numbered_keys_is_an_array_over_messagepack(csharp: Reader) -> None:
    found = csharp.read(
        """class ChatHub : Hub { public Thing Get() => null!; }
        [MessagePackObject] class Thing { [Key(1)] public int B { get; set; } [Key(0)] public int A { get; set; } }"""
    ).by_name["Thing"]
    assert isinstance(found, Record)
    assert (found.sequence, [field.dotnet for field in found.fields]) == (True, ["A", "B"])


def test_bases_in_the_files_are_kept_and_others_are_warned_of(csharp: Reader) -> None:
    text = "class Thing : Base<int>, IDisposable { } class Base<T> : Entity { public T A { get; set; } }"
    description = csharp.read(f"class ChatHub : Hub {{ public Thing Get() => null!; }}\n{text}")
    thing = description.by_name["Thing"]
    assert isinstance(thing, Record)
    assert thing.bases == (Reference("Base", (Scalar.INT32,)),)
    assert csharp.warnings == [f"{csharp.folder}/0.cs:2: The members of Entity, which no file declares, are left out."]


def test_enumerations_have_the_values_of_the_compiler(csharp: Reader) -> None:
    found = csharp.read(
        """class ChatHub : Hub { const int Two = 2; public void Set(Kind kind) { } }
        [Flags] enum Kind : ulong { A, B = ChatHub.Two, C, D = 1 << 4, E = C | D, F = ~0 & 0xFF, G = Kind.A, H = -(1), I = (int)'a' }"""
    ).by_name["Kind"]
    assert isinstance(found, Enumeration)
    assert [member.value for member in found.members] == [0, 2, 3, 16, 19, 255, 0, -1, 97]
    assert (found.flags, found.underlying) == (True, Scalar.UINT64)


def test_members_of_enumerations_have_the_names_that_attributes_give(csharp: Reader) -> None:
    description = csharp.read(
        """class ChatHub : Hub { public void Set(Named a, Texts b, Plain c) { } }
        [JsonConverter(typeof(JsonStringEnumConverter))] enum Named { OnItsWay, [JsonStringEnumMemberName("d!")] Done }
        [JsonConverter(typeof(JsonStringEnumConverter<Texts>))] enum Texts { [JsonStringEnumMemberName("a!")] A }
        enum Plain { OnItsWay, USD }""",
        enum_naming="camelCase",
    )
    found = {each.name: each for each in description.declarations if isinstance(each, Enumeration)}
    assert {name: [each.wire for each in kind.members] for name, kind in found.items()} == {
        "Named": ["onItsWay", "d!"],
        "Texts": ["a!"],
        "Plain": ["onItsWay", "usd"],
    }
    assert [(kind.names, kind.textual) for kind in found.values()] == [(True, False), (True, True), (False, False)]


def test_a_name_means_the_nearest_type(csharp: Reader) -> None:
    description = csharp.read(
        """namespace A { record Item(int InA); }
        namespace B { record Item(int InB); class ChatHub : Hub { public Item Get() => null; public void Set(B.Item item) { } } }"""
    )
    item = description.by_name["Item"]
    assert isinstance(item, Record)
    assert [field.dotnet for field in item.fields] == ["InB"]


WARNINGS = [
    ("class Thing { public int A; }", "System.Text.Json leaves out fields, so this one is left out: public int A;"),
    ("class Thing { public DateTime A { get; set; } = DateTime.Now; }", "The initial value of A cannot be expressed"),
    (
        "class Thing { [JsonConverter(typeof(X))] public int A { get; set; } }",
        "is not known; it is read as if it were not there.",
    ),
    ("[JsonDerivedType(typeof(X))] class Thing { }", "The members of derived types of Thing and their $type are left out."),
    (
        "class Thing { [JsonExtensionData] public object A { get; set; } }",
        "A is left out, because of its attribute JsonExtensionData.",
    ),
    ("class Thing {\n#if DEBUG\npublic int A { get; set; }\n#endif\n}", "compiled only under a condition of #if"),
    ("class Thing { } class Other { int x = = 3; }", "This could not be read as C#, so something may be missing"),
    (
        "class Thing { } class OtherHub : Unknown { }",
        "OtherHub is left out, because it does not derive from Hub in these files.",
    ),
]


@pytest.mark.parametrize(("text", "warning"), WARNINGS, ids=[warning for _, warning in WARNINGS])
def test_nothing_is_left_out_in_silence(csharp: Reader, text: str, warning: str) -> None:
    csharp.fields(text)
    assert len(csharp.warnings) == 1
    assert csharp.warnings[0].startswith(f"{csharp.folder}/0.cs:")
    assert warning in csharp.warnings[0]


ERRORS = [
    ("public Unknown Get() => null;", "The type 'Unknown' is not declared in the files"),
    ("public Unknown<int> Get() => null;", "The type 'Unknown<int>' is not declared in the files"),
    ("public void Set(Unknown value) { }", "The type 'Unknown' is not declared in the files"),
    ("public IOther Get() => null; } interface IOther {", "IOther is an interface, which System.Text.Json cannot read."),
    ("public (int, string) Get() => (1, null);", "System.Text.Json writes a tuple as {}"),
    ("public int[,] Get() => null;", "does not write arrays of several dimensions"),
    ("public nint Get() => 1;", "nint"),
    ("public unsafe int* Get() => null;", "The type int* cannot be sent."),
    ("public T Get<T>() => default;", "Method 'Get' is a generic method which is not supported on a Hub."),
    ("public void A() { } public void A(int x) { }", "Duplicate definitions of 'A'. Overloading is not supported."),
    ("public void A(ref int x) { }", "The parameter 'x' is passed by reference"),
    ("[HubMethodName(Names.Missing)] public void A() { }", "The name cannot be read: Names.Missing."),
    ("public void A(Kind x) { } } enum Kind { A = Missing.B", "The value of this member of an enumeration cannot be read"),
]


@pytest.mark.parametrize(("text", "error"), ERRORS, ids=[error for _, error in ERRORS])
def test_what_cannot_be_described_is_an_error_with_file_and_line(csharp: Reader, text: str, error: str) -> None:
    with pytest.raises(GenerateError) as caught:
        csharp.read(f"\n\nclass ChatHub : Hub {{ {text} }}")
    assert str(caught.value).startswith(f"{csharp.folder}/0.cs:3: ")
    assert error in str(caught.value)


@pytest.mark.parametrize(
    ("text", "options", "error"),
    [
        ("class A { }", {}, "There are no hubs and no interfaces in the files."),
        ("class AHub : Hub { }", {"names": ["BHub"]}, "'BHub' is the name of no types in the files, which declare AHub."),
        ("interface IOne { int P { get; } }", {}, "Type must not contain properties or events"),
        ("class AHub : Hub { } class B { }", {"client": "B"}, "B is not an interface"),
        ("class AHub : Hub { } class AHub : Hub { }", {}, "'AHub' is declared a second time"),
    ],
)
def test_other_mistakes_have_errors_that_say_what_to_do(csharp: Reader, text: str, options: dict[str, Any], error: str) -> None:
    with pytest.raises(GenerateError) as caught:
        csharp.read(text, **options)
    assert error in str(caught.value)


def test_a_file_may_be_in_utf_16_and_must_be_a_text(tmp_path: Path) -> None:
    path = tmp_path / "Chat.cs"
    path.write_bytes('class ChatHub : Hub { [HubMethodName("é")] public void A() { } }'.encode("utf-16"))
    assert read_csharp(path).hubs[0].methods[0].wire == "é"
    path.write_bytes(b"\xff\x00\xff")
    with pytest.raises(GenerateError, match=r"This is not a text in UTF-8 or UTF-16"):
        read_csharp(path)


def test_without_tree_sitter_the_error_names_the_extra(csharp: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    from signalr_client.generate import csharp_syntax  # noqa: PLC0415  # its cache is cleared

    csharp_syntax._parser.cache_clear()
    monkeypatch.setitem(sys.modules, "tree_sitter_c_sharp", None)
    with pytest.raises(GenerateError, match=r"pip install 'signalr-sdk\[generate\]'"):
        csharp.read("class ChatHub : Hub { }")


def test_deeply_nested_code_is_read(csharp: Reader) -> None:
    """A tree may be deeper than Python's stack."""
    sum_of_many = " + ".join(["1"] * 5_000)
    assert csharp.method(f"public int Get() => {sum_of_many};").result is Scalar.INT32
