"""Several works at the same moment, each in a thread of its own."""

import threading
from collections.abc import Callable


def at_once(*works: Callable[[], object]) -> None:
    """Run all works in threads of their own that start together; the first error is raised."""
    gate = threading.Barrier(len(works))
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        gate.wait()
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    if errors:
        raise errors[0]
