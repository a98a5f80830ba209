"""What the lints share: the tree's files and their #include lines."""

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)


def files(*suffixes, folders=("kernels", "worker", "handlers", "tests")):
    """Paths relative to the root, of files that git knows or would take."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *folders], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout.split("\n")
    return sorted({path for path in listed if path.endswith(suffixes) and (ROOT / path).is_file()})


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def includes(path):
    """(quoted, name) of every #include."""
    return [(mark == '"', name) for mark, name in INCLUDE.findall(text(path))]


def code(path):
    """The text with comments and strings blanked, lines kept."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match[0])
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text(path), flags=re.S)
