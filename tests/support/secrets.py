"""Collects all visible texts of errors, for tests that check that they contain no secrets."""

from __future__ import annotations

import traceback

__all__ = ["shown_by"]


def shown_by(*errors: BaseException) -> str:
    """Return all texts of these errors, including nested errors, causes and contexts: str, repr, args and traceback."""
    texts: list[str] = []
    waiting, seen = list(errors), set[int]()
    while waiting:
        error = waiting.pop()
        if id(error) in seen:
            continue
        seen.add(id(error))
        texts += [str(error), repr(error), repr(error.args), repr(vars(error)), *traceback.format_exception(error)]
        waiting += [other for other in (error.__cause__, error.__context__) if other is not None]
        waiting += [other for other in getattr(error, "errors", ()) if isinstance(other, BaseException)]
    return "\n".join(texts)
