"""What of FFmpeg may meet content: an explicit list. What is not on it is held like anything that cannot be decoded.

FFmpeg has four hundred formats, playlists that name other files among them, and some five hundred codecs; most of them
no browser and no phone shows.
"""

DEMUXERS = (
    "aac", "aiff", "amr", "asf", "av1", "avi", "caf", "flac", "flv", "h264", "hevc", "ivf", "m4v", "matroska", "mjpeg",
    "mov", "mp3", "mpeg", "mpegts", "mpegvideo", "obu", "ogg", "wav",
)  # fmt: skip
VIDEO_DECODERS = (
    "av1", "libdav1d", "dnxhd", "ffv1", "flv", "h263", "h264", "hevc", "mjpeg", "mpeg1video", "mpeg2video", "mpeg4",
    "msmpeg4", "msmpeg4v1", "msmpeg4v2", "png", "prores", "qtrle", "rawvideo", "theora", "vc1", "vp6", "vp6a", "vp6f",
    "vp8", "vp9", "libvpx", "libvpx-vp9", "wmv1", "wmv2", "wmv3",
)  # fmt: skip
AUDIO_DECODERS = (
    "aac", "ac3", "adpcm_ima_qt", "adpcm_ima_wav", "adpcm_ms", "alac", "amrnb", "amrwb", "eac3", "flac", "mp1float",
    "mp2float", "mp3", "mp3float", "opus", "libopus", "pcm_alaw", "pcm_f32le", "pcm_mulaw", "pcm_s16be", "pcm_s16le",
    "pcm_s24le", "pcm_s32le", "pcm_u8", "vorbis", "wmav1", "wmav2",
)  # fmt: skip

DECODING = {"codec_whitelist": ",".join((*VIDEO_DECODERS, *AUDIO_DECODERS))}
"""Options of each decoder."""
OPENING = {"format_whitelist": ",".join(DEMUXERS), "protocol_whitelist": "none", **DECODING}
"""Options of each file that is opened: nothing but the bytes that FFmpeg is given can be read."""
