"""Live streams: looked at before anybody may watch and as long as they run, and cut when they show what is listed."""

__all__ = ["examiner", "gate", "indicators", "model", "options", "records", "service"]
