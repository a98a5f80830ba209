"""The kernels as a library: `make install-lib` puts it where pkg-config finds it, only docket_* is to be seen from outside, and
the example builds through the installed header and computes with every format, shared and static."""

import fcntl
import os
import re
import shlex
import subprocess

import pytest

from support import ROOT

EXAMPLE = ROOT / "kernels" / "examples" / "quantize.c"
FORMATS = ["nf4", "nf4_nested", "fp4", "fp4_nested", "int8", "q8", "q4", "q2", "q1"]
COMPILER = shlex.split(os.environ.get("CC", "cc"))
# A make of its own: not the one that may be running these tests, and the ordinary variant whatever that one builds.
SURROUNDINGS = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "VARIANT", "PREFIX", "DESTDIR", "LIBDIR")}


def run(*command, **variables):
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, timeout=900,
                          env={**SURROUNDINGS, **variables})
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def install(**where):
    # Compiled as the tree has it: with ccache where that is what CC says.
    (ROOT / "build").mkdir(exist_ok=True)
    with open(ROOT / "build" / "library.lock", "w") as lock:    # tests run side by side, and share the build
        fcntl.flock(lock, fcntl.LOCK_EX)
        run("make", "-j2", f"CC={os.environ.get('CC', 'gcc')}", "install-lib", *(f"{k}={v}" for k, v in where.items()))


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prefix")
    install(PREFIX=folder)
    return folder


def check_output(text):
    lines = [line.split() for line in text.splitlines()]
    assert [line[0] for line in lines] == FORMATS
    for line in lines:
        words = " ".join(line)
        weights, vector, batch = (float(re.search(name + r" off by ([0-9.e+-]+)", words).group(1)) for name in ("weights", "vector", "batch"))
        assert 0 < weights < 0.7, words
        limit = 0.02 if line[0] == "int8" else 1e-6     # int8 rounds activations to 127ths of the largest too
        assert vector < limit and batch < limit, words


def test_the_example_builds_and_runs_against_the_installed_library(prefix, tmp_path):
    flags = run("pkg-config", "--cflags", "--libs", "docket-kernels", PKG_CONFIG_PATH=str(prefix / "lib/pkgconfig")).split()
    run(*COMPILER, "-std=c17", "-Wall", "-Wextra", "-Werror", EXAMPLE, *flags, "-lm", "-o", tmp_path / "shared")
    check_output(run(tmp_path / "shared", LD_LIBRARY_PATH=str(prefix / "lib")))
    needed = run("readelf", "-d", tmp_path / "shared")
    assert re.search(r"NEEDED.*\[libdocket_kernels\.so\.\d+\]", needed), needed
    static = [str(prefix / "lib/libdocket_kernels.a") if flag == "-ldocket_kernels" else flag for flag in flags]
    run(*COMPILER, "-std=c17", EXAMPLE, *static, "-lm", "-o", tmp_path / "static")
    assert "libdocket_kernels" not in run("readelf", "-d", tmp_path / "static")
    check_output(run(tmp_path / "static"))


def test_a_staged_installation_names_its_final_place(tmp_path):
    install(PREFIX="/opt/docket", DESTDIR=tmp_path)
    library = tmp_path / "opt/docket/lib"
    page = (library / "pkgconfig/docket-kernels.pc").read_text()
    assert str(tmp_path) not in page and "prefix=/opt/docket\n" in page
    flags = run("pkg-config", "--cflags", "--libs", "docket-kernels", PKG_CONFIG_PATH=str(library / "pkgconfig"),
                PKG_CONFIG_SYSROOT_DIR=str(tmp_path)).split()
    run(*COMPILER, EXAMPLE, *flags, "-lm", "-o", tmp_path / "example")
    check_output(run(tmp_path / "example", LD_LIBRARY_PATH=str(library)))


def test_only_names_of_docket_can_be_seen(prefix):
    library = prefix / "lib"
    shared = run("nm", "-D", "--defined-only", library / "libdocket_kernels.so").split("\n")
    static = run("nm", "-g", "--defined-only", library / "libdocket_kernels.a").split("\n")
    names = [{line.split()[-1] for line in lines if len(line.split()) == 3} for lines in (shared, static)]
    assert names[0] == names[1] and "docket_quantize" in names[0]
    assert all(name.startswith("docket_") for name in names[0]), names[0]
    header = (prefix / "include/docket/kernels.h").read_text()
    assert all(re.search(rf"\b{name}\(", header) for name in names[0])


def test_the_installed_header_stands_alone_in_c_and_cxx(prefix, tmp_path):
    for language, name in (("c", "alone.c"), ("c++", "alone.cc")):
        source = tmp_path / name
        source.write_text("#include <docket/kernels.h>\nint main(void) { return docket_kernels_backend(\"cpu\") == 0; }\n")
        run(*COMPILER, "-x", language, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{prefix}/include", source)
