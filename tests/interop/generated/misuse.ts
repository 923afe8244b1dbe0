// Every line with a comment is a mistake that the compiler has to find.
import { HubConnectionBuilder } from "@microsoft/signalr";
import { Color, type Point, type TestHubConnection } from "./testhub.js";
import type { TypedHubConnection } from "./typedhub.js";

const test: TestHubConnection = new HubConnectionBuilder().withUrl("/testhub").build();
const typed: TypedHubConnection = new HubConnectionBuilder().withUrl("/typedhub").build();

await test.invoke("Ad", 1, 2); // error
await test.invoke("Add", 1, "2"); // error
await test.invoke("Add", 1); // error
await test.invoke("Add", 1, 2, 3); // error
await test.send("Recorded", 1); // error
await test.invoke("Counter", 1, 0); // error
test.stream("Add", 1, 2); // error
test.stream("Counter", 1, 0).subscribe({ next: (item: string) => item, complete() {}, error() {} }); // error
const text: string = await test.invoke("Add", 1, 2); // error
const point: Point = { x: 1 }; // error
await test.invoke("EchoColor", 7); // error
await test.invoke("EchoColor", Color.Purple); // error
typed.on("ReceiveMesage", () => {}); // error
typed.on("ReceiveMessage", (user: number) => {}); // error
typed.on("GetMessage", () => 3); // error
console.log(text, point);
