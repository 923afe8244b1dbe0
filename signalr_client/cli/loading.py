"""Classes named on the command line. Room: tools."""

from __future__ import annotations

import importlib
import os
import sys

__all__ = ["LoadError", "load_class"]


class LoadError(Exception):
    """A module that exists could not be imported; the text says what it raised."""


def load_class(name: str, *, example: str, kind: str = "a class") -> type:
    """Return the class named by ``module:Class``; modules in the current folder are found too.

    Args:
        name: the name.
        example: one like it, for errors.
        kind: what is wanted, for errors.

    Raises:
        ValueError: there is no such class.
        LoadError: the module raised an exception when it was imported.
    """
    module_name, _, class_name = name.partition(":")
    if not (module_name and class_name):
        raise ValueError(f"A class is named as module:Class, for example {example}, but got {name!r}.")
    if (folder := os.getcwd()) not in sys.path:
        sys.path.insert(0, folder)
    try:
        found = getattr(importlib.import_module(module_name), class_name, None)
    except ModuleNotFoundError as exc:
        raise ValueError(f"There is no module {module_name!r}: {exc}.") from exc
    except Exception as exc:  # user code: whatever the module does when it is imported
        raise LoadError(f"The module {module_name!r} cannot be imported: {type(exc).__name__}: {exc}") from exc
    if not isinstance(found, type):
        raise ValueError(f"{class_name!r} of {module_name!r} is not {kind}.")
    return found
