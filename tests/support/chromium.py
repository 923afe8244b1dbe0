"""Headless Chromium, driven over the Chrome DevTools Protocol: https://chromedevtools.github.io/devtools-protocol/."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from tests.support.aspnetcore import missing

__all__ = ["Browser", "Page", "chromium"]

PATIENCE = 60.0
"""Seconds to wait for the browser, and for a condition on a page."""

# No sandbox, because Chromium cannot have one as root. The others keep it from connecting to servers of its maker.
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)

WAIT = """new Promise((resolve) => {
  const observer = new MutationObserver(check);
  observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  function check() {
    if (%s) { observer.disconnect(); resolve(true); }
  }
  check();
})"""


class Browser:
    """A connection to a running browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._responses: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pages: dict[str, Page] = {}

    async def open(self, url: str, *, width: int = 800, height: int = 600, context: str | None = None) -> Page:
        """Open a page in a new tab.

        Args:
            url: what to load.
            width: of the window, in pixels.
            height: of the window, in pixels.
            context: what `new_context` has returned; pages of different contexts share no cookies and no storage.
        """
        options = {"browserContextId": context} if context else {}
        target = await self.call("Target.createTarget", url="about:blank", **options)
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = self._pages[attached["sessionId"]] = Page(self, attached["sessionId"])
        await page.call("Runtime.enable")
        await page.call("Log.enable")
        await page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        await page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
        await page.call("Page.navigate", url=url)
        await page.wait_until(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")
        return page

    async def new_context(self) -> str:
        """Return a browser profile of its own, which ends with the browser."""
        created = await self.call("Target.createBrowserContext")
        return str(created["browserContextId"])

    async def call(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol, and return its result."""
        number = len(self._responses)
        response = self._responses[number] = asyncio.get_running_loop().create_future()
        message: dict[str, object] = {"id": number, "method": method, "params": parameters}
        await self._socket.send_json(message if session is None else {**message, "sessionId": session})
        async with asyncio.timeout(PATIENCE):
            result: dict[str, Any] = await response
        return result

    async def read(self) -> None:
        """Read responses and events until the browser ends."""
        async for message in self._socket:
            data = json.loads(message.data)
            if "id" in data:
                response = self._responses[data["id"]]
                if "error" in data:
                    response.set_exception(AssertionError(data["error"]["message"]))
                elif not response.done():
                    response.set_result(data["result"])
            elif (page := self._pages.get(data.get("sessionId", ""))) is not None:
                page.take_event(data["method"], data["params"])


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.problems: list[str] = []
        """Uncaught exceptions, and errors on the console, such as a file that could not be loaded."""

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol for this page."""
        return await self._browser.call(method, self._session, **parameters)

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, or what its promise is resolved with."""
        response = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in response:
            raise AssertionError(f"{expression}: {response['exceptionDetails']}")
        return response["result"].get("value")

    async def wait_until(self, condition: str) -> None:
        """Wait until a JavaScript expression is true; it is evaluated after each change of the document."""
        while True:
            try:
                await self.evaluate(WAIT % condition)
            except AssertionError as exc:
                if "Execution context was destroyed" not in str(exc) and "navigated" not in str(exc):
                    raise
            except TimeoutError:
                raise AssertionError(f"{condition} did not become true on {await self.text()!r}; {self.problems}") from None
            else:
                return

    async def text(self) -> str:
        """Return the text that is shown."""
        return str(await self.evaluate("document.body.innerText"))

    async def write(self, selector: str, text: str) -> None:
        """Replace the text of a field, as a user who types."""
        await self.evaluate(f"document.querySelector({json.dumps(selector)}).select()")
        await self.call("Input.insertText", text=text)

    async def press_enter(self) -> None:
        """Press and release the Enter key."""
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    async def screenshot(self) -> bytes:
        """Return a picture of the page as PNG."""
        response = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(response["data"])

    def take_event(self, method: str, parameters: dict[str, Any]) -> None:
        """Note what went wrong on the page."""
        match method:
            case "Runtime.exceptionThrown":
                details = parameters["exceptionDetails"]
                self.problems.append(details.get("exception", {}).get("description") or details["text"])
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                self.problems.append(f"{parameters['entry']['text']} ({parameters['entry'].get('url')})")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run headless Chromium during the block; skip or fail the test if it is not installed."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        missing("Chromium is not installed (apt-get install chromium)")
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [program, *OPTIONS, f"--user-data-dir={profile}"]
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)
        assert process.stderr is not None
        try:
            async with asyncio.timeout(PATIENCE):
                while b"DevTools listening on " not in (line := await process.stderr.readline()):
                    assert line, f"{program} exited with status {await process.wait()}"
            address = line.decode().partition("listening on ")[2].strip()
            draining = asyncio.create_task(process.stderr.read())  # a full pipe would block the browser
            async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
                browser = Browser(socket)
                reading = asyncio.create_task(browser.read())
                try:
                    yield browser
                finally:
                    await browser.call("Browser.close")
                    await reading
            await draining
        finally:
            if process.returncode is None:
                try:
                    async with asyncio.timeout(10):
                        await process.wait()
                except TimeoutError:
                    process.kill()
                    await process.wait()
