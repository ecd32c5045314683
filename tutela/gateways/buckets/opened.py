"""The store and the queue that a gateway's options name, of whichever kind."""

from dataclasses import dataclass

from tutela.errors import InputError
from tutela.foundation.secrets import resolve
from tutela.gateways.buckets.options import BucketsOptions
from tutela.gateways.buckets.store import EventQueue, ObjectStore, StoreKind

_AT_ONCE = 8
_WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Opened:
    """What a gateway works on."""

    store: ObjectStore
    queue: EventQueue | None


def open_store(options: BucketsOptions) -> Opened:
    """Raises InputError. Nothing is asked yet."""
    match options.store:
        case StoreKind.S3:
            return _s3(options)
        case StoreKind.GCS:
            return _gcs(options)
        case StoreKind.AZURE:
            return _azure(options)


def _keys(options: BucketsOptions) -> tuple[str, str] | None:
    if not options.access_key:
        return None
    return resolve(options.access_key, "access_key"), resolve(options.secret_key, "secret_key")


def _s3(options: BucketsOptions) -> Opened:
    from tutela.gateways.buckets.s3 import Amazon, S3Store, SqsQueue

    amazon = Amazon(options.endpoint, options.region, _keys(options))
    queue = None
    if options.queue:
        queue = SqsQueue(amazon.client("sqs"), options.queue, _AT_ONCE, options.queue_s)
    return Opened(S3Store(amazon), queue)


def _gcs(options: BucketsOptions) -> Opened:
    from tutela.gateways.buckets.calls import Calls
    from tutela.gateways.buckets.gcs import GcsStore, PubSubQueue, Tokens

    tokens = Tokens(resolve(options.secret_key, "secret_key") if options.secret_key else None)
    queue = PubSubQueue(Calls(options.queue), tokens, _AT_ONCE, options.queue_s) if options.queue else None
    return Opened(GcsStore(options.endpoint, tokens), queue)


def _azure(options: BucketsOptions) -> Opened:
    from tutela.gateways.buckets.azure import AzureStore, MachineIdentity, SharedKey, StorageQueue

    if not options.endpoint:
        raise InputError("endpoint: give the account's address, as https://ACCOUNT.blob.core.windows.net")
    keys = _keys(options)
    credential = SharedKey(*keys) if keys else MachineIdentity()
    queue = None
    if options.queue:
        queue = StorageQueue(options.queue, credential, _AT_ONCE, options.queue_s, _WAIT_S)
    return Opened(AzureStore(options.endpoint, credential), queue)
