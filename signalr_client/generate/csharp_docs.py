"""Documentation comments of C#: XML in comments. Room: generate."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Doc", "read_doc"]


@dataclass(frozen=True, slots=True)
class Doc:
    """What a comment says: about the whole, each parameter, and the result."""

    text: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    returns: str = ""


def read_doc(comment: str) -> Doc:
    """Return the meaning of a documentation comment. One that is not XML is taken as it is."""
    text = "\n".join(_plain_lines(comment))
    if not text.strip():
        return Doc()
    try:
        # Entities would have to be declared before the root element, which is ours.
        root = ET.fromstring(f"<doc>{text}</doc>")  # noqa: S314
    except ET.ParseError:
        return Doc(_tidy(text))
    sections = [_tidy(_flat(part)) for part in root if part.tag in ("summary", "remarks")]
    loose = _tidy(root.text or "") if not sections else ""  # a comment without tags
    returns = root.find("returns")
    return Doc(
        "\n\n".join(filter(None, [loose, *sections])),
        {part.get("name", ""): _line(_flat(part)) for part in root.iter("param")},
        _line(_flat(returns)) if returns is not None else "",
    )


def _plain_lines(comment: str) -> Iterator[str]:
    """Yield the lines of a comment without its slashes and asterisks."""
    if comment.startswith("///"):
        for line in comment.splitlines():
            yield line.strip().removeprefix("///").removeprefix(" ")
        return
    for line in comment.removeprefix("/**").removesuffix("*/").splitlines():
        yield line.strip().removeprefix("*").removeprefix(" ")


def _flat(element: ET.Element) -> str:
    """Return the text of an element; references and code are in backticks, paragraphs and list items on lines of their own."""
    parts = [element.text or ""]
    for child in element:
        match child.tag:
            case "see" | "seealso" | "paramref" | "typeparamref":
                named = child.get("cref") or child.get("name") or child.get("langword") or child.get("href") or ""
                parts.append(child.text or f"`{named.rpartition(':')[2].rpartition('.')[2] or named}`")
            case "c" | "code":
                parts.append(f"`{_flat(child).strip()}`")
            case "para":
                parts.append(f"\n\n{_flat(child).strip()}\n\n")
            case "item":
                parts.append(f"\n- {_line(_flat(child))}")
            case "br":
                parts.append("\n")
            case _:
                parts.append(_flat(child))
        parts.append(child.tail or "")
    return "".join(parts)


def _line(text: str) -> str:
    return " ".join(text.split())


def _tidy(text: str) -> str:
    """Return the lines without the spaces around them, with one empty line at most between two."""
    lines = [" ".join(line.split()) for line in text.strip().splitlines()]
    return "\n".join(line for index, line in enumerate(lines) if line or lines[index - 1])
