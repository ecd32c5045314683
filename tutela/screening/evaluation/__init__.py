"""How robust matching is: graded attacks on an operator's own benign pictures, by view set; and false matches.

Flow: pictures → attacks → files → views → distances to the picture's own values → table, plots, report. A running
deployment is not touched.
"""

__all__ = ["intervals", "robustness"]
