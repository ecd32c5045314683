"""Safety notices: neutral words for whoever is contacted, words of help for whoever contacts; of nobody in particular.

No notice accuses, names, scores or says why it is shown. Help is that of the reader's country, from the operator's
`help.toml` first.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from tutela.casework.cases.outcomes import Effect
from tutela.errors import InputError

FILE = "notices.toml"
ACCUSING = (
    *("groom", "predator", "abuser", "offender", "suspect", "risk score", "dangerous person", "pedo", "criminal"),
    *("täter", "verdächtig", "verbrecher", "straftäter", "risikowert"),
)
"""What no notice says, in any language."""


@dataclass(frozen=True, slots=True)
class SafetyNotices:
    """The texts, by effect and language."""

    texts: Mapping[str, Mapping[str, Mapping[str, str]]]

    def of(self, effect: Effect) -> Mapping[str, Any]:
        """What a platform shows for an effect: title, text and actions, by language."""
        return self.texts.get(effect.value, {})


def read_notices(home: Path | None) -> SafetyNotices:
    """The operator's `notices.toml`, or the texts that come with Tutela. Raises InputError for one that accuses."""
    own = home / FILE if home is not None else None
    shipped = (files("tutela.casework.cases") / FILE).read_text(encoding="utf-8")
    try:
        text = own.read_text(encoding="utf-8") if own is not None and own.exists() else shipped
        read = tomllib.loads(text)
        texts = {
            effect: {
                language: {str(name): str(said) for name, said in words.items()} for language, words in those.items()
            }
            for effect, those in read.items()
        }
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, AttributeError) as error:
        raise InputError("{file} is not a file of notices: {why}", file=own or FILE, why=str(error)) from None
    for effect, those in texts.items():
        if effect not in (Effect.NOTICE_RECIPIENT.value, Effect.NOTICE_SENDER.value):
            raise InputError("{effect} is not a notice", effect=effect)
        for language, words in those.items():
            for said in words.values():
                if found := [word for word in ACCUSING if word in said.lower()]:
                    raise InputError(
                        "the notice {effect} in {language} says {word!r}: a notice accuses nobody",
                        effect=effect,
                        language=language,
                        word=found[0],
                    )
    return SafetyNotices(texts)
