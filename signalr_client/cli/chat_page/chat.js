// The chat page: the official TypeScript client, connected to the hub at /chathub.
"use strict";

const byId = (id) => document.getElementById(id);
const nameField = byId("name");
const messageField = byId("message");

// After a lost connection: at once, then after 1, 2, 4, 8 and 10 seconds, and every 10 seconds from then on.
const retryPolicy = {
  nextRetryDelayInMilliseconds: ({ previousRetryCount: n }) => (n === 0 ? 0 : Math.min(1000 * 2 ** (n - 1), 10000)),
};

const connection = new signalR.HubConnectionBuilder()
  .withUrl("/chathub")
  .withAutomaticReconnect(retryPolicy)
  .configureLogging(signalR.LogLevel.Warning)
  .build();

connection.on("ReceiveMessage", (user, message) => {
  const line = document.createElement("li");
  const author = document.createElement("b");
  const text = document.createElement("span");
  author.textContent = user; // as text: a message must not become part of the page's HTML
  text.textContent = message;
  line.append(author, text);
  line.className = user === nameField.value ? "own" : "";
  byId("messages").append(line);
  line.scrollIntoView({ block: "end" });
});

connection.onreconnecting(() => showStatus("reconnecting"));
connection.onreconnected(() => showStatus("connected"));
connection.onclose(() => showStatus("closed"));

byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const message = messageField.value;
  messageField.value = "";
  localStorage.setItem("name", nameField.value);
  try {
    await connection.invoke("SendMessage", nameField.value, message);
  } catch (error) {
    console.warn(error);
    messageField.value = message; // to be sent again
  }
});

function showStatus(status) {
  byId("status").textContent = status;
  byId("status").className = status === "connected" ? "online" : "offline";
  byId("send").disabled = status !== "connected";
}

async function start(attempt = 0) {
  showStatus("connecting");
  try {
    await connection.start();
    showStatus("connected");
  } catch {
    setTimeout(start, retryPolicy.nextRetryDelayInMilliseconds({ previousRetryCount: attempt + 1 }), attempt + 1);
  }
}

nameField.value = localStorage.getItem("name") ?? `Guest ${Math.floor(Math.random() * 90 + 10)}`;
start();
