"""Gateways: the protocols in which platforms and networks already call a scanner, without screening logic of their own.

Flow: bytes in a foreign protocol → one buffer → verdict → the protocol's own word.
"""

__all__ = [
    "base",
    "check",
    "dns",
    "listeners",
    "metrics",
    "outcome",
    "pages",
    "process",
    "registry",
    "service",
    "streams",
]
