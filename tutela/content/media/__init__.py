"""Media: bytes become a type, a picture or the frames of a video, always in an isolated worker.

Flow: bytes → type by content → limits → a worker, where `confined` decodes → back to whoever asked, as values.
"""

__all__ = [
    "confined",
    "content",
    "content_file",
    "hostile",
    "isolation",
    "lanes",
    "limits",
    "plain",
    "probe",
    "profile",
    "sniff",
    "system_libarchive",
    "worker_process",
]
