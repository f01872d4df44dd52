"""A program's first steps as our child: another user, a last wish to the kernel, then the program itself.

Run as a script by `tracing.child`, before anything of the project is imported. A hook between fork and exec
could do the same, but forking a process that has threads may hang in such a hook.

    python -I -S trampoline.py SIGNAL PARENT UID GID PROGRAM [ARGUMENT …]     (UID and GID -1: stay who we are)
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    wanted, parent, uid, gid = (int(word) for word in sys.argv[1:5])
    if sys.platform == "linux":
        # Before the change of user: the other one may not read where Python lies.
        import ctypes

        kernel = ctypes.CDLL(None)
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        os.umask(0o077)
    if sys.platform == "linux":
        # After the change of user, with which the kernel forgets the wish.
        kernel.prctl(PR_SET_PDEATHSIG, wanted)
    if os.getppid() != parent:  # it went before we asked
        sys.exit(1)
    # Python ignores it, and what is ignored stays ignored in the next program.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execv(sys.argv[5], sys.argv[5:])


if __name__ == "__main__":
    main()
