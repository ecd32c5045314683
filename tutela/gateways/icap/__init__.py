"""ICAP (RFC 3507): proxies and clouds have uploads and downloads adapted here."""
