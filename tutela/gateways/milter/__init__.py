"""Milter: a mail server shows every mail before it accepts it."""
