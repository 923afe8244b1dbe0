// Load for the official TypeScript client with stateful reconnect: node stress.mjs URL json|messagepack SECONDS
// Calls, and messages that the server sends, until the time is up. Each result is checked. Prints one JSON object at the end.
import { HttpTransportType, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";

const [url, protocol, seconds] = process.argv.slice(2);
const problems = [];
const builder = new HubConnectionBuilder()
  .withUrl(url, { transport: HttpTransportType.WebSockets })
  .withStatefulReconnect()
  .configureLogging(LogLevel.None);
if (protocol === "messagepack") builder.withHubProtocol(new MessagePackHubProtocol());
const connection = builder.build();
let stopping = false;
connection.onclose((error) => stopping || problems.push(`closed: ${error?.message}`));

const received = [];
connection.on("Number", (text) => received.push(text));
await connection.start();
const firstId = connection.connectionId;

const end = Date.now() + 1000 * Number(seconds);
let calls = 0;
let messages = 0;

async function call(worker) {
  for (let number = 0; Date.now() < end; number++) {
    const text = `${worker}:${number}`;
    const result = await connection.invoke("Echo", text);
    if (result !== text) problems.push(`Echo of ${text} returned ${result}`);
    calls++;
  }
}

async function receive() {
  for (let round = 0; Date.now() < end; round++) {
    received.length = 0;
    const expected = Array.from({ length: 50 }, (_, number) => `${round}:${number}`);
    for (const text of expected) await connection.send("SendToCaller", "Number", text);
    await connection.invoke("Echo", "after them"); // the hub runs one call at a time, so its messages arrive before this result
    if (JSON.stringify(received) !== JSON.stringify(expected)) problems.push(`round ${round} received ${received}`);
    messages += expected.length;
  }
}

try {
  await Promise.all([call("a"), call("b"), call("c"), receive()]);
} catch (error) {
  problems.push(error.message);
}
if (connection.connectionId !== firstId) problems.push("the connection has another id");
stopping = true;
await connection.stop();
console.log(JSON.stringify({ calls, messages, problems }));
process.exit(0);
