"""Everything that runs only inside an isolated worker: here hostile files meet decoders.

Nothing else imports it but tasks of workers, which a contract in pyproject.toml names.
"""

__all__ = [
    "budget",
    "confinement",
    "containers",
    "decode",
    "endings",
    "ffmpeg",
    "frame_luma",
    "opened",
    "ordinary",
    "parts",
    "stretch",
    "video",
    "walk",
]
