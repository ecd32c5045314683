"""The index: listed values of one signal type at a time, searched exactly within a radius.

It knows keys and values, but no banks, entries or policy. Flow: change feed → live part and mapped segments → hits.
"""

__all__ = ["feed", "segments", "service", "verification"]
