"""Makes docs/images/chat.png: scripts/screenshot."""

from __future__ import annotations

import asyncio

from tests.support.chat_users import enter, say, shown
from tests.support.chromium import chromium
from tests.support.programs import ROOT, python

PICTURE = ROOT / "docs" / "images" / "chat.png"


async def main() -> None:
    """Let two browsers, a bot and the console chat, and take a picture of one page."""
    async with python("examples/web_chat/server.py", "--port", "0") as server:
        url = (await server.expect("Running on ")).split()[0] + "/"
        async with (
            python("examples/chat.py", f"{url}chathub", "Cleo") as console,
            python("examples/web_chat/bot.py", f"{url}chathub") as bot,
            chromium() as browser,
        ):
            await console.expect("connected to ")
            await bot.expect("connected to ")
            anna, bob = await enter(browser, url, "Anna"), await enter(browser, url, "Bob")
            await say(bob, "Hello everyone! I am in a browser, with the official client.")
            await shown(anna, "Bob", "Hello everyone!")
            await console.write("And I am in a terminal, with examples/chat.py.\n")
            await shown(anna, "Cleo", "And I am")
            await say(anna, "Bot, who are you?")
            await shown(anna, "Bot", "Hello Anna! I am a Python program.")
            await say(anna, "Bot, roll")
            await shown(anna, "Bot", "Anna rolls a ")
            PICTURE.write_bytes(await anna.screenshot())
    print(f"wrote {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    asyncio.run(main())
