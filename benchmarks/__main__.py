"""`python -m benchmarks [NAME…] [--scale tiny|usual|full]`: print the tables as Markdown."""

import argparse
import importlib
import os
import sys
import time

from benchmarks.report import Scale, machine

NAMES = (
    "pdq_speed",
    "parts",
    "fast_mode",
    "index_speed",
    "http_screening",
    "versions",
    "list_change",
    "import_list",
    "exchange_pull",
    "service_start",
    "held_uploads",
    "import_time",
    "hostile_neighbours",
    "isolation_cost",
    "video_frames",
    "false_matches",
    "video_robustness",
    "video_speed",
    "video_memory",
    "streams",
    "benign_streams",
    "gateways",
    "hostile_bodies",
    "links",
    "words",
    "conversations",
)


def main() -> int:
    """Run the named benchmarks, by default all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument(
        "--scale",
        type=Scale,
        choices=list(Scale),
        default=Scale.USUAL,
        help="tiny: does it run (seconds); usual: minutes; full: the figures of docs/benchmarks.md, up to hours",
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"no benchmark is named {', '.join(sorted(unknown))}")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core each, ours and the peer's alike
    print(machine())
    for name in arguments.names or NAMES:
        started = time.monotonic()
        for table in importlib.import_module(f"benchmarks.{name}").run(arguments.scale):
            print(f"\n{table}", flush=True)
        print(f"\n_{name}: {time.monotonic() - started:.0f} s_", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
