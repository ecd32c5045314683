"""The HTTP face: a route reads a request, calls what the command line calls too, and writes the answer.

Flow: request → key and rate → body within limits → a room's function → answer, or a problem document.
"""

__all__ = ["keys", "options", "server"]
