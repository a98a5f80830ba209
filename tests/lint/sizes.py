"""Files that one can read in one sitting, READMEs that one reads at all."""

from rules import ROOT, files

MAX_LINES = 700
MAX_TEST_LINES = 900                    # a test is a list of cases
MAX_README_LINES = {"README.md": 200}   # the project's own; each folder's has 40
FOLDER_README_LINES = 40
DATA = ("worker/model/word_ranges.inc",)


def too_long():
    found = []
    for path in files(".c", ".h", ".py", ".sh", ".mk", folders=("kernels", "worker", "handlers", "tests", "deploy")):
        lines = (ROOT / path).read_text(encoding="utf-8").count("\n")
        limit = MAX_TEST_LINES if path.startswith("tests/") else MAX_LINES
        if lines > limit and path not in DATA and not path.startswith("tests/demo_model/banks/"):
            found.append(f"{path}: {lines} lines, at most {limit}; split it")
    for path in files("README.md", folders=(".",)):
        lines = (ROOT / path).read_text(encoding="utf-8").count("\n")
        limit = MAX_README_LINES.get(path, FOLDER_README_LINES)
        if lines > limit:
            found.append(f"{path}: {lines} lines, at most {limit}")
    return found


if __name__ == "__main__":
    import sys
    lines = too_long()
    print("\n".join(lines) or "sizes: fine")
    sys.exit(bool(lines))
