"""Media servers at the gate of live streams: their hooks, and the calls that end a publisher. One file each."""

__all__ = ["check", "process", "whip"]
