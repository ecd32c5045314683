"""Mail, as the outbox's topic `mail`: plain text to the operator's own people, by SMTP.

Mail is not secret: it names cases by id and says nothing of what is in them.
"""

import hashlib
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage

from sqlalchemy import Connection

from tutela.foundation.outbox.options import MailServer, Security
from tutela.foundation.outbox.service import Delivery, enqueue
from tutela.foundation.outbox.worker import DeliveryError, Progress, UndeliverableError

TOPIC = "mail"
TIMEOUT_S = 30.0


def write_mail(connection: Connection, key: str, to: Sequence[str], subject: str, text: str) -> None:
    """Write a mail into the outbox, in the caller's transaction. The key names it: written again, it is sent once."""
    for receiver in to:
        payload = {"to": receiver, "subject": subject, "text": text}
        enqueue(connection, TOPIC, f"{key}/{hashlib.sha256(receiver.encode()).hexdigest()[:16]}", payload)


class MailHandler:
    """Delivers the topic `mail`."""

    def __init__(self, server: MailServer) -> None:
        self._server = server

    def __call__(self, delivery: Delivery, progress: Progress) -> None:
        """Send one mail. Raises DeliveryError, UndeliverableError."""
        message = EmailMessage()
        message["From"] = self._server.sender
        message["To"] = delivery.payload["to"]
        message["Subject"] = delivery.payload["subject"]
        digest = hashlib.sha256(delivery.key.encode()).hexdigest()[:32]
        message["Message-ID"] = f"<{digest}@tutela.invalid>"  # the same in every repetition
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(delivery.payload["text"])
        try:
            self._send(message)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            message_ = f"the mail server refuses the receiver: {codes}"
            # 5xx is for ever, 4xx for now (RFC 5321, 4.2.1).
            raise (UndeliverableError if min(codes) >= 500 else DeliveryError)(message_) from error
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryError("mail: {kind}: {error}", kind=type(error).__name__, error=error) from error

    def _send(self, message: EmailMessage) -> None:
        server, context = self._server, ssl.create_default_context()
        if server.security is Security.TLS:
            connection: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=context)
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
        with connection:
            if server.security is Security.STARTTLS:
                connection.starttls(context=context)
            if server.user is not None:
                connection.login(server.user, server.password.reveal() if server.password else "")
            connection.send_message(message)
