"""Strict local stand-ins for the services that exchanges talk to: they refuse what the real ones would."""
