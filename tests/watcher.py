"""A watcher that only tells and sends, as a process of its own: `python -m tests.watcher CONNINFO CLOCK`.

What kills it is `tests.test_watcher_killed`.
"""

import os
import sys
import threading
from pathlib import Path


def main() -> None:
    conninfo, clock_file = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tracing.settings")
    import django

    django.setup()
    from tracing import clock
    from tracing.watch import channels, loop, sending, telling

    clock.follow(Path(clock_file))
    channels.check("json://hooks.example.com", False)
    print("ready", flush=True)
    post = sending.Sending()
    duties = [loop.Duty("telling", 0.02, telling.work), loop.Duty("sending", 0.02, post.work)]
    loop.run(conninfo, duties, threading.Event())


if __name__ == "__main__":
    main()
