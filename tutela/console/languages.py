"""Message catalogues: gettext .po files beside the code, and the operator's own in `locale/` of the home.

They are compiled in memory when the console starts, so that there is no build step. English is in the templates, and in
the rooms: what those say when they refuse something is translated by the sentence that it was made from.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
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

from tutela.console.words import SAID, WORDS
from tutela.errors import InputError
from tutela.screening.sentences import sentence
from tutela.screening.verdict import Match

DOMAIN = "console"
_PLACE = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True, slots=True)
class Saying:
    """A sentence of a room, with places for what it names, in another language."""

    pattern: re.Pattern[str]
    translation: str

    def of(self, text: str) -> str | None:
        """The translation, where a text was made from this sentence."""
        found = self.pattern.fullmatch(text)
        return _PLACE.sub(lambda place: found[place[1]], self.translation) if found else None


@dataclass(frozen=True, slots=True)
class Language:
    """One language of the pages."""

    locale: Locale
    translations: NullTranslations
    sayings: tuple[Saying, ...] | None = None
    """What rooms say, the sentences with the most of their own first; None for English, in which they say it."""

    @property
    def tag(self) -> str:
        """As HTML's `lang` has it."""
        return str(self.locale).replace("_", "-")

    def said(self, text: str) -> str | None:
        """What a room said, in this language; None where no sentence of the catalogue fits it."""
        if self.sayings is None:
            return text
        return next((own for saying in self.sayings if (own := saying.of(text)) is not None), None)

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
        return Language(Locale.parse(path.parts[-3]), Translations(compiled, domain=DOMAIN), _sayings(catalogue))
    except (PoFileError, OSError, ValueError, UnknownLocaleError) as error:
        raise InputError(f"the catalogue {path} cannot be read: {error}") from None


def _sayings(catalogue: Catalog) -> tuple[Saying, ...]:
    """Every translated sentence of the rooms."""
    said = [(str(one.id), str(one.string)) for one in catalogue if one.context == SAID and one.string and not one.fuzzy]
    said.sort(key=lambda pair: -len(_PLACE.sub("", pair[0])))
    return tuple(Saying(_pattern(sentence), translation) for sentence, translation in said)


def _pattern(sentence: str) -> re.Pattern[str]:
    pieces = _PLACE.split(sentence)
    texts = [re.escape(piece) for piece in pieces[::2]]
    places = [f"(?P<{name}>.*)" for name in pieces[1::2]]
    return re.compile("".join(piece for pair in zip(texts, [*places, ""], strict=True) for piece in pair), re.DOTALL)
