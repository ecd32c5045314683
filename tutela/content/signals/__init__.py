"""Signals: comparable values of a known type, such as a hash. One file a type; banks and policy are not known here."""

__all__ = ["base", "digests", "hexadecimal", "pdq", "registry", "tmk_file", "vpdq"]
