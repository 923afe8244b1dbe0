"""Users of the chat page, in a real browser."""

from __future__ import annotations

import json

from tests.support.chromium import Browser, Page

__all__ = ["enter", "say", "shown"]

MESSAGES = "[...document.querySelectorAll('#messages li')].map((line) => [...line.children].map((part) => part.textContent))"


async def enter(browser: Browser, url: str, name: str) -> Page:
    """Open the chat page in a browser profile of its own, as the user *name*."""
    page = await browser.open(url, width=720, height=620, context=await browser.new_context())
    await page.wait_until("document.querySelector('#status').textContent === 'connected'")
    await page.write("#name", name)
    return page


async def say(page: Page, text: str) -> None:
    """Type a message and press Enter."""
    await page.write("#message", text)
    await page.press_enter()


async def shown(page: Page, user: str, text: str) -> None:
    """Wait until the page shows a message of *user* that begins with *text*."""
    await page.wait_until(
        f"{MESSAGES}.some(([user, text]) => user === {json.dumps(user)} && text.startsWith({json.dumps(text)}))"
    )
