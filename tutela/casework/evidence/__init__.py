"""Evidence: held content sealed to public keys before the verdict is answered.

The serving process can put evidence in, but not take it out. Opening needs the review key and is logged first.
"""

__all__ = ["drill", "memory", "objects", "reconciliation", "retention", "review_key", "rotation", "seal", "vault"]
