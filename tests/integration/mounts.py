#!/usr/bin/python3
"""Runs a command in a world where some files are others: a mount namespace of its own. Exit code 77: not possible here.

    mounts.py OTHER=PLACE ... -- COMMAND ...     (each OTHER is seen at its PLACE, which must be there; both files or both folders)
"""

import ctypes
import os
import sys

NEWNS, NEWUSER, PRIVATE_MOUNTS, BIND = 0x20000, 0x10000000, 0x44000, 0x1000


def enter(pairs):
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(NEWNS) != 0:
        if libc.unshare(NEWUSER | NEWNS) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    if libc.mount(b"none", b"/", None, PRIVATE_MOUNTS, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    for other, place in pairs:
        if libc.mount(other.encode(), place.encode(), None, BIND, None) != 0:
            raise OSError(ctypes.get_errno(), f"mount at {place}")


def main():
    end = sys.argv.index("--")
    try:
        enter([word.rsplit("=", 1) for word in sys.argv[1:end]])
    except OSError as wrong:
        print(f"not possible here: {wrong}", file=sys.stderr)
        return 77
    os.execvp(sys.argv[end + 1], sys.argv[end + 1:])


if __name__ == "__main__":
    sys.exit(main())
