"""NCMEC's CyberTipline: its report as classes, the XML that its schema asks for, and the client that submits it."""

__all__ = ["answers", "client", "elements", "environment", "incidents", "people", "report", "schema", "vocabulary"]
