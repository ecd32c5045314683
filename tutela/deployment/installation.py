"""A new deployment: its home, settings, keys, first API key and first person. What is there already stays as it is.

The private half of the evidence key goes to a folder beside the home, or is given back once: the home, which the
serving process reads, never holds it. Whatever a run that was killed left is taken up by the next.
"""

import json
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from tutela.casework.audit.checkpoints import SigningKey
from tutela.casework.evidence.review_key import read_review_key
from tutela.casework.evidence.seal import new_identity
from tutela.deployment.settings import Settings, load_settings
from tutela.deployment.settings.model import DatabaseUrl
from tutela.deployment.settings.source import FILE_NAME
from tutela.errors import InputError
from tutela.foundation.home import database_url, prepare_home
from tutela.foundation.store.database import Store

AUDIT_KEY = "audit.key"
REVIEW_KEY = "review.key"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made."""

    home: Path
    keys: Path
    """Folder of the review key; outside the home."""
    print_review_key: bool = False
    """Write no review key; whoever calls shows it once."""
    origin: str = "http://localhost:8081"
    """Where browsers reach the console."""
    port: int = 8080
    console_port: int = 8081
    database: DatabaseUrl | None = None
    """Instead of the one that the settings name; it is not written into them."""


@dataclass(frozen=True, slots=True)
class Made:
    """What was made now, and what counts."""

    settings: Settings
    steps: tuple[str, ...]
    """What was made, a line each; empty where everything was there."""
    review_key: str | None = None
    """The private half, where it is to be shown and was made now."""


def keys_beside(home: Path) -> Path:
    """The folder of keys that goes with a home."""
    return home.with_name(f"{home.name}-keys")


def install(plan: Plan) -> Made:
    """Make what is not there. Raises InputError, StoreError."""
    if plan.keys.resolve().is_relative_to(plan.home.resolve()):
        raise InputError("the folder of keys {keys} lies in the home, which the serving process reads", keys=plan.keys)
    steps: list[str] = []
    secret: str | None = None
    file = plan.home / FILE_NAME
    if not plan.home.exists():
        steps.append(f"the home {plan.home}")
    prepare_home(plan.home)
    plan.home.chmod(0o700)
    if not file.exists():
        secret, public = new_identity()
        identity = None if plan.print_review_key else plan.keys / REVIEW_KEY
        if identity is not None and identity.exists():
            public = read_review_key(identity, plan.home).recipients[0]
        elif identity is not None:
            plan.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_new(identity, f"# opens Tutela's evidence; public key: {public}\n{secret}\n")
            steps.append(f"the review key {identity}: move it to where only reviewers get at it")
        if not (plan.home / AUDIT_KEY).exists():
            _write_new(plan.home / AUDIT_KEY, SigningKey.generate("tutela").text() + "\n")
            steps.append(f"the key that signs the audit log, {plan.home / AUDIT_KEY}")
        _write_new(file, _settings_text(plan, public, identity))
        steps.append(f"the settings {file}")
    settings = load_settings(config=file, home=plan.home)
    settings = replace(settings, database=plan.database or settings.database)
    database = database_url(settings.home, settings.database_text)
    if settings.database is None and not (settings.home / "tutela.db").exists():
        steps.append("the database")
    Store.create(database).close()
    shown = secret if plan.print_review_key else None
    return Made(settings, tuple(steps), shown)


def _settings_text(plan: Plan, recipient: str, identity: Path | None) -> str:
    """The settings of a new deployment; what is not in them has its default."""
    lines = [
        "# Every key and its default: tutela config show --defaults",
        "",
        "[evidence]",
        "# Whoever has the private half opens what was held. The service has only this one.",
        f"recipients = [{_quoted(recipient)}]",
        "",
        "[audit]",
        f"key = {_quoted(AUDIT_KEY)}",
        "",
        "[service]",
        f"port = {plan.port}",
        "",
        "[console]",
        f"origin = {_quoted(plan.origin)}",
        f"port = {plan.console_port}",
    ]
    if identity is not None:
        lines.append(f"identity = {_quoted(str(identity.absolute()))}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _write_new(path: Path, text: str) -> None:
    """A file that only this user reads, there whole or not at all. Raises InputError where there is one."""
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="utf-8") as file:  # 0600, by its documentation
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.link(file.name, path)
    except OSError as error:
        raise InputError("{path} cannot be written: {why}", path=path, why=error.strerror) from None
