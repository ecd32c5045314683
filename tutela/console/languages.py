"""Message catalogues: gettext .po files beside the code, and the operator's own in `locale/` of the home.

They are compiled in memory when the console starts, so that there is no build step. English is in the templates, and in
the rooms: what those say is a `Statement`, whose sentence is a message of the catalogue and whose values are put into
the translation.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.core import negotiate_locale
from babel.dates import format_datetime, format_timedelta
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from babel.numbers import format_decimal
from babel.support import NullTranslations, Translations

from tutela.console.words import REASONS, WORDS
from tutela.errors import InputError, Statement, TutelaError, UnscreenableError
from tutela.screening.sentences import sentence
from tutela.screening.verdict import Match

DOMAIN = "console"


@dataclass(frozen=True, slots=True)
class Language:
    """One language of the pages."""

    locale: Locale
    translations: NullTranslations
    sentences: Mapping[str, str] | None = field(default=None, hash=False, compare=False)
    """By a sentence of a room, its translation; None for English, in which rooms speak."""

    @property
    def tag(self) -> str:
        """As HTML's `lang` has it."""
        return str(self.locale).replace("_", "-")

    def told(self, said: Statement | TutelaError | str) -> str | None:
        """What a room said, in this language; None where the catalogue lacks the sentence: it is then shown as it is.

        Content that cannot be screened is told of by the reason's code where its sentence is not known: that comes
        from a worker, as plain text.
        """
        statement = _statement(said)
        if self.sentences is None:
            return str(statement)
        own = self.sentences.get(statement.sentence)
        if own is None:
            return self.reason(said.reason) if isinstance(said, UnscreenableError) else None
        values = {name: self._value(value) for name, value in statement.values.items()}
        try:
            return own.format(**values) if values else own
        except (LookupError, ValueError):  # an operator's catalogue that names other places
            return None

    def reason(self, code: str) -> str | None:
        """Why content was not screened, by its code; None for a code without words, and in English: rooms say more."""
        known = REASONS.get(code)
        return None if known is None or self.sentences is None else self.translations.gettext(known)

    def _value(self, value: object) -> object:
        return self.told(value) or str(value) if isinstance(value, Statement | TutelaError) else value

    def word(self, code: object) -> str:
        """A code of a closed set in words; any other as it is."""
        known = WORDS.get(str(code))
        return str(code) if known is None else self.translations.gettext(known)

    def match(self, match: Match) -> str:
        """What a match says, in a sentence."""
        return sentence(match, self.translations.gettext)

    def text(self, text: str) -> str:
        """A text that comes with Tutela; any other as it is."""
        return self.translations.gettext(text) if text else ""

    def moment(self, value: datetime) -> str:
        """A time for people, in UTC."""
        return format_datetime(value, "d MMM y, HH:mm", locale=self.locale) + " UTC"

    def ago(self, seconds: float) -> str:
        """A time that passed."""
        return format_timedelta(timedelta(seconds=-seconds), add_direction=True, locale=self.locale)

    def number(self, value: float) -> str:
        """A number for people."""
        return format_decimal(value, locale=self.locale, decimal_quantization=False)


class Languages:
    """The languages there are."""

    def __init__(self, home: Path | None = None) -> None:
        """Raises InputError when a catalogue cannot be read."""
        self._languages: dict[str, Language] = {"en": Language(Locale("en"), NullTranslations())}
        for folder in (Path(str(files("tutela.console") / "locale")), home / "locale" if home else None):
            if folder is not None and folder.is_dir():
                for path in sorted(folder.glob(f"*/LC_MESSAGES/{DOMAIN}.po")):
                    self._languages[path.parts[-3]] = _read(path)

    def chosen(self, accepted: str) -> Language:
        """The best of the languages for an Accept-Language header; English where none fits."""
        wanted = [part.partition(";")[0].strip().replace("-", "_") for part in accepted[:200].split(",")]
        name = negotiate_locale([name for name in wanted if name], self._languages)
        return self._languages[name or "en"]

    def all(self) -> Mapping[str, Language]:
        """Every language by its name."""
        return self._languages


def _read(path: Path) -> Language:
    try:
        with path.open("rb") as file:
            catalogue = read_po(file, locale=path.parts[-3], domain=DOMAIN, abort_invalid=True)
        compiled = io.BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        return Language(Locale.parse(path.parts[-3]), Translations(compiled, domain=DOMAIN), _sentences(catalogue))
    except (PoFileError, OSError, ValueError, UnknownLocaleError) as error:
        raise InputError("the catalogue {path} cannot be read: {error}", path=path, error=error) from None


def _statement(said: Statement | TutelaError | str) -> Statement:
    if isinstance(said, TutelaError):
        return said.statement
    return said if isinstance(said, Statement) else Statement(said)


def _sentences(catalogue: Catalog) -> dict[str, str]:
    """Every translation of a text without a plural."""
    return {
        str(one.id): str(one.string)
        for one in catalogue
        if one.id and one.string and not one.pluralizable and not one.fuzzy
    }
