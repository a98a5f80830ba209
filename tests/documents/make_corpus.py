"""fixtures/ as seeds for fuzz_extractors: the byte that names the type, then the file. Run after make_fixtures.py."""
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
TYPES = {"html": 0, "eml": 1, "docx": 4, "pptx": 5, "xlsx": 6, "odt": 7, "odp": 7, "ods": 8, "ppt": 3}
for path in sorted((HERE / "fixtures").iterdir()):
    kind = TYPES.get(path.suffix[1:])
    if kind is not None and path.stat().st_size < 20000:
        (HERE.parent / "fuzz" / "corpus" / "extractors" / path.name).write_bytes(bytes([kind]) + path.read_bytes())
