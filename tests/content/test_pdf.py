"""PDF: whatever a page shows, carries or once showed is looked at, however it is put there."""

import io
import random
import zlib
from collections.abc import Callable

import numpy as np
import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, Stream
from PIL import Image, ImageChops

from tests.support.looked import KNOWN, OTHER, looked
from tests.support.pictures import file_of
from tutela.content.views.view_set import ViewSet

TEXT = (
    b"BT /F 11 Tf 30 800 Td 14 TL "
    + b"(Line of an ordinary article about nothing at all, again and again) Tj T* " * 56
    + b"ET "
)
PLACE = b"q 130 0 0 97 400 120 cm /I Do Q "


class Article:
    """A page of text with something small on it."""

    def __init__(self, text: bytes = TEXT, size: tuple[float, float] = (595, 842)) -> None:
        self.pdf = pikepdf.new()
        self.page = self.pdf.add_blank_page(page_size=size).obj
        self.text = text
        font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
        self.page.Resources = Dictionary(Font=Dictionary(F=font))

    def picture(self, picture: Image.Image = KNOWN, **keys) -> Stream:
        space = {"L": Name.DeviceGray, "RGB": Name.DeviceRGB, "CMYK": Name.DeviceCMYK}[picture.mode]
        fields = {"ColorSpace": space, "BitsPerComponent": 8, "Width": picture.width, "Height": picture.height} | keys
        return Stream(self.pdf, picture.tobytes(), Type=Name.XObject, Subtype=Name.Image, **fields)

    def jpeg(self, picture: Image.Image = KNOWN, **keys) -> Stream:
        stream = self.picture(picture, **keys)
        stream.write(file_of(picture, "JPEG", quality=85), filter=Name.DCTDecode)
        return stream

    def form(self, content: bytes, box: tuple[float, float] = (130, 97), **keys) -> Stream:
        return Stream(
            self.pdf,
            content,
            Type=Name.XObject,
            Subtype=Name.Form,
            BBox=Array([0, 0, *box]),
            Resources=Dictionary(**keys),
        )

    def show(self, content: bytes = PLACE, **pictures) -> bytes:
        self.page.Resources.XObject = Dictionary(**pictures)
        self.page.Contents = Stream(self.pdf, self.text + content)
        return self.saved()

    def annotate(self, **keys) -> bytes:
        note = Dictionary(Type=Name.Annot, Rect=Array([400, 120, 530, 217]), F=4, **keys)
        self.page.Annots = Array([self.pdf.make_indirect(note)])
        self.page.Contents = Stream(self.pdf, self.text)
        return self.saved()

    def saved(self, **options) -> bytes:
        file = io.BytesIO()
        self.pdf.save(file, **options)
        return file.getvalue()

    def file(self, data: bytes, name: str = "k.png") -> Dictionary:
        return pikepdf.AttachedFileSpec(self.pdf, data, filename=name).obj


def mosaic(width: float = 130, height: float = 97, columns: int = 60, rows: int = 45) -> bytes:
    """Commands that draw the known picture in small fields."""
    grey = np.asarray(KNOWN.convert("L").resize((columns, rows), Image.Resampling.BOX))
    x, y = width / columns, height / rows
    return b"\n".join(
        b"%.3f g %.3f %.3f %.3f %.3f re f" % (grey[r, c] / 255, c * x, height - (r + 1) * y, x * 1.02, y * 1.02)
        for r in range(rows)
        for c in range(columns)
    )


def tiles(article: Article, columns: int, rows: int, gap: float = 0.0) -> bytes:
    across, down = KNOWN.width // columns, KNOWN.height // rows
    named, content = {}, []
    for row in range(rows):
        for column in range(columns):
            box = (column * across, row * down, (column + 1) * across, (row + 1) * down)
            named[f"T{row}x{column}"] = article.picture(KNOWN.crop(box))
            x, y = 400 + 130 / columns * column, 217 - 97 / rows * (row + 1)
            size = 130 / columns - gap, 97 / rows - gap
            content.append(b"q %f 0 0 %f %f %f cm /T%dx%d Do Q" % (*size, x, y, row, column))
    order = list(content)
    random.Random(7).shuffle(order)
    return article.show(b"\n".join(order), **named)


def in_group(article: Article) -> bytes:
    """Black, seen through a soft mask of the graphics state whose group draws the picture."""
    group = article.form(b"q 1 0 0 1 -400 -120 cm 1 0 0 1 400 120 cm " + mosaic() + b" Q")
    group["/Group"] = Dictionary(S=Name.Transparency, CS=Name.DeviceGray)
    state = Dictionary(Type=Name.ExtGState, SMask=Dictionary(Type=Name.Mask, S=Name.Luminosity, G=group))
    article.page.Resources.ExtGState = Dictionary(M=state)
    return article.show(b"q 1 0 0 1 400 120 cm /M gs 1 g 0 0 130 97 re f Q")


def pattern(article: Article, content: bytes, **resources) -> bytes:
    article.page.Resources.Pattern = Dictionary(
        P=Stream(
            article.pdf,
            content,
            PatternType=1,
            PaintType=1,
            TilingType=1,
            BBox=Array([0, 0, 130, 97]),
            XStep=130,
            YStep=97,
            Matrix=Array([1, 0, 0, 1, 400, 120]),
            Resources=Dictionary(**resources),
        )
    )
    return article.show(b"/Pattern cs /P scn 400 120 130 97 re f")


def type_three(article: Article, content: bytes, **resources) -> bytes:
    article.page.Resources.Font.T = Dictionary(
        Type=Name.Font,
        Subtype=Name.Type3,
        FontBBox=Array([0, 0, 130, 97]),
        FontMatrix=Array([1, 0, 0, 1, 0, 0]),
        CharProcs=Dictionary(k=Stream(article.pdf, b"130 0 d0 " + content)),
        Encoding=Dictionary(Type=Name.Encoding, Differences=Array([97, Name.k])),
        FirstChar=97,
        LastChar=97,
        Widths=Array([130]),
        Resources=Dictionary(**resources),
    )
    return article.show(b"BT /T 1 Tf 400 120 Td (a) Tj ET")


def in_line(picture: Image.Image = KNOWN) -> bytes:
    small = picture.convert("L").resize((96, 72))
    return b"q 130 0 0 97 0 0 cm BI /W 96 /H 72 /CS /G /BPC 8 /F /AHx ID " + small.tobytes().hex().encode() + b"> EI Q"


def shading(article: Article) -> bytes:
    """A function with a table of colours."""
    small = KNOWN.convert("L").resize((48, 36))
    function = Stream(
        article.pdf,
        small.transpose(Image.Transpose.FLIP_TOP_BOTTOM).tobytes(),
        FunctionType=0,
        Domain=Array([0, 1, 0, 1]),
        Range=Array([0, 1]),
        Size=Array([48, 36]),
        BitsPerSample=8,
    )
    space = Dictionary(
        ShadingType=1, ColorSpace=Name.DeviceGray, Function=function, Matrix=Array([130, 0, 0, 97, 400, 120])
    )
    article.page.Resources.Shading = Dictionary(S=space)
    return article.show(b"q 400 120 130 97 re W n /S sh Q")


def earlier_revision(article: Article) -> bytes:
    """The picture stood in the document until it was replaced."""
    first = article.show(I=article.picture())
    with pikepdf.open(io.BytesIO(first)) as pdf:
        number = pdf.pages[0].obj.Resources.XObject.I.objgen[0]
    small = OTHER.convert("RGB")
    head = b"<< /Subtype /Image /ColorSpace /DeviceRGB /BitsPerComponent 8 /Width %d /Height %d /Length %d >>"
    body = b"%d 0 obj\n" % number + head % (*small.size, len(small.tobytes())) + b"\nstream\n" + small.tobytes()
    start = first.rindex(b"startxref") + 10
    previous = int(first[start : first.index(b"%%EOF", start)])
    at = len(first)
    update = body + b"\nendstream\nendobj\n"
    table = b"xref\n%d 1\n%010d 00000 n \n" % (number, at)
    with pikepdf.open(io.BytesIO(first)) as pdf:
        root = pdf.Root.objgen[0]
    trailer = b"trailer << /Size 99 /Root %d 0 R /Prev %d >>\nstartxref\n%d\n%%%%EOF\n" % (
        root,
        previous,
        at + len(update),
    )
    return first + update + table + trailer


def masked(article: Article) -> bytes:
    mask = article.picture(ImageChops.invert(KNOWN.convert("L")))
    return article.show(I=article.picture(Image.new("L", (8, 8)), SMask=mask))


def stencil(article: Article) -> bytes:
    dots = np.packbits(~np.asarray(KNOWN.convert("1")), axis=1)  # 0 paints
    stream = article.picture(KNOWN.convert("L"), BitsPerComponent=1, ImageMask=True, Decode=Array([1, 0]))
    stream.write(dots.tobytes())
    del stream["/ColorSpace"]
    return article.show(I=stream)


def hidden_layer(article: Article) -> bytes:
    layer = article.pdf.make_indirect(Dictionary(Type=Name.OCG, Name="layer"))
    article.pdf.Root.OCProperties = Dictionary(OCGs=Array([layer]), D=Dictionary(OFF=Array([layer])))
    return article.show(I=article.picture(OC=layer))


def encrypted(article: Article) -> bytes:
    article.show(I=article.picture())
    return article.saved(encryption=pikepdf.Encryption(owner="owner", user=""))


def flat_dct(article: Article) -> bytes:
    stream = article.picture()
    packed = zlib.compress(file_of(KNOWN, "JPEG", quality=85))
    stream.write(packed, filter=Array([Name.FlateDecode, Name.DCTDecode]))
    return article.show(I=stream)


def blended(article: Article) -> bytes:
    """The known picture is what two others differ by."""
    known, other = (np.asarray(picture, float) for picture in (KNOWN, OTHER))
    top = other * (255 - known) / 255
    pictures = [Image.fromarray(values.round().astype(np.uint8)) for values in (known + top, top)]
    article.page.Resources.ExtGState = Dictionary(D=Dictionary(Type=Name.ExtGState, BM=Name.Difference))
    lower, upper = map(article.picture, pictures)
    return article.show(PLACE + b"q /D gs 130 0 0 97 400 120 cm /J Do Q", I=lower, J=upper)


KINDS: dict[str, Callable[[Article], bytes]] = {
    "picture": lambda a: a.show(I=a.picture()),
    "JPEG": lambda a: a.show(I=a.jpeg()),
    "JPEG packed again": flat_dct,
    "inverted by /Decode": lambda a: a.show(I=a.jpeg(ImageChops.invert(KNOWN), Decode=Array([1, 0] * 3))),
    "CMYK": lambda a: a.show(I=a.picture(KNOWN.convert("CMYK"))),
    "soft mask": masked,
    "stencil": stencil,
    "soft mask of the graphics state": in_group,
    "strips": lambda a: tiles(a, 1, 12),
    "tiles": lambda a: tiles(a, 6, 6),
    "tiles a little apart": lambda a: tiles(a, 4, 3, gap=0.4),
    "mosaic of fields": lambda a: a.show(b"q 1 0 0 1 400 120 cm " + mosaic() + b" Q"),
    "mosaic in a form": lambda a: a.show(b"q 1 0 0 1 400 120 cm /I Do Q", I=a.form(mosaic())),
    "picture in a pattern": lambda a: pattern(a, b"q 130 0 0 97 0 0 cm /I Do Q", XObject=Dictionary(I=a.picture())),
    "mosaic in a pattern": lambda a: pattern(a, mosaic()),
    "in line in a pattern": lambda a: pattern(a, in_line()),
    "shading": shading,
    "letter that is a picture": lambda a: type_three(
        a, b"q 130 0 0 97 0 0 cm /I Do Q", XObject=Dictionary(I=a.picture())
    ),
    "letter that is a mosaic": lambda a: type_three(a, mosaic()),
    "letter in line": lambda a: type_three(a, in_line()),
    "in line on the page": lambda a: a.show(b"q 1 0 0 1 400 120 cm " + in_line() + b" Q"),
    "stamp": lambda a: a.annotate(
        Subtype=Name.Stamp,
        AP=Dictionary(N=a.form(b"q 130 0 0 97 0 0 cm /I Do Q", XObject=Dictionary(I=a.picture()))),
    ),
    "mosaic in a stamp": lambda a: a.annotate(Subtype=Name.Stamp, AP=Dictionary(N=a.form(mosaic()))),
    "in line in a stamp": lambda a: a.annotate(Subtype=Name.Stamp, AP=Dictionary(N=a.form(in_line()))),
    "attached to the page": lambda a: a.annotate(Subtype=Name.FileAttachment, FS=a.file(file_of(KNOWN, "PNG"))),
    "film on the page": lambda a: a.annotate(
        Subtype=Name.Screen,
        A=Dictionary(
            S=Name.Rendition,
            OP=0,
            R=Dictionary(S=Name.MR, C=Dictionary(S=Name.MCD, CT="image/gif", D=a.file(file_of(KNOWN, "GIF")))),
        ),
    ),
    "layer that is off": hidden_layer,
    "locked with an empty password": encrypted,
    "earlier revision": earlier_revision,
    "blended": blended,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_picture_on_a_page_of_text_is_looked_at_however_it_is_put_there(kind):
    found, reasons = looked(KINDS[kind](Article()))
    assert found[0][0] <= 24, (found[:3], reasons)
    assert not reasons


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("kind", ["tiles", "mosaic of fields", "stamp"])
def test_pages_that_are_turned_and_of_any_size_are_no_other(kind, turn):
    article = Article(size=(14_400, 14_400) if turn == 90 else (595, 842))
    article.page.Rotate = turn
    found, _ = looked(KINDS[kind](article), ViewSet.STANDARD)
    assert found[0][0] <= 28, found[:3]


def test_an_associated_file_is_looked_at():
    article = Article()
    article.pdf.Root.AF = Array([article.file(file_of(KNOWN, "PNG"))])
    found, _ = looked(article.show(b""))
    assert found[0][0] <= 8
    assert found[0][1] == "k.png"


def test_an_ordinary_document_has_no_reasons():
    article = Article()
    chart = b"".join(b"0.2 0.4 0.8 rg %d 300 20 %d re f " % (60 + 30 * n, 20 + 13 * n) for n in range(12))
    found, reasons = looked(article.show(chart + PLACE, I=article.jpeg(OTHER)), ViewSet.STANDARD)
    assert not reasons
    assert found[0][0] > 40


def test_a_body_in_three_dimensions_is_held():
    article = Article()
    _, reasons = looked(
        article.annotate(Subtype=Name("/3D"), **{"3DD": Stream(article.pdf, b"U3D\0" * 99, Type=Name("/3D"))})
    )
    assert reasons == ["not-rendered"]
