"""Makes the files of boxed/, which programs in boxes read: clean scans of page_1.txt and page_2.txt at 200 dots an inch, and documents of
before 2007. Needs Pillow, DejaVu Serif, tesseract and LibreOffice (soffice); run by hand."""

import pathlib
import subprocess

from PIL import Image, ImageDraw, ImageFont

HERE = pathlib.Path(__file__).resolve().parent / "boxed"
FONT = ImageFont.truetype("/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf", 31)
DOTS = (200, 200)


def page(name):
    lines = (HERE / name).read_text(encoding="utf-8").strip("\n").split("\n")
    image = Image.new("L", (1300, 120 + 46 * len(lines)), 255)
    for number, line in enumerate(lines):
        ImageDraw.Draw(image).text((70, 60 + 46 * number), line, font=FONT, fill=0)
    return image


def black_and_white(image):
    return image.point(lambda value: 255 if value > 140 else 0).convert("1")


def office(source, reader, *formats):
    for form in formats:
        subprocess.run(["soffice", "--headless", f"--infilter={reader}", "--convert-to", form, source], cwd=HERE, check=True, timeout=200)


first, second = page("page_1.txt"), page("page_2.txt")
first.point(lambda value: value // 16 * 17).quantize(16).save(HERE / "scan.png", dpi=DOTS, optimize=True)
first.save(HERE / "scan.jpg", quality=60, dpi=DOTS)
first.save(HERE / "scan.webp", quality=60)
both = {"save_all": True, "append_images": [black_and_white(second)]}
black_and_white(first).save(HERE / "scan_two_pages.tiff", compression="group4", dpi=DOTS, **both)
black_and_white(first).save(HERE / "scan.pdf", resolution=200, **both)
Image.new("L", (1300, 400), 255).save(HERE / "blank.png", dpi=DOTS)
office("minutes.html", "HTML (StarWriter)", "doc:MS Word 97", "rtf:Rich Text Format")
office("hidden.html", "HTML (StarWriter)", "pdf")
subprocess.run(["tesseract", "scan.png", "ocr_layer", "pdf"], cwd=HERE, check=True, timeout=200)
office("prices.csv", "CSV:44,34,76", "xls:MS Excel 97")
