"""What people are shown who searched for listed words or links: that it is illegal and harms children, and who helps.

Help first, no accusation, nothing kept of who asked. Texts come in the searcher's language where they are there, help
for the searcher's country; an operator's `help.toml` in the home is told first.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path

from tutela.errors import InputError

EVERYWHERE = "*"

_TEXTS = {
    "en": (
        "Help is available",
        "We do not show results for this search. Sexual images of children are illegal and harm the children in them. "
        "If you are worried about your own thoughts or behaviour, or about somebody else’s, you can talk to people "
        "who help, without saying who you are.",
    ),
    "de": (
        "Es gibt Hilfe",
        "Zu dieser Suche zeigen wir keine Ergebnisse. Sexuelle Darstellungen von Kindern sind strafbar und schaden den "
        "abgebildeten Kindern. Wenn Sie sich Sorgen um Ihre eigenen Gedanken oder Ihr Verhalten machen oder um jemand "
        "anderen, können Sie mit Menschen sprechen, die helfen, ohne zu sagen, wer Sie sind.",
    ),
}
"""Title and text, by language. The first is told where the searcher's is not here."""


@dataclass(frozen=True, slots=True)
class Help:
    """Somebody who helps."""

    name: str
    reach: str
    """A telephone number; empty where there is none."""
    site: str
    note: str
    country: str
    checked: date | None
    """When the number and address were last seen to be right; None where nobody of this project looked."""


@dataclass(frozen=True, slots=True)
class Deterrence:
    """What is shown in place of results."""

    language: str
    title: str
    text: str
    help: tuple[Help, ...]


class Deterrences:
    """The texts and the help of an installation."""

    def __init__(self, home: Path | None) -> None:
        """Raises InputError naming what is wrong with the operator's `help.toml`."""
        own = home / "help.toml" if home else None
        found = _read(own.read_text(encoding="utf-8"), str(own)) if own is not None and own.exists() else []
        ours = (files("tutela.screening.check") / "help.toml").read_text(encoding="utf-8")
        self._help = [*found, *_read(ours, "help.toml")]

    def of(self, languages: Sequence[str], country: str | None) -> Deterrence:
        """What is shown to somebody who reads these languages, best first, and is in this country."""
        wanted = [language.split("-")[0].lower() for language in languages]
        language = next((name for name in wanted if name in _TEXTS), next(iter(_TEXTS)))
        title, text = _TEXTS[language]
        local = [help for help in self._help if country is not None and help.country == country.upper()]
        everywhere = [help for help in self._help if help.country == EVERYWHERE]
        return Deterrence(language, title, text, (*local, *everywhere))


def _read(text: str, name: str) -> list[Help]:
    try:
        return [
            Help(
                str(item["name"]),
                str(item.get("reach", "")),
                str(item.get("site", "")),
                str(item.get("note", "")),
                str(item["country"]).upper(),
                item.get("checked"),
            )
            for item in tomllib.loads(text)["help"]
        ]
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "{name} is not a file of help ([[help]] country, name, reach, site, note): {error}", name=name, error=error
        ) from None
