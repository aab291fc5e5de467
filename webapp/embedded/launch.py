"""Become another program that ends when the process that started it ends.

Run by file path with the standard library only (`python -I -S launch.py …`): between fork and exec of a process with
threads no Python code is safe, so these steps happen in a small process of their own, which then turns into the
program. The order matters: the kernel clears the death signal when the user changes. From that change on nothing may be
imported any more: the new user may not be able to read this Python's library.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(number: int) -> None:
    """Have the kernel send signal `number` to this process when the thread that started it ends.

    Kept across exec, not inherited by children. A parent that ended before the call is for the caller to notice.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def main(arguments: list[str]) -> None:
    """`PARENT SIGNAL USER GROUP PROGRAM ARGUMENT…`: USER and GROUP are numbers, or `-` for who we are."""
    parent, number, user, group, *command = arguments
    if user != "-":
        os.setgroups([])
        os.setgid(int(group))
        os.setuid(int(user))
    die_with_parent(int(number))
    if os.getppid() != int(parent):
        sys.exit(1)
    for shown in (signal.SIGINT, signal.SIGTERM):  # a shell's background job hands these down as "ignore"
        signal.signal(shown, signal.SIG_DFL)
    try:
        os.execv(command[0], command)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
