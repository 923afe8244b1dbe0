// An application in TypeScript that uses generated types. It is compiled, and then calls both servers: node use.js URL PROTOCOL
// testhub.ts is generated from a hub with the methods of TestHub, typedhub.ts from one with those of TypedHub.
import assert from "node:assert/strict";
import { HubConnectionBuilder, LogLevel, Subject } from "@microsoft/signalr";
import { Color, type ComplexObject, type TestHubConnection } from "./testhub.js";
import type { TypedHubConnection } from "./typedhub.js";

const url = process.argv[2];

function build(path: string) {
    return new HubConnectionBuilder().withUrl(`${url}/${path}`).configureLogging(LogLevel.None).build();
}

async function values(connection: TestHubConnection): Promise<void> {
    const text: string | null = await connection.invoke("Echo", "hello");
    assert.equal(text, "hello");
    const sum: number = await connection.invoke("Add", 1, 2);
    assert.equal(sum, 3);
    assert.equal(await connection.invoke("renamed-method"), "renamed");
    const color: Color = await connection.invoke("EchoColor", Color.Blue);
    assert.equal(color, Color.Blue);
    const value: ComplexObject = {
        string: "s",
        intArray: [1, 2],
        byteArray: "AQI=",
        guid: "00000000-0000-0000-0000-000000000001",
        dateTime: "2024-02-29T12:00:00Z",
        color: Color.Green,
        maybeDouble: null,
        point: { x: 1, y: 2 },
        points: { a: { x: 3, y: 4 } },
    };
    const answer = await connection.invoke("EchoComplex", value);
    assert.deepEqual(answer, value);
    assert.equal(answer?.points?.["a"]?.x, 3);
    await connection.send("Record", 0);
    assert.equal(await connection.invoke("Recorded"), "1 in order");
}

async function streams(connection: TestHubConnection): Promise<void> {
    const numbers: number[] = [];
    await new Promise<void>((resolve, reject) => {
        connection.stream("Counter", 3, 0).subscribe({
            next: (item) => numbers.push(item),
            complete: resolve,
            error: reject,
        });
    });
    assert.deepEqual(numbers, [0, 1, 2]);
    const upload = new Subject<number>();
    const total: Promise<number> = connection.invoke("SumStream", upload);
    [1, 2, 3].forEach((item) => upload.next(item));
    upload.complete();
    assert.equal(await total, 6);
}

async function clients(connection: TypedHubConnection): Promise<void> {
    const received = new Promise<string>((resolve) => {
        connection.on("ReceiveMessage", (user, message) => resolve(`${user}: ${message}`));
    });
    connection.on("GetMessage", async () => "from the client");
    await connection.invoke("SendMessage", "Anna", "hello");
    assert.equal(await received, "Anna: hello");
    assert.equal(await connection.invoke("WaitForMessage", connection.connectionId!), "from the client");
    connection.off("ReceiveMessage");
}

const test: TestHubConnection = build("testhub");
await test.start();
await values(test);
await streams(test);
await test.stop();
const typed: TypedHubConnection = build("typedhub");
await typed.start();
await clients(typed);
await typed.stop();
console.log("ok");
