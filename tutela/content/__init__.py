"""What we look at: bytes, links and words become signals."""

__all__ = ["links", "media", "signals", "views", "words"]
