"""What we look for: hash, link and word lists, searched exactly, followed from and given back to others."""

__all__ = ["banks", "exchanges", "index", "rebuild"]
