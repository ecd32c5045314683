"""The index answers exactly what reading every value would, whatever happens to its files and processes."""

import copy
import json
import multiprocessing
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.effort import effort
from tests.support.feeds import FileFeed, MemoryFeed, random_hashes
from tests.support.preloaded import start_python
from tests.support.waiting import PATIENCE_S
from tutela import _native
from tutela.content.signals.registry import signal_type, signal_types
from tutela.deployment.composition import compose_deployment
from tutela.errors import NotReadyError
from tutela.lists.banks.model import NewEntry
from tutela.lists.index.service import Indexes
from tutela.lists.index.signal_index import SignalIndex

PDQ = signal_type("pdq")


def near(value: bytes, flips: int, rng: random.Random) -> bytes:
    number = int.from_bytes(value)
    for bit in rng.sample(range(256), flips):
        number ^= 1 << bit
    return number.to_bytes(32)


def brute_force(hashes: dict[int, bytes], query: bytes, radius: int) -> list[tuple[int, int]]:
    distances = ((key, PDQ.distance(value, query)) for key, value in hashes.items())
    return sorted((key, distance) for key, distance in distances if distance <= radius)


def found(index: SignalIndex, query: bytes, radius: int) -> list[tuple[int, int]]:
    return sorted((hit.key, hit.distance) for hit in index.search_many([query], radius)[0])


@settings(max_examples=effort(30, 300), deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.one_of(st.integers(0, 300), st.integers(8000, 12_000)),  # below and above what has tables
    crowd=st.sampled_from([0.0, 0.1, 0.9, 1.0]),
    radius=st.integers(0, 64),
)
def test_a_segment_finds_what_brute_force_finds(tmp_path_factory, seed, count, crowd, radius):
    rng = random.Random(seed)
    centre = rng.randbytes(32)
    values = [near(centre, rng.randrange(40), rng) if rng.random() < crowd else rng.randbytes(32) for _ in range(count)]
    hashes = dict(enumerate(values, start=7))
    path = tmp_path_factory.mktemp("segment") / "s"
    array = np.frombuffer(b"".join(values), np.uint8).reshape(count, 32)
    _native.build_segment(str(path), array, np.fromiter(hashes, np.uint64, count))
    segment = _native.Segment(str(path))
    queries = [centre, rng.randbytes(32)]
    queries += [near(rng.choice(values), rng.randrange(70), rng) for _ in range(3) if values]
    for query in queries:
        assert sorted(segment.search(query, radius)) == brute_force(hashes, query, radius)
    numbers, keys, distances = segment.search_many(np.frombuffer(b"".join(queries), np.uint8).reshape(-1, 32), radius)
    batch = sorted(zip(numbers.tolist(), keys.tolist(), distances.tolist(), strict=True))
    assert batch == sorted(
        (i, key, distance) for i, q in enumerate(queries) for key, distance in brute_force(hashes, q, radius)
    )


def test_an_equal_hash_is_found_among_rows_that_begin_alike(tmp_path):
    """A small part is ordered by the first eight bytes alone: many rows share them, and some are the same row twice."""
    rng = random.Random(5)
    values = [rng.choice((b"\0", b"\xff")) * 8 + bytes([rng.randrange(256)]) + bytes(23) for _ in range(3000)]
    path = str(tmp_path / "s")
    _native.build_segment(path, np.frombuffer(b"".join(values), np.uint8).reshape(-1, 32), np.arange(3000, dtype="u8"))
    segment = _native.Segment(path)
    for query in (*values[:40], rng.randbytes(32)):
        wanted = [(key, 0) for key, value in enumerate(values) if value == query]
        assert sorted(segment.search(query, 0)) == wanted


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, "_native.Segment"]:
    """Hashes, and a segment of them that is large enough for its bucket tables."""
    rng, path = random.Random(7), str(tmp_path_factory.mktemp("large") / "s")
    array = random_hashes(200_000, seed=7)
    array[::50] = np.frombuffer(rng.randbytes(4000 * 32), np.uint8).reshape(4000, 32)  # odd weights too
    array[1000:6000] = array[1000]  # a crowd of equal hashes
    _native.build_segment(path, array, np.arange(len(array), dtype=np.uint64))
    return array, _native.Segment(path)


@pytest.mark.slow
@pytest.mark.parametrize("radius", [0, 1, 2, 15, 30, 31, 32, 47, 64, 256])
def test_a_segment_large_enough_for_its_bucket_tables_finds_what_brute_force_finds(large, radius):
    (array, segment), rng = large, random.Random(radius)
    more = 12 if radius < 64 else 2  # which nearly all of them are within: each answer is long
    for row in [0, 50, 1000, *rng.sample(range(len(array)), more)]:
        query = near(array[row].tobytes(), rng.randrange(radius % 257 + 1), rng)
        wanted = sorted(zip(*(found.tolist() for found in _native.scan(array, query, radius)), strict=True))
        for level in _native.simd_levels():
            _native.select_simd(level)
            assert sorted(segment.search(query, radius)) == wanted


def test_scanning_finds_what_brute_force_finds():
    array = random_hashes(1500, seed=3)
    hashes = dict(enumerate(row.tobytes() for row in array))
    for level in _native.simd_levels():
        _native.select_simd(level)
        rows, distances = _native.scan(array, hashes[5], 120)
        assert list(zip(rows.tolist(), distances.tolist(), strict=True)) == brute_force(hashes, hashes[5], 120)


def test_a_query_of_another_width_is_refused(tmp_path):
    with pytest.raises(ValueError, match="32 bytes"):
        _native.scan(random_hashes(3, seed=1), b"short", 31)


@pytest.mark.parametrize("name", ["pdq", "md5", "sha256", "photodna"])
def test_additions_and_withdrawals_are_found_before_and_after_a_build(tmp_path, name):
    kind = signal_type(name)
    feed = MemoryFeed()
    index = SignalIndex(tmp_path, kind, "store")
    rng = random.Random(1)
    values = {key: rng.randbytes(kind.width) for key in range(1, 200)}
    for round_ in range(4):
        for key in rng.sample(sorted(values), 60):
            feed.set(key, values[key], active=rng.random() < 0.6)
        if round_ % 2:
            assert index.build(feed)
        index.refresh(feed)
        for key, value in values.items():
            hits = index.search_many([value], 0)[0]
            assert [hit.key for hit in hits] == ([key] if feed.active(key) else [])
    assert len(index) == sum(feed.active(key) for key in values)


def test_a_value_added_in_one_process_is_found_in_another_that_maps_the_same_segment(tmp_path):
    feed = FileFeed(tmp_path / "feed.json")
    rng = random.Random(5)
    for key in range(1, 50):
        feed.set(key, rng.randbytes(32), active=True)
    Indexes(tmp_path / "index", signal_types(), feed, "store").build("pdq")
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_answer_searches, args=(tmp_path, theirs))
    process.start()
    try:
        value = rng.randbytes(32)
        ours.send(value)
        assert ours.recv() == []
        feed.set(99, value, active=True)
        ours.send(value)
        assert ours.recv() == [99]
        Indexes(tmp_path / "index", signal_types(), feed, "store").build("pdq")
        ours.send(value)
        assert ours.recv() == [99]
        feed.set(99, value, active=False)
        ours.send(value)
        assert ours.recv() == []
    finally:
        ours.send(None)
        process.join(PATIENCE_S)


def _answer_searches(directory, pipe):
    feed = FileFeed(directory / "feed.json")
    indexes = Indexes(directory / "index", signal_types(), feed, "store")
    while (value := pipe.recv()) is not None:
        indexes.refresh()
        pipe.send([hit.key for hit in indexes.search_many("pdq", [value], 31)[0]])


def test_a_search_under_refresh_and_build_never_loses_a_listed_value(tmp_path):
    feed = MemoryFeed()
    rng = random.Random(2)
    fixed = [rng.randbytes(32) for _ in range(200)]
    for key, value in enumerate(fixed):
        feed.set(key, value, active=True)
    index = SignalIndex(tmp_path, PDQ, "store")
    index.refresh(feed)
    stop, lost = threading.Event(), []

    def search() -> None:
        while not stop.is_set():
            for key, value in enumerate(fixed):
                if [hit.key for hit in index.search_many([value], 0)[0]] != [key]:
                    lost.append(key)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for round_ in range(25):
        for key in range(1000 + 40 * round_, 1000 + 40 * (round_ + 1)):
            feed.set(key, rng.randbytes(32), active=True)
        if round_ % 3 == 0:
            index.build(feed)
        index.refresh(feed)
    stop.set()
    for thread in threads:
        thread.join()
    assert lost == []
    assert len(index) == 1200


def built_index(directory: Path, count: int = 30_000) -> tuple[MemoryFeed, SignalIndex]:
    feed = MemoryFeed()
    for key, row in enumerate(random_hashes(count, seed=4)):
        feed.set(key, row.tobytes(), active=True)
    index = SignalIndex(directory, PDQ, "store")
    index.build(feed)
    return feed, index


def test_a_torn_segment_is_never_served_and_a_build_mends_it(tmp_path):
    feed, _ = built_index(tmp_path)
    (segment,) = tmp_path.glob("*.segment")
    whole = segment.read_bytes()
    rng = random.Random(6)
    for attempt in range(40):
        torn = bytearray(whole)
        if attempt % 2:
            torn = torn[: rng.randrange(len(torn))]
        else:
            torn[rng.randrange(len(torn))] ^= 1 << rng.randrange(8)
        segment.write_bytes(torn)
        index = SignalIndex(tmp_path, PDQ, "store")
        index.refresh(feed)
        with pytest.raises(NotReadyError):
            index.search_many([feed.value(3)], 0)
    assert index.due()
    index.build(feed)
    index.refresh(feed)
    assert found(index, feed.value(3), 0) == [(3, 0)]


def test_a_process_that_serves_goes_on_with_the_earlier_segment_when_the_new_one_is_torn(tmp_path):
    feed, index = built_index(tmp_path, 500)
    index.refresh(feed)
    feed.set(9000, b"\x0f" * 32, active=True)
    index.build(feed)
    (segment,) = tmp_path.glob("*.segment")
    segment.write_bytes(segment.read_bytes()[:-1])
    index.refresh(feed)
    assert found(index, feed.value(3), 0) == [(3, 0)]
    assert found(index, b"\x0f" * 32, 0) == [(9000, 0)]
    assert index.due()


@pytest.mark.parametrize("manifest", [b"", b"{", b"[]", b'{"store": "store"}', b"\xff\xfe"])
def test_a_manifest_that_cannot_be_read_makes_the_index_not_ready(tmp_path, manifest):
    feed, _ = built_index(tmp_path, 50)
    (tmp_path / "manifest.json").write_bytes(manifest)
    index = SignalIndex(tmp_path, PDQ, "store")
    index.refresh(feed)
    with pytest.raises(NotReadyError):
        index.search_many([bytes(32)], 31)


def test_a_segment_of_another_or_an_older_database_is_refused_until_rebuilt(tmp_path):
    feed, _ = built_index(tmp_path, 50)
    older = MemoryFeed()
    older.set(1, bytes(32), active=True)
    for store, changed_feed in (("another", feed), ("store", older)):
        index = SignalIndex(tmp_path, PDQ, store)
        index.refresh(changed_feed)
        with pytest.raises(NotReadyError, match="another database"):
            index.search_many([bytes(32)], 31)
    index.build(older)
    index.refresh(older)
    assert found(index, bytes(32), 0) == [(1, 0)]


def test_lists_that_were_restored_from_a_backup_and_grew_past_the_segment_are_read_anew(tmp_path):
    """Sequence numbers come again after a restore: a segment that is ahead of the backup must not count as current."""
    feed = MemoryFeed()
    for key in range(50):
        feed.set(key, bytes([key]) * 32, active=True)
    backup = copy.deepcopy(feed)
    for key in range(50, 60):
        feed.set(key, bytes([key]) * 32, active=True)
    serving = SignalIndex(tmp_path, PDQ, "store")
    serving.build(feed)
    serving.refresh(feed)
    for key in range(100, 120):  # other values get the numbers that the lost ones had
        backup.set(key, bytes([key]) * 32, active=True)
    for index in (serving, SignalIndex(tmp_path, PDQ, "store")):
        index.refresh(backup)
        with pytest.raises(NotReadyError):
            index.search_many([bytes([100]) * 32], 0)
        assert index.due()
    serving.build(backup)
    for index in (serving, SignalIndex(tmp_path, PDQ, "store")):
        index.refresh(backup)
        assert all(found(index, bytes([key]) * 32, 0) == [(key, 0)] for key in (*range(50), *range(100, 120)))
        assert found(index, bytes([55]) * 32, 0) == []


def test_a_small_list_that_went_back_is_read_anew(tmp_path):
    feed, index = MemoryFeed(), SignalIndex(tmp_path, PDQ, "store")
    feed.set(1, bytes(32), active=True)
    backup = copy.deepcopy(feed)
    feed.set(2, b"\xff" * 32, active=True)
    index.refresh(feed)
    index.refresh(backup)
    assert index.fault is not None
    index.refresh(backup)
    assert found(index, b"\xff" * 32, 0) == []
    assert found(index, bytes(32), 0) == [(1, 0)]


def test_a_manifest_cannot_name_a_file_elsewhere(tmp_path):
    feed, _ = built_index(tmp_path, 50)
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"file": "../../etc/passwd"}))
    index = SignalIndex(tmp_path, PDQ, "store")
    index.refresh(feed)
    assert index.fault is not None


def test_only_one_process_builds_at_a_time(tmp_path):
    feed, index = built_index(tmp_path, 50)
    import fcntl

    with (tmp_path / "build.lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert index.build(feed) is False
    assert index.build(feed) is True


_BUILD = """
import sys
from tests.support.feeds import FileFeed
from pathlib import Path
from tutela.lists.index.signal_index import SignalIndex
from tutela.content.signals.registry import signal_type
directory = Path(sys.argv[1])
index = SignalIndex(directory / "index", signal_type("pdq"), "store")
feed = FileFeed(directory / "feed.json")
print("ready", flush=True)
while True:
    index.build(feed)
"""


def test_a_build_killed_at_any_moment_leaves_a_whole_index(tmp_path):
    feed = FileFeed(tmp_path / "feed.json")
    rows = random_hashes(3000, seed=8)
    feed.set_many({key: row.tobytes() for key, row in enumerate(rows)})
    rng = random.Random(9)
    process = None
    for _ in range(effort(10, 200)):
        if process is None or process.poll() is not None:
            process = start_python(_BUILD, str(tmp_path), stdout=subprocess.PIPE)
            assert process.stdout is not None
            process.stdout.readline()
        time.sleep(rng.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        index = SignalIndex(tmp_path / "index", PDQ, "store")
        index.refresh(feed)
        key = rng.randrange(3000)
        assert found(index, rows[key].tobytes(), 0) == [(key, 0)]
        assert len(index) == 3000
    index.build(feed)
    assert len(list((tmp_path / "index").glob("*.new"))) == 0
    assert len(list((tmp_path / "index").glob("*.segment"))) == 1


def test_a_segment_that_is_overwritten_while_it_is_mapped_is_not_served(tmp_path):
    """Whoever may write to the file can take values out of it: what was built says what belongs there."""
    with compose_deployment(tmp_path / "home", decoders=1) as deployment:
        deployment.banks.create("known", actor="t")
        entries = [NewEntry("pdq", bytes([number]) * 32) for number in range(50)]
        deployment.banks.add("known", entries, actor="t")
        deployment.refresh()
        assert deployment.indexes.build("pdq")
        index = deployment.indexes.by_signal["pdq"]
        assert index.fault is None
        (file,) = [path for path in index.directory.iterdir() if path.suffix != ".json" and path.stat().st_size > 1000]
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 0xFF
        with file.open("r+b") as opened:
            opened.write(content)
        deployment.indexes.refresh()
        assert "overwritten" in str(index.fault)
        assert any("overwritten" in why for why in deployment.shortcomings())
        content[len(content) // 2] ^= 0xFF
        with file.open("r+b") as opened:
            opened.write(content)
        deployment.indexes.verify()
        assert index.fault is None
