"""Hostile documents, made from nothing when a test wants them. Each function returns the bytes of one file."""

import bz2
import gzip
import io
import lzma
import pathlib
import random
import struct
import tarfile
import warnings
import zipfile
import zlib

GOOD = b"Please transfer 412.20 EUR within 30 days. Item: 4 office chairs, unit price 103.05 EUR."


def text(content, times=1, encoding="utf-8"):
    return (content * times).encode(encoding)


def boxed(name):
    """A file that a real program made, of tests/documents/boxed."""
    return (pathlib.Path(__file__).resolve().parents[1] / "documents" / "boxed" / name).read_bytes()


def raw(hex="", before=0, after=0):
    return b"\0" * before + bytes.fromhex(hex) + b"\0" * after


def zipped(members, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def zip_of_names(names):
    return zipped([(name, GOOD) for name in names])


def zip_with_raw_name(hex, says_utf8):
    """One member, whose name is these bytes, with or without the flag that says that they are UTF-8."""
    name = bytes.fromhex(hex)
    data = bytearray(zipped([("x" * len(name), GOOD)], zipfile.ZIP_STORED).replace(b"x" * len(name), name))
    if says_utf8:
        data[7] |= 8
        data[data.index(b"PK\1\2") + 9] |= 8
    return bytes(data)


def tar_with_raw_name(hex):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT, encoding="latin-1") as archive:
        entry = tarfile.TarInfo(bytes.fromhex(hex).decode("latin-1"))
        entry.size = len(GOOD)
        archive.addfile(entry, io.BytesIO(GOOD))
    return out.getvalue()


def zip_of_many(count):
    return zipped([(f"{number}", b"") for number in range(count)])


def zip_nested(depth):
    inner = zipped([("a.txt", GOOD)])
    for _ in range(depth - 1):
        inner = zipped([("z.zip", inner)])
    return inner


def gzip_nested(depth):
    inner = GOOD
    for _ in range(depth):
        inner = gzip.compress(inner)
    return inner


def mixed_nested():
    """tar.xz in tar.bz2 in tar.gz in zip in zip."""
    def tar(name, content, pack):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        return pack(out.getvalue())
    inner = tar("c.tar.xz", tar("a.txt", GOOD, lzma.compress), bz2.compress)
    return zipped([("z.zip", zipped([("b.tgz", tar("b.tar.bz2", inner, gzip.compress))]))])


def zip_bomb(megabytes):
    return zipped([("first.txt", GOOD), ("bomb.txt", b"a" * (megabytes << 20)), ("last.txt", GOOD)])


def gzip_bomb(megabytes):
    return gzip.compress(b"a" * (megabytes << 20))


def zip_of_bombs(count, megabytes):
    inner = zipped([("a.txt", b"a" * (megabytes << 20))])
    return zipped([(f"{number}.zip", inner) for number in range(count)], zipfile.ZIP_STORED)


def zip_overlapping(count, megabytes):
    """Entries of the directory that all point to the same data."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = b"a" * (megabytes << 20)
    packed = packer.compress(content) + packer.flush()
    sums = struct.pack("<III", zlib.crc32(content), len(packed), len(content))
    out = struct.pack("<4sHHHHH", b"PK\3\4", 20, 0, 8, 0, 0) + sums + struct.pack("<HH", 5, 0) + b"a.txt" + packed
    directory = b""
    for number in range(count):
        name = f"{number:05}".encode()
        directory += struct.pack("<4sHHHHHH", b"PK\1\2", 20, 20, 0, 8, 0, 0) + sums
        directory += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    return out + directory + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, len(directory), len(out), 0)


def _bits(*fields):
    """Deflate's bit order: values lowest bit first; codes (given as strings) as they are written."""
    out = "".join(field if isinstance(field, str) else f"{field[0]:0{field[1]}b}"[::-1] if field[1] else "" for field in fields)
    out += "0" * (-len(out) % 8)
    return bytes(int(out[at:at + 8][::-1], 2) for at in range(0, len(out), 8))


def _fix_point(make):
    """The 32 bits x with crc32(make(x)) == x; a CRC is linear in them, so it is one system of equations."""
    base = zlib.crc32(make(0))
    rows = []  # of (crc(x) + x + base = 0): columns are the bits of x
    columns = [zlib.crc32(make(1 << bit)) ^ base ^ (1 << bit) for bit in range(32)]
    for row in range(32):
        rows.append(sum((columns[bit] >> row & 1) << bit for bit in range(32)) | (base >> row & 1) << 32)
    pivots = []
    for bit in range(32):
        at = next((row for row in range(len(pivots), 32) if rows[row] >> bit & 1), None)
        if at is None:
            continue
        rows[len(pivots)], rows[at] = rows[at], rows[len(pivots)]
        for row in range(32):
            if row != len(pivots) and rows[row] >> bit & 1:
                rows[row] ^= rows[len(pivots)]
        pivots.append(bit)
    assert not any(row == 1 << 32 for row in rows), "no such number"
    return sum((rows[number] >> 32) << bit for number, bit in enumerate(pivots))


def zip_quine():
    """A zip whose only member is the same zip, byte for byte. Programs of two orders, L(n): n bytes follow, and R(n): the last n bytes
    once more; each order takes five bytes, so that the program can print its own orders (R. Cox: Zip files all the way down)."""
    def literal(*parts):
        content = b"".join(parts)
        return order(len(content)) + content

    def order(length):
        return struct.pack("<BHH", 0, length, length ^ 0xffff)

    end_of_block, nothing = "0000000", ((0, 1), (1, 2), "0000000")
    again_20 = _bits((0, 1), (1, 2), "0001000", "01000", (3, 3), "0001000", "01000", (3, 3), end_of_block)         # twice 10, 20 back
    again_65 = _bits((0, 1), (1, 2), "0010100", (6, 3), "01100", (0, 5), end_of_block, *nothing)                   # 65, 65 back
    again_102 = _bits((1, 1), (1, 2), "0010111", (3, 4), "01101", (5, 5), end_of_block)                            # 102, 102 back; the last
    assert (len(again_20), len(again_65), len(again_102)) == (5, 5, 4)
    name, none = b"this-very-archive-itself-x.zip", order(0)
    assert len(name) == 30

    def make(crc, packed=0, whole=0):
        sizes = struct.pack("<III", crc, packed, whole)
        head = b"PK\3\4" + struct.pack("<HHHHH", 20, 0, 8, 0, 33) + sizes + struct.pack("<HH", 30, 0) + name
        start = 60 + len(body(head, b"-" * 98))
        tail = (b"PK\1\2" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 33) + sizes + struct.pack("<HHHHHII", 30, 0, 0, 0, 0, 0, 0) + name
                + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, 76, start, 0))
        return head + body(head, tail) + tail

    def body(head, tail):
        four = order(20)
        return (literal(head, order(65)) + again_65 + literal(again_65) + literal(order(5)) + literal(again_65, order(5), order(5), four) + again_20
                + literal(again_20, four, again_20, four) + again_20 + literal(again_20, none, none, order(102)) + again_20 + none + none
                + literal(again_102, tail) + again_102)

    whole = len(make(0))
    packed = whole - 60 - 98
    return make(_fix_point(lambda crc: make(crc, packed, whole)), packed, whole)


def zip_patched(at, value, everywhere=b"PK\1\2", shift=0):
    """A sound zip with bytes changed in its directory, and at the same field of the headers in front."""
    data = bytearray(zipped([("a.txt", GOOD), ("b.txt", GOOD)]))
    for magic, offset in ((everywhere, at), (b"PK\3\4", at - 2 + shift)):
        start = data.find(magic)
        while start >= 0:
            data[start + offset:start + offset + len(bytes.fromhex(value))] = bytes.fromhex(value)
            start = data.find(magic, start + 4)
    return bytes(data)


def zip_encrypted():
    return zip_patched(8, "01")


def zip_wrong_sum():
    return zip_patched(16, "00000000")


def zip_with_comment():
    return zipped([("a.txt", GOOD)])[:-2] + b"\xff\xff" + b"c" * 65535


def zip_behind_a_program():
    return b"MZ" + b"\0" * 2000 + zipped([("a.txt", GOOD)])


def zip_cut(share):
    data = zipped([("a.txt", GOOD), ("b.txt", bytes(random.Random(1).randbytes(5000)).hex())])
    return data[:int(len(data) * share)]


def tar_of_kinds():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind in (("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("pipe", tarfile.FIFOTYPE),
                           ("device", tarfile.CHRTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
        entry = tarfile.TarInfo("a.txt")
        entry.size = len(GOOD)
        archive.addfile(entry, io.BytesIO(GOOD))
    return out.getvalue()


def pdf(pages=("text",), extra="", catalog="", kids=None, streams=None):
    """A small file with these pages; `extra` goes into the trailer, `catalog` into the catalog."""
    count = len(pages)
    kids = kids or " ".join(f"{4 + 2 * number} 0 R" for number in range(count))
    objects = [f"<< /Type /Catalog /Pages 2 0 R {catalog} >>".encode(),
               f"<< /Type /Pages /Kids [{kids}] /Count {count} >>".encode(),
               b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    for number, words in enumerate(pages):
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R "
                       "/Resources << /Font << /F1 3 0 R >> >> >>".encode())
        head, body = streams if streams else ("", f"BT /F1 12 Tf 72 720 Td ({words}) Tj ET".encode())
        objects.append(f"<< /Length {len(body)} {head} >>\nstream\n".encode() + body + b"\nendstream")
    return _pdf_file(objects, extra)


def _pdf_file(objects, extra):
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects):
        places.append(len(out))
        out += f"{number + 1} 0 obj\n".encode() + content + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    return out + f"trailer << /Size {len(objects) + 1} /Root 1 0 R {extra} >>\nstartxref\n{start}\n%%EOF\n".encode()


def pdf_without_letters(words):
    """Words that are to be seen, in a font that does not say which letters its glyphs are: each glyph is a drawing of another font's."""
    letters = sorted(set(words) - {" "})
    codes = {letter: 1 + number for number, letter in enumerate(letters)}
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
               b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
               b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R /Resources << /Font << /F2 6 0 R >> >> >>"]
    lines = [words[at:at + 40] for at in range(0, len(words), 40)]
    shown = " ".join("<" + "".join(f"{codes.get(letter, 0):02x}" for letter in line) + "> Tj 0 -24 Td" for line in lines)
    page = f"BT /F2 16 Tf 40 700 Td {shown} ET".encode()
    objects.append(f"<< /Length {len(page)} >>\nstream\n".encode() + page + b"\nendstream")
    names = ["drawing", *(f"drawing{number}" for number in range(len(letters)))]
    drawings = " ".join(f"/{name} {7 + number} 0 R" for number, name in enumerate(names))
    widths = " ".join(["600"] * len(names))
    objects.append((f"<< /Type /Font /Subtype /Type3 /FontBBox [0 -300 1000 1000] /FontMatrix [0.001 0 0 0.001 0 0] /FirstChar 0 "
                    f"/LastChar {len(letters)} /Widths [{widths}] /CharProcs << {drawings} >> /Resources << /Font << /F1 3 0 R >> >> "
                    f"/Encoding << /Type /Encoding /Differences [0 {' '.join('/' + name for name in names)}] >> >>").encode())
    for letter in ["", *letters]:
        drawing = b"600 0 d0" + (f" BT /F1 1000 Tf ({letter}) Tj ET".encode() if letter else b"")
        objects.append(f"<< /Length {len(drawing)} >>\nstream\n".encode() + drawing + b"\nendstream")
    return _pdf_file(objects, "")


def pdf_with(content):
    """A page that shows "Visible." and does what `content` says."""
    return pdf(streams=("", f"BT /F1 12 Tf 72 720 Td (Visible.) Tj ET {content}".encode()))


def pdf_of_pages(count):
    return pdf([f"page {number}" for number in range(count)])


def pdf_page_tree_loop():
    return pdf(kids="2 0 R")


def pdf_previous_is_itself():
    first = pdf()
    return pdf(extra=f"/Prev {first.rfind(b'xref', 0, first.rfind(b'startxref'))}")


def pdf_outline_loop():
    """A table of contents whose one entry is its own next and its own child."""
    return _pdf_file([b"<< /Type /Catalog /Pages 2 0 R /Outlines 6 0 R /PageMode /UseOutlines >>", b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
                      b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
                      b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R /Resources << /Font << /F1 3 0 R >> >> >>",
                      b"<< /Length 37 >>\nstream\nBT /F1 12 Tf 72 720 Td (text) Tj ET    \nendstream",
                      b"<< /Type /Outlines /First 7 0 R /Last 7 0 R /Count 1 >>",
                      b"<< /Title (a) /Parent 6 0 R /Next 7 0 R /Prev 7 0 R /First 7 0 R /Last 7 0 R /Count 1 >>"], "")


def pdf_object_stream_loop(inside):
    """Catalog and pages lie in an object stream that extends itself or, inside, is said to lie in itself."""
    parts = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
             b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 "
             b"/BaseFont /Helvetica >> >> >> >>"]
    heads = " ".join(f"{number + 1} {sum(len(part) + 1 for part in parts[:number])}" for number in range(3)).encode() + b" "
    body = heads + b" ".join(parts)
    content = b"BT /F1 12 Tf 72 720 Td (text) Tj ET"
    out, places = b"%PDF-1.5\n", {}
    for number, made in ((4, b"<< /Length %d >>" % len(content)), (5, b"<< /Type /ObjStm /N 3 /First %d /Extends 5 0 R /Length %d >>" % (len(heads), len(body)))):
        places[number] = len(out)
        out += b"%d 0 obj\n" % number + made + b"\nstream\n" + (content if number == 4 else body) + b"\nendstream\nendobj\n"
    places[6] = len(out)
    rows = [(0, 0, 255), (2, 5, 0), (2, 5, 1), (2, 5, 2), (1, places[4], 0), (2, 5, 0) if inside else (1, places[5], 0), (1, places[6], 0)]
    table = b"".join(bytes([kind]) + place.to_bytes(4, "big") + bytes([last]) for kind, place, last in rows)
    out += b"6 0 obj\n<< /Type /XRef /Size 7 /W [1 4 1] /Root 1 0 R /Length %d >>\nstream\n" % len(table) + table + b"\nendstream\nendobj\n"
    return out + b"startxref\n%d\n%%%%EOF\n" % places[6]


def pdf_of_fonts(count):
    fonts = " ".join(f"/F{number} 3 0 R" for number in range(1, count + 1))
    return pdf().replace(b"/F1 3 0 R", fonts.encode(), 1)


def pdf_encrypted(handler="Standard", version=1):
    key = "00" * 32
    return pdf(extra=f"/ID [<00><00>] /Encrypt << /Filter /{handler} /V {version} /R 2 /O <{key}> /U <{key}> /P -4 >>")


def pdf_filter_chain(times, megabytes):
    body = b"\0" * (megabytes << 20)
    for _ in range(times):
        body = zlib.compress(body, 9)
    return pdf(streams=(f"/Filter [{' /FlateDecode' * times}]", body))


def pdf_with_actions():
    return pdf(catalog="/OpenAction << /S /Launch /F (/bin/sh) >> /AA << /O << /S /JavaScript /JS (app.alert\\(1\\)) >> >>")


def pdf_with_form_and_files():
    """An XFA form with an entity that names a file of the machine, an attached program, and a link."""
    form = "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><x>&e;</x>"
    return pdf(catalog=f"/AcroForm << /Fields [] /XFA ({form}) >> /Names << /EmbeddedFiles << /Names [(a.exe) << /Type /Filespec /F (a.exe) "
                       "/EF << /F 3 0 R >> >>] >> >> /URI << /Base (http://127.0.0.1:9/) >>")


def pdf_with_picture(packing, hex):
    """A page that shows one picture, packed by a codec of its own, with these bytes."""
    body, content = bytes.fromhex(hex), b"q 500 0 0 500 50 100 cm /I Do Q"
    return _pdf_file([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
                      b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /XObject << /I 5 0 R >> >> >>",
                      f"<< /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream",
                      f"<< /Type /XObject /Subtype /Image /Width 6000 /Height 6000 /ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /{packing} "
                      f"/Length {len(body)} >>\nstream\n".encode() + body + b"\nendstream"], "")


def pdf_behind_rubbish(count):
    return b"\0" * count + pdf()


def pdf_and_zip():
    return pdf() + zipped([("a.txt", GOOD)])


def pdf_damaged(seed, changes):
    data, chance = bytearray(pdf([f"page {number}" for number in range(3)])), random.Random(seed)
    for _ in range(changes):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def pdf_cut(share):
    data = pdf()
    return data[:int(len(data) * share)]


def png(width, height, color=0, depth=8, data=b""):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def png_noise(side):
    dots = random.Random(3)
    return png(side, side, data=b"".join(b"\0" + dots.randbytes(side) for _ in range(side)))


def svg_that_fetches():
    return (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
            b'<image xlink:href="http://127.0.0.1:9/a.png"/><text>Invoice 4711</text></svg>\n')


def postscript(preview=False):
    """A program that reads a file of the machine; a preview's header goes before it in EPS files of DOS."""
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file 999 string readstring pop show\nshowpage\n"
    return (b"\xc5\xd0\xd3\xc6" + struct.pack("<II", 30, len(program)) + bytes(18) if preview else b"") + program


def png_one_color(side, value):
    return png(side, side, data=(b"\0" + bytes([value]) * side) * side)


def png_cut(share):
    whole = png_noise(64)
    return whole[:int(len(whole) * share)]


def jpeg_header(width, height):
    return bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffc0001108") + struct.pack(">HH", height, width) + bytes(64)


def tiff(pages=1, width=8, height=8, loop=False):
    size = 2 + 2 * 12 + 4
    out = struct.pack("<2sHI", b"II", 42, 8)
    for number in range(pages):
        after = 8 + (number + 1) * size if number + 1 < pages else 8 if loop else 0
        out += struct.pack("<H", 2) + struct.pack("<HHII", 256, 4, 1, width) + struct.pack("<HHII", 257, 4, 1, height) + struct.pack("<I", after)
    return out


def webp_frames(count):
    body = b"WEBPVP8X" + struct.pack("<IB3s", 10, 2, bytes(3)) + struct.pack("<I", 7)[:3] + struct.pack("<I", 7)[:3]
    body += (b"ANMF" + struct.pack("<I", 16) + bytes(16)) * count
    return b"RIFF" + struct.pack("<I", len(body)) + body


def pdf_of_one_size(width, height):
    return pdf(("",)).replace(b"/MediaBox [0 0 612 792]", f"/MediaBox [0 0 {width} {height}]".encode())


def docx(types="[Content_Types].xml", parts=("word/document.xml",), targets=()):
    """One paragraph in each part; relationships that lead to the targets."""
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    links = "".join(f'<Relationship Id="r{number}" Type="{kind}/{what}" Target="{target}"{mode}/>' for number, (what, target, mode) in
                    enumerate((what, target, mode) for target in targets for what in ("image", "header", "hyperlink", "attachedTemplate", "footnotes")
                              for mode in ("", ' TargetMode="External"')))
    members = [(types, "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'/>")] if types else []
    members += [("_rels/.rels", f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="d" '
                 f'Type="{kind}/officeDocument" Target="word/document.xml"/></Relationships>')]
    members += [(part, f'<w:document xmlns:w="{word}"><w:body><w:p><w:r><w:t>A sentence that can be read.</w:t></w:r></w:p></w:body></w:document>')
                for part in parts]
    if links:
        members.append(("word/_rels/document.xml.rels",
                        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{links}</Relationships>'))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                                     # of names that come twice
        return zipped(members)


def rtf_nested(depth):
    return b"{\\rtf1 " + b"{" * depth + b"x" + b"}" * depth + b"}"


def rtf_with_bin():
    return b"{\\rtf1 before {\\pict\\bin99999999 \x01\x02} after}"


def ole_cut():
    return bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600)
