"""Hostile input for every parser: docs/fuzzing.md. Nothing is imported here, because atheris instruments what is imported later."""
