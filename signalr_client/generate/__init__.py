"""Code in other languages from hubs, and Python from C# hubs. Room: generate.

A reader makes a `Description` of what a hub offers, and a writer turns it into a text: python_source.py and csharp_source.py read,
typescript.py, csharp.py, asyncapi.py and python.py write. The command line is the only user; docs/generate.md describes it.
"""

from signalr_client.generate.asyncapi import AsyncApiOptions, to_asyncapi
from signalr_client.generate.csharp import CSharpOptions, to_csharp
from signalr_client.generate.csharp_source import read_csharp
from signalr_client.generate.description import Description, GenerateError
from signalr_client.generate.python import to_python
from signalr_client.generate.python_fields import Spelling
from signalr_client.generate.python_source import read_python
from signalr_client.generate.typescript import TypeScriptOptions, to_typescript

__all__ = [
    "AsyncApiOptions",
    "CSharpOptions",
    "Description",
    "GenerateError",
    "Spelling",
    "TypeScriptOptions",
    "read_csharp",
    "read_python",
    "to_asyncapi",
    "to_csharp",
    "to_python",
    "to_typescript",
]
