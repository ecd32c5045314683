"""All hashes within 31 bits of a query: our mapped segment, the `threatexchange` index, faiss's flat index.

Their answers are compared: a figure is printed only for equal sets of hits.
"""

import gc
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import faiss
import numpy as np
import xxhash
from threatexchange.signal_type.pdq.pdq_faiss_matcher import PDQMultiHashIndex

from benchmarks.hashes import Hashes, queries, random_hashes
from benchmarks.report import Scale, Table, duration, each, ratio, resident_bytes
from tutela import _native

RADIUS = 31
_COUNTS = {
    Scale.TINY: [20_000],
    Scale.USUAL: [100_000, 1_000_000],
    Scale.FULL: [100_000, 1_000_000, 10_000_000, 100_000_000],
}
_PEERS_UP_TO = 10_000_000
_COLUMNS = (*("hashes", "index", "build", "open", "bytes a hash", "p50", "p99", "p50 of ours"), "queries/s, in batches")
Search = Callable[[bytes], set[int]]


def run(scale: Scale) -> Iterator[Table]:
    """One table: sizes by indexes."""
    faiss.omp_set_num_threads(1)
    table = Table(
        "Range search at 31 bits, one core",
        _COLUMNS,
        "Half of the queries have a listed hash within 30 bits. Ours: a file that processes share, mapped and warm; "
        "`open` has its structure and its checksum checked. Bytes: of the file, or the growth of private memory.",
    )
    for count in _COUNTS[scale]:
        for row in _of_size(count, asked=20 if scale is Scale.TINY else 2000):
            table.add(*row)
    yield table


def _of_size(count: int, asked: int) -> Iterator[Sequence[str]]:
    hashes = random_hashes(count, seed=count)
    wanted = queries(hashes, asked, seed=7)
    row, search, ours_p50 = _ours(hashes, wanted)
    yield row
    if count > _PEERS_UP_TO:
        return
    for name, build in (("threatexchange", _multi_hash), ("faiss flat", _flat)):
        gc.collect()
        before, started = resident_bytes(), time.perf_counter()
        peer = build(hashes)
        built = time.perf_counter() - started
        grown = (resident_bytes() - before) / count
        few = wanted[: max(20, min(len(wanted), 40_000_000 // count))]
        seconds = each(peer, few)
        if [peer(query) for query in few[:20]] != [search(query) for query in few[:20]]:
            raise AssertionError(f"{name} and ours differ")
        p50, p99 = np.percentile(seconds, (50, 99))
        yield (
            *(f"{count:,}", name, duration(built), "", f"{grown:.0f}", duration(p50), duration(p99)),
            ratio(p50, ours_p50),
            "",
        )
        del peer


def _ours(hashes: Hashes, wanted: Sequence[bytes]) -> tuple[Sequence[str], Search, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "segment"
        keys = np.arange(len(hashes), dtype=np.uint64)
        started = time.perf_counter()
        _native.build_segment(str(path), hashes, keys)
        built = time.perf_counter() - started
        started = time.perf_counter()
        segment = _native.Segment(str(path))  # mapped: it outlives the name
        xxhash.xxh3_128(segment.bytes())
        opened = time.perf_counter() - started
        size = path.stat().st_size / len(hashes)
    for query in wanted[:200]:
        segment.search(query, RADIUS)
    seconds = each(lambda query: segment.search(query, RADIUS), wanted)
    rows = np.frombuffer(b"".join(wanted), np.uint8).reshape(-1, 32)
    started = time.perf_counter()
    segment.search_many(rows, RADIUS)
    throughput = len(wanted) / (time.perf_counter() - started)
    p50, p99 = np.percentile(seconds, (50, 99))
    row = (
        *(f"{len(hashes):,}", "ours", duration(built), duration(opened), f"{size:.0f}", duration(p50), duration(p99)),
        *("1", f"{throughput:,.0f}"),
    )
    return row, lambda query: {key for key, _ in segment.search(query, RADIUS)}, p50


def _multi_hash(hashes: Hashes) -> Search:
    """As `threatexchange` sets up its default index; filled without its detour over hexadecimal text."""
    index = PDQMultiHashIndex()
    index.faiss_index.add_with_ids(hashes, np.arange(len(hashes)))

    def search(query: bytes) -> set[int]:
        text = query.hex()
        return {int(hit[0]) for hit in index.search_with_distance_in_result([text], RADIUS)[text]}

    return search


def _flat(hashes: Hashes) -> Search:
    index = faiss.IndexBinaryFlat(256)
    index.add(hashes)

    def search(query: bytes) -> set[int]:
        # faiss finds what is nearer than the radius.
        return set(index.range_search(np.frombuffer(query, np.uint8)[None], RADIUS + 1)[2].tolist())

    return search
