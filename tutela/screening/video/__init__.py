"""A whole video through the workers, and its frames aligned in time with those of listed videos."""

__all__ = ["alignment", "footage", "listed", "survey", "task"]
