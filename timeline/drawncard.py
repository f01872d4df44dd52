"""A card as a PNG: its shapes drawn with Pillow in fonts of our own, so that every machine draws the same bytes.

`timeline.layout.card` says what stands where. `fonts/` holds Inter with figures of one width and a few shapes of DejaVu
Sans; what neither has (an emoji, a Chinese letter) is drawn as an empty box.
"""

import io
from functools import lru_cache
from itertools import pairwise
from pathlib import Path as File
from unicodedata import category, normalize

from PIL import Image, ImageDraw, ImageFont

from timeline.layout import card as layout
from timeline.layout.card import Box, Card, Path, Shape, Text

FONTS = File(__file__).parent / "fonts"
SCALE = 2  # drawn larger and reduced: lines have no smooth edges otherwise
MISSING = "\u25af"  # ▯
NEVER = "\U0010ffff"  # no font has it
# The light theme of `static/threadline.css`; a picture in a channel has no theme to follow.
TONES = {
    "paper": "#fbfaf8", "sheet": "#ffffff", "sunk": "#f3f1ed", "line-strong": "#cfc9bf", "ink": "#1d1b18",
    "soft": "#5d5850", "faint": "#6d685f", "thread": "#c2321f", "bar": "#7d93cf", "bad": "#b3261e",
    "bad-soft": "#fbe6e3", "stuck": "#8f4c00", "stuck-soft": "#fdf0dc", "ok": "#1f7a4d", "ok-soft": "#e2efe8",
    "open": "#2f5fb3", "open-soft": "#e4ebf6", "off": "#5d5850", "off-soft": "#f3f1ed",
    "tone0": "#dfe7f8", "tone1": "#d6eee2", "tone2": "#fbe9cf", "tone3": "#efe0f3", "tone4": "#d8eef1", "tone5": "#f6dfdb",
}  # fmt: skip


def drawn(card: Card) -> bytes:
    """The picture, 1200 × 630; equal cards give equal bytes."""
    size = (layout.WIDTH * SCALE, layout.HEIGHT * SCALE)
    picture = Image.new("RGB", size, TONES["paper"])
    pen = ImageDraw.Draw(picture)
    for shape in layout.laid_out(card, measure):
        _draw(pen, shape)
    told = io.BytesIO()
    picture.reduce(SCALE).save(told, "PNG", compress_level=6)
    return told.getvalue()


def measure(text: str, size: int, bold: bool) -> float:
    """How wide a text is drawn."""
    return sum(_font(name, size).getlength(run) for name, run in _runs(cleaned(text), bold)) / SCALE


@lru_cache(maxsize=2_048)
def cleaned(text: str) -> str:
    """Text as it is drawn: on one line, without what has no shape, and an empty box for what no font has."""
    flat = " ".join(normalize("NFC", text).split())
    seen = (letter for letter in flat if not category(letter).startswith(("C", "M")))
    return "".join(letter if _covered(letter) else MISSING for letter in seen)


def _covered(letter: str) -> bool:
    return _has("inter-regular", letter) or _has("signs", letter)


@lru_cache(maxsize=4_096)
def _has(name: str, letter: str) -> bool:
    """Whether a font has a shape for it: it draws something else than for what no font has."""
    font = _font(name, 16)
    return letter == " " or bytes(font.getmask(letter)) != bytes(font.getmask(NEVER))


def _runs(text: str, bold: bool) -> list[tuple[str, str]]:
    """The text in pieces of one font each."""
    found: list[tuple[str, str]] = []
    for letter in text:
        name = (
            f"inter-{'bold' if bold else 'regular'}"
            if not _has("signs", letter) or letter in " ?"
            else "signs"
        )
        if found and found[-1][0] == name:
            found[-1] = (name, found[-1][1] + letter)
        else:
            found.append((name, letter))
    return found


@lru_cache(maxsize=64)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    # The basic engine on purpose: the other one depends on what is installed.
    file = FONTS / f"{name}.ttf"
    return ImageFont.truetype(file, size * SCALE, layout_engine=ImageFont.Layout.BASIC)


def _draw(pen: ImageDraw.ImageDraw, shape: Shape) -> None:
    if isinstance(shape, Text):
        _write(pen, shape)
    elif isinstance(shape, Box):
        if shape.width > 0 and shape.height > 0:
            left, top = shape.x * SCALE, shape.y * SCALE
            edges = (left, top, left + shape.width * SCALE - 1, top + shape.height * SCALE - 1)
            pen.rounded_rectangle(edges, shape.radius * SCALE, TONES[shape.tone])
    else:
        _stroke(pen, shape)


def _write(pen: ImageDraw.ImageDraw, told: Text) -> None:
    x = told.x * SCALE
    text = cleaned(told.text)
    if told.anchor != "l":
        x -= measure(text, told.size, told.bold) * SCALE / (2 if told.anchor == "m" else 1)
    for name, run in _runs(text, told.bold):
        font = _font(name, told.size)
        pen.text((x, told.y * SCALE), run, TONES[told.tone], font, anchor="ls")
        x += font.getlength(run)


def _stroke(pen: ImageDraw.ImageDraw, path: Path) -> None:
    points = [(x * SCALE, y * SCALE) for x, y in path.points]
    width = round(path.width * SCALE)
    if not path.dashed:
        pen.line(points, TONES[path.tone], width, joint="curve")
        return
    for (x, y), (to_x, to_y) in pairwise(points):
        length = abs(to_x - x) + abs(to_y - y)  # all of its sides are level or upright
        for start in range(0, int(length), 12 * SCALE):
            end = min(start + 7 * SCALE, length)
            there = [(x + (to_x - x) * at / length, y + (to_y - y) * at / length) for at in (start, end)]
            pen.line(there, TONES[path.tone], width)
