"""The chat page in a real browser: the official TypeScript client in headless Chromium, and our server."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.chat_users import enter, say, shown
from tests.support.chromium import chromium
from tests.support.programs import python


@pytest.mark.interop
async def test_browsers_a_bot_and_a_console_chat_in_one_room() -> None:
    """All of the web chat example, and the console chat beside it."""
    async with python("examples/web_chat/server.py", "--port", "0") as server:
        url = (await server.expect("Running on ")).split()[0] + "/"
        async with (
            python("examples/web_chat/bot.py", f"{url}chathub") as bot,
            python("examples/chat.py", f"{url}chathub", "Cleo") as console,
            chromium() as browser,
        ):
            await bot.expect("connected to ")
            await console.expect("connected to ")
            anna, bob = await enter(browser, url, "Anna"), await enter(browser, url, "Bob")
            await say(anna, "hello Bob")
            await shown(anna, "Anna", "hello Bob")
            await shown(bob, "Anna", "hello Bob")
            await console.expect("Anna: hello Bob")
            await console.write("<b>hello</b> from the console\n")
            await shown(bob, "Cleo", "<b>hello</b> from the console")
            await say(bob, "Bot, can you hear me?")
            await shown(anna, "Bot", "Hello Bob! I am a Python program. Try “Bot, time” or “Bot, roll”.")
            assert await anna.evaluate("document.querySelectorAll('#messages b b').length") == 0
            assert (await anna.screenshot()).startswith(b"\x89PNG")
            assert anna.problems == bob.problems == []
            bot.interrupt()
            assert await bot.end() == 130
            await console.end_input()
            assert await console.end() == 0
        server.interrupt()
        assert await server.end() == 0, server.output


@pytest.mark.interop
async def test_the_page_reconnects_when_the_server_is_there_again() -> None:
    async with python("-m", "signalr_client", "demo", "--web", "--port", "0") as server, chromium() as browser:
        url = (await server.expect("A chat page is at ")).split()[0]
        page = await enter(browser, url, "Anna")
        await say(page, "hello")
        text = "Hello Anna! I am a client in Python, and your browser runs the official client. Open a second window."
        await shown(page, "Bot", text)
        server.terminate()
        assert await server.end() == 0, server.output
        await page.wait_until("document.querySelector('#status').textContent === 'reconnecting'")
        port = url.rstrip("/").rpartition(":")[2]
        async with python("-m", "signalr_client", "demo", "--web", "--port", port) as again:
            await again.expect("A chat page is at ")
            await page.wait_until("document.querySelector('#status').textContent === 'connected'")
            await say(page, "back again")
            await shown(page, "Anna", "back again")
            again.interrupt()
            assert await again.end() == 0, again.output


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
async def test_the_demo_opens_the_page_in_the_browser_of_the_user(tmp_path: Path) -> None:
    """A program that prints the URL stands in for the browser."""
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "the browser opens $1"\n')
    browser.chmod(0o755)
    async with python("-m", "signalr_client", "demo", "--web", BROWSER=str(browser)) as server:
        url = (await server.expect("A chat page is at ")).split()[0]
        assert await server.expect("the browser opens ") == url
        server.interrupt()
        assert await server.end() == 0, server.output
