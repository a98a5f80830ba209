"""Calls that are not made here, and where the few exceptions are."""

import re

from rules import code, files

PRODUCT = ("kernels", "worker", "handlers")
# pattern -> (why, files that may)
CALLS = {
    r"strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof|alloca": ("no bounds, or no errors", ()),
    r"system|popen|execl|execlp|execvp": ("no shell, no search in PATH", ()),
    r"exit|abort|quick_exit": ("only main.c ends the program, by returning", ()),
    r"_exit|_Exit": ("ends without freeing: for threads that do not end", ("handlers/tools/worker.c", "worker/base/log.c",
                                                           "handlers/documents/extract_server.c")),  # a child of a fork
    r"getenv|secure_getenv|setenv|putenv": ("only config.c reads the environment", ("worker/config.c",)),
    r"malloc|calloc|realloc|reallocarray|aligned_alloc|posix_memalign|strdup|strndup|asprintf|vasprintf":
        ("only alloc.c allocates, so that a test can make it fail", ("worker/base/alloc.c", "kernels/cpu/memory.c", "kernels/backend.c")),
    r"free": ("as above; hub_cache.c frees what realpath made", ("worker/base/alloc.c", "kernels/cpu/memory.c", "kernels/backend.c",
                                                                "worker/model/hub_cache.c")),
    r"strerror|localtime|gmtime|ctime|rand|srand|setlocale": ("not for threads, or depends on the machine", ()),
}
# A member of a struct is not the function of that name.
NOT_A_CALL = r"(?<![\w.>])"


def banned():
    found = []
    for path in files(".c", ".h", ".inc", folders=PRODUCT):
        if path.startswith("kernels/examples/"):
            continue  # programs of their own
        for number, line in enumerate(code(path).split("\n"), 1):
            for pattern, (why, places) in CALLS.items():
                for match in re.finditer(rf"{NOT_A_CALL}({pattern})\s*\(", line):
                    if path not in places:
                        found.append(f"{path}:{number}: {match[1]}: {why}")
    return found


if __name__ == "__main__":
    import sys
    lines = banned()
    print("\n".join(lines) or "banned calls: none")
    sys.exit(bool(lines))
