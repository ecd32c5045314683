"""FFmpeg opens what is on a list, and nothing else: no playlist, no other file, no address."""

import io

import av
import numpy as np
import pytest

from tutela.content.media.confined import ffmpeg
from tutela.content.media.confined.video import Video
from tutela.content.media.content import Mode
from tutela.content.media.limits import Limits
from tutela.errors import UnscreenableError


def test_every_name_on_the_lists_is_one_that_ffmpeg_knows():
    known = {name for names in av.formats_available for name in names.split(",")}
    assert set(ffmpeg.DEMUXERS) <= known
    assert {*ffmpeg.VIDEO_DECODERS, *ffmpeg.AUDIO_DECODERS} <= set(av.codecs_available)


@pytest.mark.parametrize(
    "playlist",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>',
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 1 RTP/AVP 96\n",
    ],
)
def test_what_names_other_files_is_not_opened(playlist):
    with pytest.raises(UnscreenableError):
        Video(playlist, Mode.FAST, Limits())


@pytest.mark.parametrize(("form", "codec"), [("nut", "mpeg4"), ("avi", "huffyuv")])
def test_a_format_or_a_codec_that_is_not_on_a_list_is_not_decoded(form, codec):
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuv420p" if codec == "mpeg4" else "rgb24"
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    try:
        video = Video(file.getvalue(), Mode.FAST, Limits())
        frames = list(video.numbered(0.1))
    except (UnscreenableError, av.error.FFmpegError):
        return
    assert not frames
