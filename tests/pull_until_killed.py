"""A process that pulls an exchange and says so after each page: `python -m tests.pull_until_killed URL NAME [full]`."""

import sys

from tests.exchange_tools import opened, puller
from tutela.errors import TutelaError


def main() -> int:
    url, name, *options = sys.argv[1:]
    with opened(url) as exchanges:
        try:
            puller(exchanges).pull(
                name, actor="test", full="full" in options, on_page=lambda _: print("page", flush=True)
            )
        except TutelaError as error:
            print(f"failed: {error}", flush=True)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
