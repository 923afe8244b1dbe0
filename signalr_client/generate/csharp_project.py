"""What the project of a C# file says about it. Room: generate."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

__all__ = ["nullable_enabled"]


def nullable_enabled(file: Path) -> bool:
    """Return whether the project of a file enables nullable reference types; True, as in new projects, if there is no project.

    The project is the next ``*.csproj`` in the folder of the file or around it. What it does not say, ``Directory.Build.props`` may.
    """
    folders = file.resolve().parents
    projects = next((found for folder in folders if (found := sorted(folder.glob("*.csproj")))), [])
    if not projects:
        return True
    shared = next((path for folder in projects[0].parents if (path := folder / "Directory.Build.props").exists()), None)
    for path in filter(None, (projects[0], shared)):
        setting = _nullable(path)
        if setting is not None:
            return setting.strip().lower() in ("enable", "annotations")
    return False


def _nullable(path: Path) -> str | None:
    try:
        root = ET.parse(path).getroot()  # noqa: S314  # the user's own project
    except (ET.ParseError, OSError):
        return None
    return next((element.text or "" for element in root.iter() if element.tag.rpartition("}")[2] == "Nullable"), None)
