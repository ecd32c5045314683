"""Who imports whom, type-only imports too. The contracts that `make lint` keeps are in pyproject.toml."""

from graphlib import TopologicalSorter

import grimp


def test_no_chain_of_imports_leads_back_to_where_it_began():
    graph = grimp.build_graph("tutela", cache_dir=None)
    # `from tutela import _native` is the compiled core, not what the package's face names for type checkers.
    imports = {module: graph.find_modules_directly_imported_by(module) - {"tutela"} for module in graph.modules}
    assert len(imports) > 500
    TopologicalSorter(imports).prepare()  # raises CycleError, which shows the circle
