# ruff: noqa: E501 - a rule of style stands in one line
"""Pictures that are made of letters."""

import random

import numpy as np

from tests.support.looked import KNOWN

ACROSS, DOWN = 72, 54
GREY = KNOWN.convert("L")
LIGHT = np.asarray(GREY.resize((ACROSS, DOWN)).convert("1"))
"""The picture in black and white, by fields that are a letter each."""
FROM_DARK = "@%#*+=-:. "
MATCHED = 30
STYLE = "font:8px/5px monospace"
PRE = f'<pre style="{STYLE}">'


def lines(dark: str = "M", light: str = " ") -> list[str]:
    return ["".join(light if field else dark for field in row) for row in LIGHT]


def any_letters(letters: str = "ABCDEHKMNRSWXZ") -> list[str]:
    chosen = random.Random(7)
    return ["".join(" " if field else chosen.choice(letters) for field in row) for row in LIGHT]


def in_shades(across: int = 120, down: int = 54) -> list[str]:
    shades = np.asarray(GREY.resize((across, down))) // 26
    return ["".join(FROM_DARK[shade] for shade in row) for row in shades]


def with_tabs(row: str) -> str:
    """The row, with a tab for the spaces before each eighth letter."""
    eights = [row[at : at + 8] for at in range(0, len(row), 8)]
    return "".join(eight.rstrip() + "\t" if eight.endswith("  ") else eight for eight in eights)


def spaces(row: str) -> str:
    return row.replace(" ", "&nbsp;")


def page(*parts: str, style: str = "") -> bytes:
    return f"<!doctype html><meta charset=utf-8><style>{style}</style><body>{''.join(parts)}".encode()


def each(cell: str) -> str:
    """An element for each dark field, at its place."""
    return "".join(cell.format(x=x * 8, y=y * 8) for y, x in zip(*np.where(~LIGHT), strict=True))


def cells(dark: str, light: str, begin: str = "", end: str = "") -> str:
    return "".join(begin + "".join(light if field else dark for field in row) + end for row in LIGHT)


PAGES: dict[str, bytes] = {
    "lines": b"<!doctype html><pre>" + "\n".join(lines("MM", "  ")).encode() + b"</pre>",
    "small lines": page(PRE, "\n".join(lines())),
    "tiny lines": page('<pre style="font:1px/.7px monospace">', "\n".join(lines())),
    "any letters": page(PRE, "\n".join(any_letters())),
    "other letters": page(PRE, "\n".join(lines("Ж"))),
    "letters and dots": page(PRE, "\n".join(lines("M", "."))),
    "shades": page(PRE, "\n".join(in_shades())),
    "entities": page(PRE, "\n".join(lines("&#77;", "&#32;"))),
    "white on black": page(f'<pre style="background:#000;color:#fff;{STYLE}">', "\n".join(lines(" ", "M"))),
    "under a text": page("<p>words and words and more words " * 300, PRE, "\n".join(lines())),
    "breaks": page(f'<div style="{STYLE}">', "<br>".join(map(spaces, lines()))),
    "a field of a form": page(f'<textarea rows=60 cols=80 style="{STYLE}">', "\n".join(lines())),
    "plain text": b"<!doctype html><body><plaintext>" + "\n".join(lines("MM", "  ")).encode(),
    "inputs": page(*(f'<input size=90 style="{STYLE};border:0;display:block;padding:0;height:6px" value="{row}">' for row in lines())),
    "attributes": page(*(f'<p data-a="{row}">' for row in lines()), style=f"p{{margin:0;white-space:pre;{STYLE}}}p::before{{content:attr(data-a)}}"),
    "a style sheet": page(*(f"<p class=a{y}>" for y in range(DOWN)), style=f"p{{margin:0;white-space:pre;{STYLE}}}" + "".join(f".a{y}::before{{content:'{row}'}}" for y, row in enumerate(lines()))),
    "rows at places": page(*(f'<pre style="position:absolute;margin:0;left:0;top:{y * 6}px;font:bold 8px monospace">{row}</pre>' for y, row in enumerate(lines()))),
    "a table": page("<table cellspacing=0 cellpadding=0>", cells("<td>M", "<td>", "<tr>"), style="td{width:8px;height:8px;font:8px/8px monospace}"),
    "a table without style": b"<!doctype html><table>" + cells("<td>M", "<td>", "<tr>").encode(),
    "floats": page(f"<div style='width:{ACROSS * 8}px'>", cells("<b>M</b>", "<b>&nbsp;</b>"), style="b{float:left;width:8px;height:8px;font:bold 10px/8px sans-serif}"),
    "blocks in lines": page(f"<div style='width:{ACROSS * 8}px;font-size:0'>", cells("<b>M</b>", "<b>&nbsp;</b>"), style="b{display:inline-block;width:8px;height:8px;font:bold 10px/8px sans-serif}"),
    "flexible rows": page(cells("<b>M</b>", "<b></b>", "<div>", "</div>"), style="div{display:flex;height:8px}b{flex:0 0 8px;font:bold 10px/8px monospace}"),
    "letters at places": page(each('<b style="left:{x}px;top:{y}px">M</b>'), style="b{position:absolute;font:bold 12px monospace}"),
    "generated letters": page(each('<i style="left:{x}px;top:{y}px"></i>'), style="i{position:absolute;font:bold 12px monospace}i::before{content:'M'}"),
    "marks of lists": page(each('<li style="left:{x}px;top:{y}px"></li>'), style="li{position:absolute;list-style:square inside;font-size:18px;line-height:8px}"),
    "struck out": page(PRE, "\n".join(lines("<s>M</s>"))),
    "two sizes": page('<pre style="line-height:7px">', "\n".join(lines("<b>M</b>", "<i>.</i>")), style="b{font:bold 12px monospace}i{font:12px monospace}"),
}  # fmt: skip
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="600" height="450" font-family="monospace" '
DRAWINGS: dict[str, str] = {
    "letters": SVG + 'font-size="11">' + each('<text x="{x}" y="{y}">M</text>'),
    "rows": SVG
    + 'font-size="8">'
    + "".join(f'<text xml:space="preserve" y="{8 + y * 6}">{row}</text>' for y, row in enumerate(lines())),
}
TEXTS: dict[str, list[str]] = {
    "one letter": lines(),
    "two of one letter": lines("MM", "  "),
    "any letters": any_letters(),
    "other letters": lines("Ж"),
    "letters and dots": lines("M", "."),
    "wide spaces": lines("M", "\N{NO-BREAK SPACE}"),
    "tabs": [with_tabs(row) for row in lines("MM", "  ")],
    "shades": in_shades(),
    "letters without width": ["\N{ZERO WIDTH SPACE}" * (y % 5) + row for y, row in enumerate(lines())],
}
WORDS = (
    "words and more of them, in a sentence that goes on until it ends somewhere",
    "    return indented(code, with_arguments=1)  # and what is said of it",
    "",
    "| a | table | of | words |",
)
