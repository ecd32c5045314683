"""Scorers, one file each: found by the entry point group `tutela.scorers`."""

__all__ = ["base", "contacts", "registry"]
