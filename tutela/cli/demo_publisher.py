"""Pushes the demonstration's film in real time, `python -m` this module FILE URL; says when its listed part went."""

import json
import sys
import time

LISTED_S = 5.0


def main(path: str, url: str) -> None:
    """Push until the end, or until the server ends the connection."""
    import av
    import av.error

    said: dict[str, float] = {}
    source = av.open(path)
    template = source.streams.video[0]
    try:
        with av.open(url, "w", format="flv") as container:
            stream = container.add_stream_from_template(template)
            began = time.monotonic()
            for packet in source.demux(template):
                if packet.dts is None:
                    continue
                at = float(packet.dts * packet.time_base)
                time.sleep(max(0.0, began + at - time.monotonic()))
                packet.stream = stream
                container.mux_one(packet)
                if at >= LISTED_S - 0.001 and "listed" not in said:
                    said["listed"] = time.time()
    except (av.error.FFmpegError, OSError):
        pass  # the server has ended the connection: that is what is shown
    said["ended"] = time.time()
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
