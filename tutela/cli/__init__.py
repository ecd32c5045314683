"""The command line face. `main` turns errors into one line and an exit code; the commands are in `commands`.

Exit codes: 0 done and nothing matched; 1 something matched, was held, or needs a look; 2 the input is wrong; 3 our
fault; 130 interrupted.
"""

import os
import sys


def main() -> None:
    """Run `tutela`."""
    from tutela.cli.commands import app
    from tutela.cli.output import complain
    from tutela.errors import InputError, TutelaError

    try:
        app()
    except InputError as error:
        complain(str(error))
        sys.exit(2)
    except TutelaError as error:
        complain(str(error))
        sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has seen enough; keep Python from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
