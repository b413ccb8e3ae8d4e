"""Pages as people see them, by headless Chromium: their text, and pictures of them."""

import os
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest
from debian import DEADLINE
from hub import PROJECT
from PIL import Image

PICTURES = PROJECT / "tests/pictures"
CHROMIUM = (
    "chromium",
    "--headless",
    "--no-sandbox",  # as root there is none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-lcd-text",  # grey edges make smaller files, and look the same on every screen
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
)
ENDS = re.compile(r"</(dd|dt|td|th|tr|div|p|li|h\d|pre|summary)>")


def required() -> None:
    """Skip the test where there is no browser; under CI that fails."""
    if not shutil.which(CHROMIUM[0]):
        pytest.skip("pictures need chromium")


def browse(home: Path, page: Path, size: tuple[int, int], *options: str) -> str:
    """What chromium prints of ``page`` in a window of ``size`` (width, height; pixels)."""
    window = f"--window-size={size[0]},{size[1]}"
    words = [*CHROMIUM, window, f"--user-data-dir={home}/chromium", *options, page.as_uri()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def text(dom: str) -> str:
    """The words of a page as the browser has it, one blank between two."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", dom.partition("<body")[2], flags=re.DOTALL)
    # Coloured code is a tag a word: only what ends a line or a cell counts as a gap.
    body = ENDS.sub(" ", body.partition(">")[2])
    return " ".join(unescape(re.sub(r"<[^>]+>", "", body)).split())


def keep(picture: Path) -> None:
    """The README's pictures are taken anew on demand."""
    if os.environ.get("RUNBOOK_PICTURES"):
        PICTURES.mkdir(exist_ok=True)
        shutil.copyfile(picture, PICTURES / picture.name)


def shows_something(picture: Path, width: int, largest: int, share: float) -> None:
    """Raise AssertionError unless it is a PNG of this ``width``, of at most ``largest`` bytes (it
    is kept in git), with more than one colour in more than this ``share`` of its lines."""
    assert picture.stat().st_size < largest
    with Image.open(picture, formats=["PNG"]) as image:
        grey = image.convert("L")
    assert grey.width == width
    lines = [grey.crop((0, y, width, y + 1)).getextrema() for y in range(grey.height)]
    drawn = sum(low != high for low, high in lines)
    assert drawn > grey.height * share, f"{drawn} of {grey.height} lines show something"


def ground(picture: Path) -> tuple[int, ...]:
    """Red, green and blue of the pixel at half height on the left edge."""
    with Image.open(picture) as image:
        pixel = image.convert("RGB").getpixel((0, image.height // 2))
    assert isinstance(pixel, tuple)
    return pixel
