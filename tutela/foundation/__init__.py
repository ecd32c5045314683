"""What everything stands on, each thing once: the store, the outbox, the home, logs, leases, background loops, HTTP."""
