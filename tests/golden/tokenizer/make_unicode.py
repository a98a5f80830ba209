"""Writes worker/model/unicode_newer.inc and worker/model/unicode_unknown.inc: where the tokenizers library knows more of Unicode than
PCRE2 of Debian 12 (10.42, Unicode 14), and where it knows less than utf8proc (2.8).

    python make_unicode.py        a minute; with tokenizers 0.23.3

The library is asked character by character; nothing is taken from a table of Unicode.
"""

import ctypes
import pathlib

from tokenizers import Regex, normalizers, pre_tokenizers

OUT = pathlib.Path(__file__).resolve().parents[3] / "worker/model"
POINTS = [c for c in range(1, 0x110000) if not 0xd800 <= c < 0xe000]
TEXT = "".join(map(chr, POINTS))
CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn".split()
# A character of the category that both have always known, of three and of four bytes.
STANDS_FOR = {"Lo": (0x0904, 0x20000), "So": (0x2600, 0x1f600), "Nd": (0x0966, 0x1d7ce), "Mn": (0x0900, 0x101fd), "Lm": (0x0971, 0x16b40),
              "Po": (0x0964, 0x10100), "Ll": (0x1e01, 0x10428), "Lu": (0x1e00, 0x10400), "Mc": (0x0903, 0x11000), "No": (0x09f4, 0x10107),
              "Cf": (0x200b, 0x110bd), "Sm": (0x2200, 0x1d6c1), "Pd": (0x2010, 0x10ead)}


def pcre2_finds(pattern):
    lib = ctypes.CDLL("libpcre2-8.so.0")
    for name in ("compile", "match_data_create_from_pattern"):
        getattr(lib, f"pcre2_{name}_8").restype = ctypes.c_void_p
    lib.pcre2_get_ovector_pointer_8.restype = ctypes.POINTER(ctypes.c_size_t)
    size, error, place = ctypes.c_size_t, ctypes.c_int(), ctypes.c_size_t()
    subject, pattern = TEXT.encode(), pattern.encode()
    code = ctypes.c_void_p(lib.pcre2_compile_8(pattern, size(len(pattern)), 0x000a0000, ctypes.byref(error), ctypes.byref(place), None))
    lib.pcre2_jit_compile_8(code, 1)
    data = ctypes.c_void_p(lib.pcre2_match_data_create_from_pattern_8(code, None))
    ends, found, at = lib.pcre2_get_ovector_pointer_8(data), set(), 0
    while lib.pcre2_match_8(code, subject, size(len(subject)), size(at), 0x40000000, data, None) > 0:
        found.update(subject[ends[0]:ends[1]].decode())
        at = ends[1]
    return found


def library_finds(pattern):
    return set("".join(p for p, _ in pre_tokenizers.Split(Regex(pattern), "removed", invert=True).pre_tokenize_str(TEXT)))


UTF8PROC, LIBC = ctypes.CDLL("libutf8proc.so.2"), ctypes.CDLL(None)
UTF8PROC.utf8proc_map.restype = ctypes.c_ssize_t


def normalized(text, options):
    out, text = ctypes.c_void_p(), text.encode()
    n = UTF8PROC.utf8proc_map(text, ctypes.c_ssize_t(len(text)), ctypes.byref(out), options)
    done = ctypes.string_at(out, n).decode()
    LIBC.free(out)
    return done


def ranges(entries):
    """[(code point, value)] → [[first, last, value]]"""
    out = []
    for c, value in sorted(entries):
        if out and out[-1][1] == c - 1 and out[-1][2] == value:
            out[-1][1] = c
        else:
            out.append([c, c, value])
    return out


def write(name, comment, entries):
    lines, line = [f"/* {comment} Made by tests/golden/tokenizer/make_unicode.py. */"], ""
    for entry in entries:
        if len(line) + len(entry) + 2 > 120:
            lines.append(line.rstrip())
            line = ""
        line += entry + ", "
    (OUT / name).write_text("\n".join([*lines, line.rstrip()]) + "\n", encoding="utf-8")
    print(name, len(entries), "ranges")


def main():
    here, there = {}, {}
    for category in CATEGORIES:
        here.update(dict.fromkeys(pcre2_finds(f"\\p{{{category}}}+"), category))
        there.update(dict.fromkeys(library_finds(f"\\p{{{category}}}+"), category))
    other = {c for c in TEXT if here[c] != there[c]} | (pcre2_finds(r"\s+") ^ library_finds(r"\s+"))
    newer = [(ord(c), STANDS_FOR[there[c]][len(c.encode()) - 3]) for c in other]
    write("unicode_newer.inc", "Characters as the library's regular expressions see them: first, last, one that counts as they do.",
          [f"{{0x{a:x}, 0x{b:x}, 0x{v:x}}}" for a, b, v in ranges(newer)])
    unknown = {0x11930}  # the second half of U+11938, which the library does not put together
    for form, options in ((normalizers.NFD(), 18), (normalizers.NFC(), 10), (normalizers.NFKD(), 22), (normalizers.NFKC(), 14)):
        for c in TEXT:
            if any(form.normalize_str(t) != normalized(t, options) for t in (c, "a" + c + "\u0334", "a\u0345" + c)):
                unknown.add(ord(c))
    write("unicode_unknown.inc", "Characters that the library's normal forms leave as they are and let nothing pass: first, last.",
          [f"{{0x{a:x}, 0x{b:x}}}" for a, b, _ in ranges([(c, 0) for c in unknown])])


if __name__ == "__main__":
    main()
