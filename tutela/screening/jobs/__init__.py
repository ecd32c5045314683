"""Jobs: content that takes too long to be answered at once waits sealed, is screened, and is answered by webhook."""

__all__ = ["limits", "seal", "service", "spool", "worker"]
