"""Benchmarks: ours and a peer in one go on one core, medians, and the ratio between the two.

Run with `make bench`, or one of them with `python -m benchmarks NAME`. Each module has one function
`run(scale) -> Iterator[Table]`; nothing here asserts, and nothing is a test. Figures measured on one machine, and how
to repeat them, are in docs/benchmarks.md.
"""
