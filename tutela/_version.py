"""The version: in the package, in reports and on the wire."""

__version__ = "0.1.0"
