"""Graded attacks: what people do to a picture to slip past its hash. All of them, by name, in `catalogue`."""

__all__ = ["base", "catalogue"]
