"""Pictures written as text: XPM and XBM."""

import io
from collections.abc import Iterator

from PIL import Image, XbmImagePlugin, XpmImagePlugin

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.parts import InnerFile, Part
from tutela.content.media.content import Content, Shortcoming
from tutela.errors import UnscreenableError

_FORMATS = [XpmImagePlugin.XpmImageFile.format, XbmImagePlugin.XbmImageFile.format]


class Bitmap:
    """The picture as a file that is decoded like any other."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        picture = Image.open(io.BytesIO(bytes(content.data)), formats=_FORMATS)
        if picture.width * picture.height > budget.limits.max_pixels:
            limit = f"{picture.width:,} x {picture.height:,} pixels are over the limit of {budget.limits.max_pixels:,}"
            raise UnscreenableError(Shortcoming.TOO_MANY_PIXELS, limit)
        file = io.BytesIO()
        picture.save(file, "PNG", compress_level=1)
        budget.spend_bytes(file.tell())
        yield InnerFile("picture", file.getvalue())
