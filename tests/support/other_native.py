"""A plug-in of pytest: the tests have the native core that NATIVE_CORE names, in the place of the installed one."""

import importlib.util
import os
import sys

import tutela

_spec = importlib.util.spec_from_file_location("tutela._native", os.environ["NATIVE_CORE"])
assert _spec is not None and _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
sys.modules["tutela._native"] = vars(tutela)["_native"] = _module
