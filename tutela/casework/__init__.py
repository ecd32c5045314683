"""What people and authorities do about what was found: audit, evidence, cases, reports."""
