"""Banks: named lists, their entries with history and policy, labels, imports and exports: what curators work with."""

__all__ = [
    "columns",
    "entries",
    "files",
    "foreign",
    "growth",
    "guard",
    "labels",
    "lines",
    "model",
    "overlaps",
    "plain_pictures",
    "revisions",
    "service",
    "transfer",
    "values",
]
