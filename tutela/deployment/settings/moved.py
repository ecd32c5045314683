"""Settings whose name or form changed: what each is now. Using the former name is an error that says so."""

MOVED_VARIABLES: dict[str, tuple[str, ...]] = {
    **{
        f"TUTELA_{name.upper()}": ("limits", name)
        for name in (
            "max_bytes",
            "max_pixels",
            "max_memory_bytes",
            "timeout_s",
            "max_depth",
            "max_parts",
            "max_expanded_bytes",
            "video_timeout_s",
            "views",
        )
    },
    **{
        f"TUTELA_{name.upper()}": ("service", name)
        for name in (
            "auth_required",
            "rate",
            "max_in_flight",
            "workers",
            "pull_exchanges",
        )
    },
    "TUTELA_MAX_JOB_BYTES": ("jobs", "max_bytes"),
    "TUTELA_JOB_TIMEOUT_S": ("jobs", "timeout_s"),
    "TUTELA_VIDEO": ("screening", "video"),
    "TUTELA_VIDEO__GAP_S": ("limits", "max_gap_s"),
    **{
        f"TUTELA_VIDEO__{name.upper()}": ("screening", "video", name)
        for name in (
            "min_upload_share",
            "min_entry_share",
            "min_run_s",
            "min_run_frames",
            "min_run_pictures",
        )
    },
    "TUTELA_OVERRIDES": ("screening", "overrides"),
    "TUTELA_AUDIT_KEY": ("audit", "key"),
    **{
        f"TUTELA_CONSOLE_{name.upper()}": ("console", name)
        for name in (
            "origin",
            "identity",
            "two_person",
            "severe_labels",
        )
    },
    "TUTELA_CONSOLE_IDLE_MINUTES": ("console", "sessions", "idle_s"),
    "TUTELA_CONSOLE_SESSION_HOURS": ("console", "sessions", "absolute_s"),
    **{
        f"TUTELA_CONSOLE_{name.upper()}": ("console", "exposure", name)
        for name in (
            "items_before_break",
            "seconds_before_break",
            "break_minutes",
            "items_a_day",
            "seconds_a_day",
            "severe_a_day",
        )
    },
    **{
        f"TUTELA_CONSOLE_OIDC_{name.upper()}": ("console", "oidc", name)
        for name in (
            "issuer",
            "client_id",
            "client_secret",
            "claim",
            "roles",
        )
    },
}
"""By former environment variable, the path of the key."""
