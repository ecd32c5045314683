"""Pushes a file's packets in real time, `python -m` this module FILE URL FORM: a line for each frame says when its
sending began, on the system's monotonic clock; it stands there before anything can follow from the frame. A process of
its own, since libav keeps Python waiting while it connects."""

import sys
import time

import av
import av.error


def main(path: str, url: str, form: str) -> int:
    """0 when all was sent, 1 when the server refused, 2 when it ended the connection."""
    source = av.open(path)
    template = source.streams.video[0]
    packets = [packet for packet in source.demux(template) if packet.size]
    sent = 0
    try:
        options = {"flvflags": "no_duration_filesize"} if form == "flv" else {}
        with av.open(url, "w", format=form, options=options) as container:
            stream = container.add_stream_from_template(template)
            began = time.monotonic()
            first = float((packets[0].dts or 0) * packets[0].time_base)
            for packet in packets:
                at = float((packet.dts or 0) * packet.time_base) - first
                time.sleep(max(0.0, began + at - time.monotonic()))
                packet.stream = stream
                sys.stdout.write(f"{sent} {time.monotonic():.4f}\n")
                sys.stdout.flush()
                container.mux_one(packet)
                sent += 1
    except (av.error.FFmpegError, OSError):
        sys.stdout.write(f"end {time.monotonic():.4f}\n")
        return 2 if sent else 1
    sys.stdout.write(f"end {time.monotonic():.4f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
