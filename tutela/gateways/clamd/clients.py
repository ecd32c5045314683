"""Programs that ask clamd: which of them let content pass by default, and the setting that ends it."""

ADVICE = {
    "rspamd": "sends pictures only with `scan_image_mime = true`, and with Redis remembers an OK for an hour",
    "nextcloud": "lets files pass when the scanner is away unless `av_block_unreachable` is on; it cuts files at"
    " `av_max_file_size` and sends one file as several streams at `av_stream_max_length`: keep both above your uploads",
    "discourse": "sends pictures only with `antivirus_live_scan_images`, and lets uploads pass when the scanner is"
    " away or says ERROR",
    "mattermost": "lets files pass when the connection is closed before an answer",
    "moodle": "lets files pass on an error unless `antivirus_clamav | clamfailureonupload` is `actlikevirus`",
    "django-clamd": 'lets uploads pass on ERROR and while the scanner is away; keep `held_as = "found"`, and check'
    " that it answers PING before you take uploads",
    "clamav-milter": "passes mail over its `MaxFileSize` (100M) unseen: keep that above Postfix's"
    " `message_size_limit`, and set `OnFail Defer`",
    "clamdscan": "sends only the first `StreamMaxLength` bytes of a longer file: name that length in `cut_at`, or"
    " use `--fdpass`",
    "pyclamd": "says None (clean) when the scanner goes away before it answers: use the package `clamd` instead",
    "opencloud": "scans the first 100 MB only: keep `max-scan-size` above your uploads",
}
"""What its operator should set."""
