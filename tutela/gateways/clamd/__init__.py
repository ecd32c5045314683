"""clamd: programs that were written for ClamAV's daemon ask here."""
