"""Which altered copies of listed videos are found, beside the package `vpdq` with its own thresholds.

A copy counts as found when its own entry matches. False matches are counted over copies of films that nobody listed.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.films import (
    ANIMATED,
    PANNED,
    SHOT_S,
    SHOTS,
    Frames,
    animated,
    encode,
    film,
    film_count,
    join,
    panned,
    shared_films,
)
from benchmarks.peer_vpdq import MISSING, Hashed, hash_files, peer_python
from benchmarks.report import Scale, Table
from benchmarks.video_attacks import ATTACKS
from tutela.content.media.limits import Limits
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.screening.video.listed import entry_of, frames_of

_FILMS = {Scale.TINY: 1, Scale.USUAL: 5, Scale.FULL: 1000}
_ATTACKS = {Scale.TINY: 1, Scale.USUAL: len(ATTACKS), Scale.FULL: len(ATTACKS)}
_FILM_S = {Scale.TINY: SHOT_S, Scale.USUAL: SHOTS * SHOT_S, Scale.FULL: SHOTS * SHOT_S}
_LONG_S = {Scale.TINY: 4, Scale.USUAL: 600, Scale.FULL: 600}
CLIP = "3-second clip in 10 minutes"
COMPILATION = "compilation of 3-second clips of all of them, 20 at most"
_MIN_QUALITY, _DISTANCE, _SHARE = 50, 31, 0.8
"""The package's own thresholds, as ThreatExchange ships them."""


@dataclass(frozen=True)
class Upload:
    """A file to be screened, and the films in it: by number, none for one that nobody listed."""

    row: str
    path: Path
    shows: frozenset[int]


def run(scale: Scale) -> list[Table]:
    """The table."""
    listed, unlisted = _films(scale)
    with tempfile.TemporaryDirectory() as folder:
        originals = [_write(Path(folder), f"original-{i}", encode(frames)) for i, frames in enumerate(listed)]
        uploads = _uploads(Path(folder), listed, unlisted, scale)
        ours = _ours(Path(folder), originals, uploads)
        peers = _peers(originals, uploads) if peer_python() else None
        return [_table(uploads, ours, peers, len(listed), len(unlisted))]


def _films(scale: Scale) -> tuple[list[Frames], list[Frames]]:
    """Those that are listed and those that are not; the last one is the ground of other attacks."""
    made = film_count() - 1
    kept_out = 1 if scale is Scale.TINY else 3
    listed: list[Frames] = [film(i, _FILM_S[scale]) for i in range(min(made - kept_out, _FILMS[scale]))]
    if scale is not Scale.TINY:
        listed += [panned(name) for name in PANNED] + [animated(i) for i in range(ANIMATED)]
        listed += list(shared_films().values())
    return listed, [film(made - 1 - i, _FILM_S[scale]) for i in range(kept_out)]


def _uploads(folder: Path, listed: Sequence[Frames], unlisted: Sequence[Frames], scale: Scale) -> list[Upload]:
    uploads = []
    for attack in ATTACKS[: _ATTACKS[scale]]:
        for i, frames in enumerate([*listed, *unlisted]):
            content = encode(attack.change(frames), attack.bit_rate)
            shows = frozenset({i} if i < len(listed) else ())
            uploads.append(Upload(attack.name, _write(folder, f"{attack.name}-{i}", content), shows))
    usual = [i for i, frames in enumerate(listed) if frames[0].shape == listed[0][0].shape]
    carrier = film(film_count() - 1, _LONG_S[scale] / 2)
    before, after = encode(carrier), encode(carrier[::-1])
    for i in usual:
        content = join([before, encode(_clip(listed[i])), after])
        uploads.append(Upload(CLIP, _write(folder, f"clip-{i}", content), frozenset({i})))
    uploads.append(Upload(CLIP, _write(folder, "clip-none", join([before, after])), frozenset()))
    chosen = usual[:20]
    mixed = join([encode(_clip(listed[i])) for i in chosen])
    uploads.append(Upload(COMPILATION, _write(folder, "compilation", mixed), frozenset(chosen)))
    return uploads


def _clip(frames: Frames) -> Frames:
    """Three seconds from the middle."""
    begin = max(0, len(frames) // 2 - 15)
    return frames[begin : begin + 30]


def _write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / f"{name.replace('/', '-')}.mp4"
    path.write_bytes(content)
    return path


def _ours(folder: Path, originals: Sequence[Path], uploads: Sequence[Upload]) -> list[frozenset[int]]:
    with compose_deployment(folder / "home", decoders=1) as deployment:
        numbers = _list(deployment, originals)
        found = []
        for upload in uploads:
            verdict = deployment.screener.screen(upload.path.read_bytes())
            found.append(frozenset(numbers[match.entry_id] for match in verdict.matches))
        return found


def _list(deployment: Deployment, originals: Sequence[Path]) -> dict[int, int]:
    deployment.banks.create("known", actor="benchmark")
    numbers = {}
    for i, path in enumerate(originals):
        entry = entry_of(frames_of(path.read_bytes(), deployment.pool, Limits()), reference=str(i))
        (entry_id,) = deployment.banks.add("known", [entry], actor="benchmark").entry_ids
        numbers[entry_id] = i
    deployment.refresh()
    return numbers


def _peers(originals: Sequence[Path], uploads: Sequence[Upload]) -> list[tuple[frozenset[int], frozenset[int]]]:
    """With the package's own rule, and with either video as the query."""
    entries = hash_files(originals)
    found = []
    for upload in hash_files([upload.path for upload in uploads]):
        shares = [_shares(upload, entry) for entry in entries]
        own = frozenset(i for i, (of_upload, _) in enumerate(shares) if of_upload >= _SHARE)
        either = frozenset(i for i, both in enumerate(shares) if max(both) >= _SHARE)
        found.append((own, either))
    return found


def _shares(upload: Hashed, entry: Hashed) -> tuple[float, float]:
    """Of both videos' frames of good enough a quality, those that are near one of the other."""
    a, b = (
        np.unpackbits(
            np.frombuffer(b"".join(v for v, quality, _ in one.frames if quality >= _MIN_QUALITY), np.uint8).reshape(
                -1, 32
            ),
            axis=1,
        )
        for one in (upload, entry)
    )
    if not len(a) or not len(b):
        return 0.0, 0.0
    distances = (
        a.sum(axis=1)[:, None].astype(int) + b.sum(axis=1)[None] - 2 * (a.astype(np.float32) @ b.T.astype(np.float32))
    )
    near = distances <= _DISTANCE
    return float(near.any(axis=1).mean()), float(near.any(axis=0).mean())


def _table(
    uploads: Sequence[Upload],
    ours: Sequence[frozenset[int]],
    peers: Sequence[tuple[frozenset[int], frozenset[int]]] | None,
    listed: int,
    unlisted: int,
) -> Table:
    note = (
        f"{listed} listed videos, {unlisted} others. A second figure is of false matches. vpdq: 1 hash a second, 80 %."
    )
    columns = ("copy", "Tutela", "vpdq, its own rule", "vpdq, either as the query")
    table = Table("Altered copies of videos", columns, note if peers else f"{note}\n\n{MISSING}")
    for row in dict.fromkeys(upload.row for upload in uploads):
        rows = [i for i, upload in enumerate(uploads) if upload.row == row]
        shown = [uploads[i].shows for i in rows]
        peer_cells = [_cell(shown, [peers[i][which] for i in rows]) if peers else "" for which in (0, 1)]
        table.add(row, _cell(shown, [ours[i] for i in rows]), *peer_cells)
    return table


def _cell(shown: Sequence[frozenset[int]], found: Sequence[frozenset[int]]) -> str:
    wanted = sum(map(len, shown))
    hits = sum(len(a & b) for a, b in zip(shown, found, strict=True))
    false = sum(len(b - a) for a, b in zip(shown, found, strict=True))
    return f"{hits / max(1, wanted):.0%}" + (f", {false} false" if false else "")
