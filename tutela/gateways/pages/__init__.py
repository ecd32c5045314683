"""Pages at a network's edge: an honest stop page with appeals, squid's helper, and hosts for hybrid routing.

Flow: request → `deployment.edge.Edge.rule` → 451 with the stop page, or nothing at all. No script, no cookie, no line
in a log, nothing of who asks in any file.
"""

__all__ = ["options", "server", "squid", "stop_page", "suspects"]
