"""What people and authorities do about what was found: audit, evidence, cases, reports."""

__all__ = ["appeals", "audit", "cases", "evidence", "reports"]
