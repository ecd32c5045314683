"""The hashes of a picture that the evaluation has made itself: it is trusted, and decoded in this process."""

from collections.abc import Sequence

from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.content import Mode
from tutela.content.media.limits import Limits
from tutela.content.signals.base import Sample
from tutela.content.signals.pdq import PDQ
from tutela.content.views.view_set import ViewSet


def samples_of(data: bytes, views: ViewSet) -> Sequence[Sample]:
    """The PDQ hashes of an encoded picture that a screening looks up with that set of views."""
    return PDQ.compute(OpenedContent(data, Mode.FAST, Limits(views=views)))
