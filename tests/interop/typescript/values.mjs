// The values of docs/types.md, as a TypeScript program sends and receives them: node values.mjs URL json|messagepack
// Each line of the tables below is a row of docs/types.md, a method of the hub at the end of the URL's path, what is sent, and what comes
// back if that is something else. The methods of /testhub are those of the real ASP.NET Core server; /valueshub has the other rows.
// Every method returns its argument.
import assert from "node:assert/strict";
import { HttpTransportType, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";

const [url, protocol] = process.argv.slice(2);
const binary = protocol === "messagepack";
const either = (json, messagepack) => (binary ? messagepack : json);

const guid = "00010203-0405-0607-0706-050403020100";
const moment = new Date(Date.UTC(2016, 3, 5, 6, 7, 8, 123));
const received = either(moment.toISOString(), moment);
const bytes = either("AAH6/w==", new Uint8Array([0, 1, 250, 255]));
const color = (number) => either(number, ["Red", "Green", "Blue"][number]);
// Members are named as the server names them: camelCase in JSON, PascalCase in MessagePack.
const point = (x, y) => either({ x, y }, { X: x, Y: y });
const complex = (dateTime) =>
  either(
    {
      string: "é", intArray: [1, -2], byteArray: bytes, guid, dateTime, color: color(2), maybeDouble: 0.1, point: point(1, 2),
      points: { aKey: point(3, 4), B_key: point(0, -1) },
    },
    {
      String: "é", IntArray: [1, -2], ByteArray: bytes, Guid: guid, DateTime: dateTime, Color: color(2), MaybeDouble: 0.1,
      Point: point(1, 2), Points: { aKey: point(3, 4), B_key: point(0, -1) },
    },
  );
const empty = either(
  { string: null, intArray: null, byteArray: null, guid, dateTime: moment, color: color(0), maybeDouble: null, point: null, points: null },
  { String: null, IntArray: null, ByteArray: null, Guid: guid, DateTime: moment, Color: color(0), MaybeDouble: null, Point: null, Points: null },
);

const nothing = "`None`";
const optional = "`Optional[T]`, `T | None`";

const testhub = [
  [nothing, "EchoNullableInt", null],
  [nothing, "EchoNullableInt", undefined, null],
  [optional, "EchoNullableInt", 5],
  ["`bool`", "EchoBool", true],
  ["`bool`", "EchoBool", false],
  ...[0, 1, -1, 127, 128, -32, -33, 255, 256, 65535, 65536, 2147483647, -2147483648, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]
    .map((number) => ["`int`", "EchoLong", number]),
  ...[1.5, -2.25, 1e300, 5e-324, 0.1, 3, -7].map((number) => ["`float`", "EchoDouble", number]),
  ...["", "é\u2028\u{1f600}<&>'\"\\\n\u001e", "z".repeat(300)].map((text) => ["`str`", "Echo", text]),
  ["`bytes`, `bytearray`", "EchoBytes", bytes],
  ["`bytes`, `bytearray`", "EchoBytes", either("", new Uint8Array())],
  ["`Decimal`", "EchoDecimal", either(12.34, "12.34")],
  ["`Decimal`", "EchoDecimal", either(-5, "-5")],
  ["`Decimal`", "EchoDecimal", either(0.1, "79228162514264337593543950335")],
  ["`UUID`", "EchoGuid", guid],
  ["`datetime`", "EchoDateTime", moment, received],
  ["`datetime`", "EchoDateTime", either("2016-04-05T06:07:08.1234567Z", new Date(0))],
  ["`datetime`", "EchoDateTime", either("2016-04-05T06:07:08.12", new Date(Date.UTC(1969, 11, 31, 23, 59, 59, 500)))],
  ["`datetime`", "EchoDateTime", either("0001-01-01T00:00:00", new Date(Date.UTC(9999, 11, 31)))],
  ["`DateTimeOffset`", "EchoDateTimeOffset", either("2020-01-01T05:06:07.25-03:30", [moment, -210])],
  ["`timedelta`", "EchoTimeSpan", either("1.02:03:04.0050000", 937840050000)],
  ["`timedelta`", "EchoTimeSpan", either("-00:00:00.0000010", -10)],
  ["`Enum`, `IntEnum`, `IntFlag`", "EchoColor", color(1)],
  ["`Enum` or `StrEnum` with texts", "Echo", "small"],
  ["`list`, `Sequence`, `deque`", "EchoList", ["a", "", "é"]],
  ["`list`, `Sequence`, `deque`", "EchoList", []],
  ["`set`, `frozenset`, `Set`", "EchoList", ["a", "b"]],
  ["`dict`, `Mapping`", "EchoDictionary", { aKey: 1, B_key: -2, "": 0 }],
  ["`dict`, `Mapping`", "EchoDictionary", {}],
  ["`dict[Color, int]`", "EchoDictionary", { DarkBlue: 1 }],
  ["TypedDict", "EchoDictionary", { size: 1 }],
  ["dataclass", "EchoComplex", complex(moment), complex(received)],
  ["dataclass", "EchoComplex", empty, { ...empty, ...either({ dateTime: received }, {}) }],
  ['`Literal["a", 1]`', "Echo", "a"],
];

const valueshub = [
  [nothing, "EchoNone", null],
  ["`bool`", "EchoBool", true],
  ["`int`", "EchoInt", -5],
  ["`float`", "EchoFloat", 1.5],
  ["`str`", "EchoStr", "é"],
  ["`bytes`, `bytearray`", "EchoBytes", bytes],
  ["`Decimal`", "EchoDecimal", either(1.5, "1.50")],
  ["`UUID`", "EchoUuid", guid],
  ["`datetime`", "EchoDatetime", moment, received],
  ["`DateTimeOffset`", "EchoDateTimeOffset", either("2024-02-29T12:00:00+02:00", [moment, 120])],
  ["`date`", "EchoDate", either("2024-02-29", 738944)],
  ["`time`", "EchoTime", either("12:30:00.5000000", 450005000000)],
  ["`timedelta`", "EchoTimedelta", either("1.00:00:01.5000000", 864015000000)],
  ["`Enum`, `IntEnum`, `IntFlag`", "EchoColor", either(1, "DarkBlue")],
  ["`Enum` or `StrEnum` with texts", "EchoSize", "small"],
  ["`list`, `Sequence`, `deque`", "EchoList", [1, 2]],
  ["`set`, `frozenset`, `Set`", "EchoSet", [1]],
  ["`tuple[int, str]`, `tuple[int, ...]`", "EchoTuple", [1, "a"]],
  ["`dict`, `Mapping`", "EchoDict", { Any_key: 1 }],
  ["`dict[int, str]`", "EchoIntKeys", { 1: "a", "-2": "b" }], // a key of a JavaScript object is always a text
  ["`dict[Color, int]`", "EchoColorKeys", { DarkBlue: 1, Red: 2 }],
  ["dataclass", "EchoDataclass", either({ xValue: 1, yValue: 2 }, { XValue: 1, YValue: 2 })],
  ["attrs class", "EchoAttrs", either({ xValue: 1 }, { XValue: 1 })],
  ["msgspec Struct", "EchoStruct", either({ xValue: 1 }, { XValue: 1 })],
  ["pydantic model", "EchoModel", either({ xValue: 1 }, { XValue: 1 })],
  ["NamedTuple", "EchoEntry", either({ key: "a", value: 1 }, ["a", 1])],
  ["TypedDict", "EchoOptions", { size: 1 }],
  [optional, "EchoOptional", null],
  [optional, "EchoOptional", 7],
  ['`Literal["a", 1]`', "EchoLiteral", "a"],
  ['`Literal["a", 1]`', "EchoLiteral", 1],
  ["`Any`, `object`", "EchoAny", [1, null, 1.5, "a", true, { key: [] }]],
  ["`Any`, `object`", "EchoAny", either("2024", [moment, new Uint8Array([255])])],
];

// What cannot be sent, and what the server says to what it does not take. It is the same on both servers.
const refused = "Failed to invoke '*' due to an error on the server.";
const refusals = [
  ["EchoLong", 9007199254740993n, either("Do not know how to serialize a BigInt", "Unrecognized object: [object BigInt]")],
  ["EchoLong", either(2 ** 64, 2 ** 53), refused], // MessagePack: what may not be exact is a float
  ["EchoLong", 1.5, refused],
  ["EchoLong", "1", refused],
  ["EchoDouble", either(NaN, "NaN"), refused], // null in JSON
  ["EchoBytes", either(new Uint8Array([1]), 1), refused], // an object in JSON
  ["EchoDateTimeOffset", either([moment, 120], 1), refused],
  ["EchoTimeSpan", either(1, 1.5), refused],
  ["EchoColor", either(1.5, "Nothing"), refused],
];

// Python has one kind of bytes; a Buffer of Node.js is a Uint8Array too.
const comparable = (value) =>
  value instanceof Uint8Array
    ? new Uint8Array(value)
    : Array.isArray(value)
      ? value.map(comparable)
      : value !== null && typeof value === "object" && !(value instanceof Date)
        ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, comparable(item)]))
        : value;

const builder = new HubConnectionBuilder().withUrl(url, { transport: HttpTransportType.WebSockets }).configureLogging(LogLevel.None);
if (binary) builder.withHubProtocol(new MessagePackHubProtocol());
const connection = builder.build();
await connection.start();

let failed = 0;
async function check(name, run) {
  try {
    await run();
    console.log(`ok   ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${error.message.replaceAll("\n", " ")}`);
  }
}

const hub = new URL(url).pathname.split("/").at(-1);
for (const [row, method, sent, ...expected] of { testhub, valueshub }[hub]) {
  await check(row, async () => {
    const wanted = expected.length ? expected[0] : sent;
    assert.deepEqual(comparable(await connection.invoke(method, sent)), comparable(wanted), method);
  });
}
if (hub === "valueshub") {
  await check("an integer that loses digits", async () => assert.equal(await connection.invoke("Largest"), 2 ** 63));
  await check("a map that loses its entries", async () => assert.deepEqual(await connection.invoke("EchoAny", new Map([["a", 1]])), {}));
}
if (hub === "testhub") {
  await check("a message of the server", async () => {
    const arrived = new Promise((resolve) => connection.on("Complex", (...values) => resolve(values)));
    await connection.invoke("SendComplex", "Complex", complex(moment));
    assert.deepEqual(comparable(await arrived), [comparable(complex(received)), 42, "tail"]);
  });
  await check("a result of the client", async () => {
    connection.on("Changed", (value) => ({ ...value, ...either({ string: "changed" }, { String: "changed" }) }));
    const wanted = { ...complex(received), ...either({ string: "changed" }, { String: "changed" }) };
    assert.deepEqual(comparable(await connection.invoke("AskCallerComplex", "Changed", complex(moment))), comparable(wanted));
  });
  for (const [method, value, text] of refusals)
    await check(`refused by ${method}`, () => assert.rejects(connection.invoke(method, value), { message: text.replace("*", method) }));
}
await connection.stop();
process.exit(failed ? 1 : 0);
