"""What a gateway of object stores is told in the settings."""

from pydantic import Field

from tutela.gateways.buckets.store import StoreKind
from tutela.gateways.http import HttpOptions
from tutela.gateways.listeners import ListenAddress

STATUS, VERDICT = "tutela-status", "tutela-verdict"
"""The tags of a version: its decision; the verdict's number, and what shows that we wrote both."""


class BucketsOptions(HttpOptions):
    """What a gateway of object stores is told."""

    store: StoreKind = Field(default=StoreKind.S3, description="`s3`, `gcs` or `azure`.")
    listen: tuple[ListenAddress, ...] = Field(
        default=(), description="Where webhooks come in, at `/events`: MinIO, SeaweedFS, Pub/Sub, Event Grid."
    )
    queue: str = Field(
        default="", description="Address of a queue with the bucket's events: SQS, Pub/Sub, Azure Storage."
    )
    queue_s: int = Field(
        default=300,
        gt=0,
        le=43_200,
        description="Seconds until an event comes again that was taken by a process that has ended since.",
    )
    endpoint: str | None = Field(default=None, description="Address of the store, where it is not the provider's own.")
    region: str | None = Field(default=None, description="Region of the store.")
    access_key: str = Field(default="", description="`env:NAME` or `file:/path`; else the surroundings' own role.")
    secret_key: str = Field(default="", description="`env:NAME` or `file:/path`.")
    token: str = Field(default="", description="`env:NAME` or `file:/path` of the bearer token of webhooks.")
    guard_duty: bool = Field(default=False, description="Whether GuardDuty's tag is written, too, in its words.")
    copy_to: str = Field(default="", description="Bucket that allowed objects are copied to; none by default.")
    check_in: str = Field(
        default="", pattern=r"^$|^[^/]+/.+", description="`bucket/key` of the picture that `tutela gateway check` puts."
    )

    def warnings(self) -> list[str]:
        """As of every gateway, and what is public before it is screened."""
        if self.copy_to:
            return super().warnings()
        return [
            *super().warnings(),
            f"objects are public before they are screened, unless a bucket policy waits for the tag `{STATUS}`, or"
            " `copy_to` names the public bucket",
        ]
