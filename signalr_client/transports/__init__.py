"""Transports move frames and know no meaning: the only HTTP client code of the package. Foreign errors are translated here."""
