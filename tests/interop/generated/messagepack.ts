// The same with the MessagePack protocol: node messagepack.js URL
import assert from "node:assert/strict";
import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { Color, type ComplexObject, type TestHubConnection } from "./testhub.js";

const connection: TestHubConnection = new HubConnectionBuilder()
    .withUrl(`${process.argv[2]}/testhub`)
    .withHubProtocol(new MessagePackHubProtocol())
    .configureLogging(LogLevel.None)
    .build();
await connection.start();
const value: ComplexObject = {
    String: "s",
    IntArray: [1, 2],
    ByteArray: new Uint8Array([1, 2]),
    Guid: "00000000-0000-0000-0000-000000000001",
    DateTime: new Date("2024-02-29T12:00:00Z"),
    Color: Color.Green,
    MaybeDouble: 1.5,
    Point: { X: 1, Y: 2 },
    Points: { a: { X: 3, Y: 4 } },
};
const answer = await connection.invoke("EchoComplex", value);
assert.deepEqual(answer, value);
const price: string = await connection.invoke("EchoDecimal", "1.10");
assert.equal(price, "1.10");
const span: number = await connection.invoke("EchoTimeSpan", 10_000_000);
assert.equal(span, 10_000_000);
await connection.stop();
console.log("ok");
