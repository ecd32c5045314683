"""Every check of an installation, from the native core to the gateways; none changes anything."""

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tutela import _native
from tutela.content.media.content import Mode
from tutela.content.media.isolation import WorkerPool
from tutela.content.media.limits import Limits
from tutela.content.media.system_libarchive import load
from tutela.content.signals.registry import signal_types
from tutela.deployment.doctor.conversations import check_conversations
from tutela.deployment.doctor.evidence import check_evidence, check_outbox
from tutela.deployment.doctor.libraries import native_versions, serving_versions
from tutela.deployment.doctor.model import Diagnosis
from tutela.deployment.settings import Settings
from tutela.deployment.store import existing_store
from tutela.errors import InputError, StoreError, TutelaError
from tutela.foundation.options import nearest
from tutela.foundation.store.database import Store
from tutela.lists.banks.service import Banks
from tutela.lists.exchanges import installed as exchanges_installed
from tutela.lists.index.service import Indexes
from tutela.screening.examination import TASK, options, read_examination

if TYPE_CHECKING:
    from tutela.lists.exchanges.service import ExchangeRow

_MIN_FREE_BYTES = 2 * 1024**3


def diagnoses(settings: Settings) -> Iterator[Diagnosis]:
    """Everything that the checks find. Raises nothing for what is wrong: a check that fails is a diagnosis."""
    for name, check in _checks().items():
        try:
            yield from check(settings)
        except (TutelaError, OSError) as error:
            yield Diagnosis("fail", name, str(error))


def _checks() -> Mapping[str, Callable[[Settings], Iterator[Diagnosis]]]:
    """By what stands in place of a check's own words where it fails."""
    return {
        "native core": _native_core,
        "libraries": _libraries,
        "formats": _formats,
        "containers": _containers,
        "isolation": _isolation,
        "home": _home,
        "database": _database,
        "exchanges": _exchanges,
        "evidence": check_evidence,
        "outbox": check_outbox,
        "broker of events": check_conversations,
        "gateways": _gateways,
    }


def _native_core(_: Settings) -> Iterator[Diagnosis]:
    levels = _native.simd_levels()
    used = _native.simd()
    pixels = _ramp()
    answers = set()
    for level in levels:
        _native.select_simd(level)
        answers.add(_native.pdq(pixels))
    _native.select_simd(used)
    agreeing = len(answers) == 1
    yield Diagnosis(
        "ok" if agreeing else "fail",
        "native core",
        f"SIMD level {used}; {', '.join(levels)} agree"
        if agreeing
        else f"levels {', '.join(levels)} disagree: report this",
    )
    yield Diagnosis("ok", "signals", ", ".join(signal_types()))


def _ramp() -> npt.NDArray[np.uint8]:
    rows, columns = np.mgrid[0:96, 0:130]
    pixels: npt.NDArray[np.uint8] = ((rows * columns + 7 * rows) % 251).astype(np.uint8)
    return pixels


def _libraries(_: Settings) -> Iterator[Diagnosis]:
    """The code that meets hostile bytes, by version: what an advisory is compared with."""
    for what, versions in (("native libraries", native_versions()), ("what reads requests", serving_versions())):
        yield Diagnosis("ok", what, ", ".join(f"{name} {number}" for name, number in versions))


def _formats(_: Settings) -> Iterator[Diagnosis]:
    from PIL import features

    missing = [name for name in ("jpg", "webp", "avif", "libtiff", "littlecms2") if not features.check(name)]
    try:
        import pillow_heif  # noqa: F401
    except ImportError:
        missing.append("heic (install tutela[formats])")
    yield Diagnosis(
        "warn" if missing else "ok",
        "picture formats",
        f"held, not decoded: {', '.join(missing)}" if missing else "JPEG PNG GIF WebP BMP TIFF AVIF HEIC",
    )


def _containers(_: Settings) -> Iterator[Diagnosis]:
    unpacked = ["ZIP Office EPUB TAR gzip bzip2 xz OLE e-mail"]
    missing = []
    for kind, module in (("PDF", "pypdfium2"), ("7z", "py7zr"), ("Zstandard", "zstandard")):
        if find_spec(module) is None:
            missing.append(f"{kind} (install tutela[archives])")
        else:
            unpacked.append(kind)
    if load() is None:
        missing.append("RAR CAB ISO (install tutela[archives] and the system's libarchive)")
    else:
        unpacked.append("RAR CAB ISO")
    yield Diagnosis(
        "warn" if missing else "ok",
        "containers",
        f"held, not unpacked: {', '.join(missing)}" if missing else " ".join(unpacked),
    )


def _isolation(settings: Settings) -> Iterator[Diagnosis]:
    with WorkerPool(TASK, size=1, limits=settings.limits) as pool:
        refusals = pool.refusals()
        examination = read_examination(pool.run(b"no picture", options(Mode.FAST, Limits())))
    missing = [f"{name} ({why})" for name, why in refusals.items() if why]
    yield Diagnosis(
        "warn" if missing else "ok",
        "decoder isolation",
        f"missing on this system: {', '.join(missing)}" if missing else ", ".join(refusals),
    )
    held = [reason.code for reason in examination.shortcomings]
    yield Diagnosis("ok" if held else "fail", "fail closed", f"what is no picture is held: {', '.join(held)}")


def _home(settings: Settings) -> Iterator[Diagnosis]:
    home = settings.home
    if not home.exists():
        yield Diagnosis("warn", "home", f"{home} does not exist yet; it is made on first use")
        return
    if not home.is_dir():
        yield Diagnosis("fail", "home", f"{home} is not a folder; name another: tutela --home, or TUTELA_HOME")
        return
    mode = stat.S_IMODE(home.stat().st_mode)
    private = not mode & 0o077
    detail = str(home) if private else f"{home} can be read by others; run: chmod 700 {home}"
    yield Diagnosis("ok" if private else "warn", "home", detail)
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        yield Diagnosis("fail", "home", f"{home} is not this user's to read and write; give it: chown -R USER {home}")
    free = shutil.disk_usage(home).free
    enough = free > _MIN_FREE_BYTES
    yield Diagnosis(
        "ok" if enough else "warn", "free disk", f"{free / 1024**3:.1f} GiB" + ("" if enough else ": little")
    )


def _database(settings: Settings) -> Iterator[Diagnosis]:
    with existing_store(settings) as store:
        if store is not None:
            yield from _lists(settings, store)
        elif settings.home.is_dir() or not settings.home.exists():
            yield Diagnosis("warn", "database", "none yet; it is made on first use")


def _lists(settings: Settings, store: Store) -> Iterator[Diagnosis]:
    banks = Banks(store, settings.home)
    yield Diagnosis("ok", "database", f"{'SQLite' if store.is_sqlite else 'PostgreSQL'}, {len(banks.all())} banks")
    names = [bank.name for bank in banks.all()]
    named = [(name, f"[cases.banks.{name}]") for name in settings.cases.banks]
    named += [(name, "reports.at_match") for name in settings.reports.at_match]
    for name, where in sorted(named):
        if name not in names:
            detail = f"{where}: there is no bank {name!r}{nearest(name, names)}; what is asked for it is never done"
            yield Diagnosis("fail", "banks", detail)
    if not banks.enabled():
        yield Diagnosis("warn", "banks", "no bank is enabled: nothing can match; see tutela bank --help")
    try:
        banks.labels()
    except InputError as error:
        yield Diagnosis("fail", "labels", f"{settings.home / 'labels.toml'}: {error}")
    indexes = Indexes(settings.home / "index", signal_types(), banks, store.identity)
    for name, index in indexes.by_signal.items():
        if index.fault is not None:
            yield Diagnosis("fail", f"index of {name}", f"{index.fault}; run: tutela index build --signal {name}")
        elif len(index):
            lag = f", {index.changed:,} changes not built in" if index.changed else ""
            yield Diagnosis("ok", f"index of {name}", f"{len(index):,} values{lag}")


def _gateways(settings: Settings) -> Iterator[Diagnosis]:
    for name, gateway in settings.named("gateways").items():
        yield Diagnosis("ok", f"gateway {name}", f"{gateway.kind}, profile {gateway.profile}")
        for warning in gateway.warnings():
            yield Diagnosis("warn", f"gateway {name}", warning)


def _exchanges(settings: Settings) -> Iterator[Diagnosis]:
    with contextlib.suppress(StoreError), existing_store(settings) as store:  # a fault was said of the database already
        if store is None:
            return
        if not exchanges_installed():
            yield Diagnosis("warn", "exchanges", "none can be pulled (install tutela[exchanges])")
            return
        from tutela.lists.exchanges.service import Exchanges

        at = datetime.now(UTC)
        for row in Exchanges(Banks(store, settings.home)).all():
            if row.enabled:
                yield _exchange(row, at)


def _exchange(row: "ExchangeRow", at: datetime) -> Diagnosis:
    age_s = row.age_s(at)
    age = f"{age_s / 3600:.1f} h" if age_s >= 3600 else f"{age_s / 60:.0f} min"
    why = f"; {row.failures} pulls failed: {row.error}" if row.failures else ""
    if row.stale(at):
        return Diagnosis("fail", f"exchange {row.name}", f"not pulled for {age}{why}")
    left_out = f", {row.rejected:,} records could not be read" if row.rejected else ""
    since = f"pulled {age} ago" if row.pulled_at else f"not pulled yet, added {age} ago"
    state = "warn" if row.failures or row.rejected else "ok"
    return Diagnosis(state, f"exchange {row.name}", f"{since}, {row.listed:,} entries{left_out}{why}")
