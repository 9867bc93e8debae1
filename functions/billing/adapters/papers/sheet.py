"""A sheet of paper: fonts for the scripts that a text has, and text that stays in its place."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import Align, MethodReturnValue, XPos, YPos
from fpdf.fonts import TTFFont

FONTS = Path(__file__).with_name("fonts")

MARGIN = 18.0
WIDTH = 174.0
BOTTOM = 277.0
"""Millimetres from the top of an A4 sheet; the footer stands below."""

INK = (33, 37, 41)
GREY = (108, 117, 125)
RULE = (206, 212, 218)

_FAMILY = "noto"
_SCRIPTS = {
    "NotoSansDevanagari-Regular": ((0x0900, 0x097F), (0x1CD0, 0x1CFF), (0xA8E0, 0xA8FF)),
    "NotoSansArabic-Regular": ((0x0600, 0x06FF), (0x0750, 0x077F), (0x08A0, 0x08FF)),
    "NotoSansHebrew-Regular": ((0x0590, 0x05FF),),
    "NotoSansThai-Regular": ((0x0E00, 0x0E7F),),
    "NotoSansTamil-Regular": ((0x0B80, 0x0BFF),),
    "DroidSansFallback": (
        (0x2E80, 0x31FF),
        (0x3400, 0x4DBF),
        (0x4E00, 0x9FFF),
        (0xAC00, 0xD7A3),
        (0xFF00, 0xFFEF),
    ),
}
"""By the Unicode blocks of their scripts."""

_UNKNOWN = "?"


class Sheet:
    """Pages of A4, in millimetres from the upper left corner.

    Args:
        texts: All that may stand on it: fonts are loaded for the scripts that are there.
        made_at: Stands in the file instead of the time of printing.
    """

    def __init__(self, title: str, texts: Iterable[str], made_at: datetime) -> None:
        self._pdf = FPDF(format="A4", unit="mm")
        self._pdf.set_auto_page_break(False)
        # Otherwise "{nb}" in somebody's name would be a number of pages.
        self._pdf.alias_nb_pages("")
        self._pdf.set_creation_date(made_at)
        self._pdf.set_title(title)
        self._pdf.set_producer("Talktime")
        self._pdf.set_margin(0)
        self._pdf.c_margin = 0
        self._pdf.add_font(_FAMILY, "", FONTS / "NotoSans-Regular.ttf")
        self._pdf.add_font(_FAMILY, "B", FONTS / "NotoSans-Bold.ttf")
        others = _fonts("".join(texts))
        for name in others:
            self._pdf.add_font(name, "", FONTS / f"{name}.ttf")
        self._pdf.set_fallback_fonts(others, exact_match=False)
        self._pdf.set_text_shaping(True)
        fonts = [font for font in self._pdf.fonts.values() if isinstance(font, TTFFont)]
        regular, bold, *rest = (set(font.cmap) for font in fonts)
        self._known = (regular & bold).union(*rest)

    def can_show(self, text: str) -> bool:
        """Whether there is a glyph for every character."""
        return all(ord(one) in self._known for one in text)

    def page(self) -> None:
        """Begin a page."""
        self._pdf.add_page()

    def lines(self, text: str, width: float, size: float, *, bold: bool = False) -> list[str]:
        """How a text is broken; what is too long for a line is broken anywhere."""
        self._font(size, bold)
        found = self._pdf.multi_cell(
            width, text=self._shown(text), dry_run=True, output=MethodReturnValue.LINES
        )
        assert isinstance(found, list), "it was asked for lines"
        return found

    def text(
        self,
        x: float,
        y: float,
        width: float,
        text: str,
        size: float = 9,
        *,
        bold: bool = False,
        right: bool = False,
        colour: tuple[int, int, int] = INK,
    ) -> float:
        """Write a text below ``y``, broken to the width.

        Returns:
            Where the next one begins.
        """
        if not text:
            return y
        self._font(size, bold)
        self._pdf.set_text_color(*colour)
        self._pdf.set_xy(x, y)
        self._pdf.multi_cell(
            width,
            height(size),
            self._shown(text),
            align=Align.R if right else Align.L,
            new_x=XPos.LMARGIN,
            new_y=YPos.NEXT,
        )
        return self._pdf.get_y()

    def rule(self, y: float, x: float = MARGIN, width: float = WIDTH) -> None:
        """A thin line across."""
        self._pdf.set_draw_color(*RULE)
        self._pdf.set_line_width(0.25)
        self._pdf.line(x, y, x + width, y)

    def stamp(self, right: float, y: float, text: str, colour: tuple[int, int, int]) -> None:
        """A word in a frame that ends at ``right``."""
        self._font(10, bold=True)
        shown = self._shown(text)
        width = self._pdf.get_string_width(shown) + 8
        self._pdf.set_draw_color(*colour)
        self._pdf.set_line_width(0.5)
        self._pdf.rect(right - width, y, width, 8, round_corners=True, corner_radius=1.5)
        self.text(right - width + 4, y + 1.75, width, text, 10, bold=True, colour=colour)

    def content(self) -> bytes:
        """The file."""
        return bytes(self._pdf.output())

    def _font(self, size: float, bold: bool = False) -> None:
        # A font that is set already is not written again, even where a fallback has left another
        # size behind (fpdf2 2.8.9).
        self._pdf.set_font(_FAMILY, "B" if bold else "", size + 1)
        self._pdf.set_font(_FAMILY, "B" if bold else "", size)

    def _shown(self, text: str) -> str:
        return "".join(one if ord(one) in self._known else _UNKNOWN for one in text)


def height(size: float) -> float:
    """Of a line of text of so many points."""
    return size * 0.45


def _fonts(text: str) -> list[str]:
    """Which fonts a text needs beside the one that everything is written in."""
    points = {ord(one) for one in text}
    return [
        name
        for name, blocks in _SCRIPTS.items()
        if any(first <= point <= last for point in points for first, last in blocks)
    ]
