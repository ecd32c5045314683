"""The doctor: what is right and wrong with an installation, one diagnosis a line. Doors print it."""

__all__ = ["checks", "libraries", "model"]
