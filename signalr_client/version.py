"""The version of the package. The build reads it from this file, so that no program has to look it up in the metadata."""

__all__ = ["__version__"]

__version__: str = "0.1.0"
