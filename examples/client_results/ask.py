"""Ask all agents a question: python examples/client_results/ask.py http://127.0.0.1:5000/fleethub python."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass

from signalr_client import HubConnectionBuilder, SignalRError


@dataclass
class Answer:
    """What the hub streams."""

    agent: str
    text: str | None = None
    error: str | None = None


async def ask(url: str, question: str) -> int:
    """Print the answers as they come in; return how many agents did not answer."""
    failed = 0
    async with HubConnectionBuilder().with_url(url).build() as connection:
        async for answer in connection.stream("AskEveryone", question, item_type=Answer):
            print(f"{answer.agent}: {answer.text if answer.error is None else f'! {answer.error}'}", flush=True)
            failed += answer.error is not None
    return failed


def main() -> None:
    """Read the arguments; exit with status 1 if the call or one of the agents failed, and with 130 after Ctrl+C."""
    parser = argparse.ArgumentParser(description="Ask all agents a question.")
    parser.add_argument("url", help="the hub, for example http://127.0.0.1:5000/fleethub")
    parser.add_argument("question", help="system, python, processors or disk")
    arguments = parser.parse_args()
    try:
        failed = asyncio.run(ask(arguments.url, arguments.question))
    except SignalRError as error:
        sys.exit(f"ask: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
