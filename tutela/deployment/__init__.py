"""The one place that puts the house together; every door opens it here."""
