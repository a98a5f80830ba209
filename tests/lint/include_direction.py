"""The direction of dependencies: each room may include only those below it. A wrong edge is named with both files."""

from rules import files, includes

# Room of a file: the longest prefix that fits. Rooms that it may include, besides itself.
ROOMS = {
    "kernels/": set(),
    "worker/base/": set(),
    "worker/http/": {"worker/base/"},
    "worker/observe/": {"worker/base/"},
    "worker/model/": {"worker/base/", "kernels/"},
    "worker/hub/": {"worker/base/", "worker/http/", "worker/model/", "worker/queue/"},  # of the last: ONLY
    "worker/queue/": {"worker/base/", "worker/http/"},
    "worker/": {"worker/base/", "worker/queue/", "worker/observe/"},  # worker.c knows queue.h and handler.h; config.c the base
    "handlers/documents/": {"worker/base/", "worker/http/", "handlers/"},  # of the last two: ONLY
    "handlers/tools/": {"worker/base/", "worker/hub/", "worker/queue/", "worker/model/", "worker/observe/", "worker/", "handlers/",
                        "handlers/documents/"},
    "handlers/": {"worker/base/", "worker/model/", "worker/observe/", "worker/", "handlers/documents/"},
}
# Single files with an edge of their own, and why.
ALSO = {
    "handlers/main.c": {"handlers/tools/"},  # wires everything
}
# handlers/documents/ reads the job's input and nothing else of the room above it, and fetches through the guard only.
ONLY = {"handlers/documents/": {"handlers/": {"handlers/job_input.h", "handlers/characters.h"},
                                 "worker/http/": {"worker/http/download.h"}},
        "worker/hub/": {"worker/queue/": {"worker/queue/backoff.h"}}}

# Libraries: in which rooms or files their headers may stand.
LIBRARIES = {
    "curl/": ("worker/http/",),
    "archive": ("handlers/documents/archive.c", "handlers/documents/package.c", "handlers/results.c"),
    "expat": ("handlers/documents/xml.c",),
    "gumbo": ("handlers/documents/extract_html.c",),
    "gmime/": ("handlers/documents/extract_eml.c",),
    "gsf/": ("handlers/documents/ole.h", "handlers/documents/extract_ole.c", "handlers/documents/extract_msg.c"),
    "uchardet": ("handlers/documents/charset.c",),
    "cjson/": ("worker/base/json.h", "handlers/"),
    "magic.h": ("handlers/documents/extract.c",),
    "seccomp.h": ("handlers/documents/sandbox_layers.c",),
    "openssl/": ("worker/base/",),
    "pcre2.h": ("worker/model/",),
    "utf8proc.h": ("worker/model/", "handlers/characters.c"),
    "cuda": ("kernels/cuda/",),
}
ASKS_VERSIONS = "handlers/version.c"  # includes every library to ask which it is

def room_of(path):
    return max((room for room in ROOMS if path.startswith(room)), key=len, default=None)


def wrong_edges():
    found = []
    for path in files(".c", ".h", ".def", ".cu", ".cuh", ".inc", folders=("kernels", "worker", "handlers")):
        room = room_of(path)
        allowed = ROOMS[room] | {room} | ALSO.get(path, set())
        for quoted, name in includes(path):
            if quoted and "/" in name:
                target = room_of(name)
                only = ONLY.get(room, {}).get(target)
                if target is None or target not in allowed or (only is not None and name not in only):
                    found.append(f"{path} includes {name}: {room} must not know {target or 'that'}")
            elif not quoted and path != ASKS_VERSIONS:
                for library, places in LIBRARIES.items():
                    if name.startswith(library) and not path.startswith(places):
                        found.append(f"{path} includes <{name}>: only {', '.join(places)} may")
    return found


if __name__ == "__main__":
    import sys
    edges = wrong_edges()
    print("\n".join(edges) or "include direction: no wrong edge")
    sys.exit(bool(edges))
