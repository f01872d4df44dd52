#!/usr/bin/env python
"""The command line: Threadline's own commands and Django's, with Threadline's settings."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tracing.settings")
    from tracing.commandline import run

    sys.exit(run(sys.argv))


if __name__ == "__main__":
    main()
