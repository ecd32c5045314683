"""Live streams: looked at before anybody may watch and as long as they run, and cut when they show what is listed."""

from tutela.screening.streams.gate import Admission, Refusal, StreamGate
from tutela.screening.streams.model import Channel, MediaServer, Publication, Running, StreamFacts, StreamState
from tutela.screening.streams.options import StreamOptions
from tutela.screening.streams.records import StreamRecords
from tutela.screening.streams.service import Streams, Surroundings

__all__ = [
    "Admission",
    "Channel",
    "MediaServer",
    "Publication",
    "Refusal",
    "Running",
    "StreamFacts",
    "StreamGate",
    "StreamOptions",
    "StreamRecords",
    "StreamState",
    "Streams",
    "Surroundings",
    "examiner",
    "indicators",
    "model",
    "options",
    "records",
    "service",
]
