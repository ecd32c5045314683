"""Programs that ask clamd: which of them let content pass by default, and the setting that ends it."""

from enum import StrEnum


class Client(StrEnum):
    """Programs whose defaults an operator should know of."""

    RSPAMD = "rspamd"
    NEXTCLOUD = "nextcloud"
    DISCOURSE = "discourse"
    MATTERMOST = "mattermost"
    MOODLE = "moodle"
    DJANGO_CLAMD = "django-clamd"
    CLAMAV_MILTER = "clamav-milter"
    CLAMDSCAN = "clamdscan"
    PYCLAMD = "pyclamd"
    OPENCLOUD = "opencloud"


ADVICE = {
    Client.RSPAMD: "sends pictures only with `scan_image_mime = true`, and with Redis remembers an OK for an hour",
    Client.NEXTCLOUD: "lets files pass when the scanner is away unless `av_block_unreachable` is on; it cuts files at"
    " `av_max_file_size` and sends one file as several streams at `av_stream_max_length`: keep both above your uploads",
    Client.DISCOURSE: "sends pictures only with `antivirus_live_scan_images`, and lets uploads pass when the scanner is"
    " away or says ERROR",
    Client.MATTERMOST: "lets files pass when the connection is closed before an answer",
    Client.MOODLE: "lets files pass on an error unless `antivirus_clamav | clamfailureonupload` is `actlikevirus`",
    Client.DJANGO_CLAMD: 'lets uploads pass on ERROR and while the scanner is away; keep `held_as = "found"`, and check'
    " that it answers PING before you take uploads",
    Client.CLAMAV_MILTER: "passes mail over its `MaxFileSize` (100M) unseen: keep that above Postfix's"
    " `message_size_limit`, and set `OnFail Defer`",
    Client.CLAMDSCAN: "sends only the first `StreamMaxLength` bytes of a longer file: name that length in `cut_at`, or"
    " use `--fdpass`",
    Client.PYCLAMD: "says None (clean) when the scanner goes away before it answers: use the package `clamd` instead",
    Client.OPENCLOUD: "scans the first 100 MB only: keep `max-scan-size` above your uploads",
}
"""What its operator should set."""
