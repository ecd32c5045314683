"""Which views of one decoded picture are looked up: the whole, its turns, and what is found inside it.

Flow: luma → `finder.find_frames` → named quadrilaterals → the native core hashes them all from one small pyramid.
"""

__all__ = ["finder", "listed", "thresholds", "view", "view_set"]
