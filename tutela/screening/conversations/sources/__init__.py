"""Sources of events: the adapters of brokers, each an extra of the installation."""

from tutela.screening.conversations.options import SourceKind, SourceOptions
from tutela.screening.conversations.sources.base import Portion, Source

__all__ = ["Portion", "Source", "open_source"]


def open_source(options: SourceOptions) -> Source:
    """The broker of the settings. Raises InputError, and ModuleNotFoundError without its extra."""
    match options.kind:
        case SourceKind.KAFKA:
            from tutela.screening.conversations.sources.kafka import KafkaSource

            return KafkaSource(options)
        case SourceKind.REDIS:
            from tutela.screening.conversations.sources.redis_streams import RedisSource

            return RedisSource(options)
