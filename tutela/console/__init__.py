"""The review console: pages on which people decide cases while seeing as little as possible.

A process of its own, and the only one that holds the review key. A request becomes a session, a person and a role;
pages show the match first; a picture leaves as small grey renditions, step by step, while a key is held down.
"""

__all__ = ["options", "people", "roles", "server"]
