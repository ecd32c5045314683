"""What plug-ins build on, a module for each kind. It stays as it is from release to release, or the changelog says so.

A plug-in is a package of its own: a file with one object, and an entry point that names it. The pages *Add a signal
type*, *Add an exchange* and *Add a gateway* build one each. Nothing in Tutela imports from here.
"""

__all__ = ["exchanges", "gateways", "scorers", "signals"]
