"""The words of the stop page, by language. Help first, no accusation; what is said is true of every list."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Texts:
    """One language."""

    code: str
    title: str
    help_title: str
    help_text: str
    child: str
    why_title: str
    why: str
    nobody: str
    who: str
    """With {organisation}."""
    ground: str
    reference: str
    appeal_title: str
    appeal: str
    reason_label: str
    contact_label: str
    send: str
    thanks: str
    received: str
    """With {number} and {due}."""
    back: str
    elsewhere: str
    """With {contact}."""
    not_now: str
    not_now_text: str


ENGLISH = Texts(
    code="en",
    title="This page is blocked",
    help_title="Help is here",
    help_text="If you are worried about your own thoughts or behaviour, or about somebody else’s, you can talk to "
    "people "
    "who help, without saying who you are.",
    child="If you are under 18 and somebody has a picture of you: you are not at fault, and they help you too.",
    why_title="Why it is blocked",
    why="It is on a list of pages that show the sexual abuse of children. Such pictures are illegal, and each look "
    "at them "
    "harms the children again.",
    nobody="Nothing is stored about you or your visit, nobody was told, and seeing this page accuses you of nothing.",
    who="It is blocked by {organisation}.",
    ground="On this ground",
    reference="Reference number",
    appeal_title="If this is an error",
    appeal="Tell us, and a person answers within 24 hours. You need not say who you are.",
    reason_label="Why should it not be blocked?",
    contact_label="Your e-mail address, only if you want an answer",
    send="Send the appeal",
    thanks="Thank you. We have received your appeal.",
    received="Its number is {number}. A person answers it by {due}.",
    back="Back",
    elsewhere="You can also write to {contact}, with the reference number.",
    not_now="This cannot be checked now",
    not_now_text="The lists cannot be read at the moment. Try again in a minute.",
)
GERMAN = Texts(
    code="de",
    title="Diese Seite ist gesperrt",
    help_title="Hier gibt es Hilfe",
    help_text="Wenn Sie sich Sorgen um Ihre eigenen Gedanken oder Ihr Verhalten machen oder um jemand anderen, "
    "können Sie "
    "mit Menschen sprechen, die helfen, ohne zu sagen, wer Sie sind.",
    child="Wenn du unter 18 bist und jemand ein Bild von dir hat: Du bist nicht schuld, und auch dir wird hier "
    "geholfen.",
    why_title="Warum sie gesperrt ist",
    why="Sie steht auf einer Liste von Seiten, die den sexuellen Missbrauch von Kindern zeigen. Solche Bilder sind "
    "strafbar, "
    "und jeder Blick schadet den Kindern aufs Neue.",
    nobody="Über Sie und Ihren Besuch wird nichts gespeichert, niemand wurde benachrichtigt, und diese Seite wirft "
    "Ihnen "
    "nichts vor.",
    who="Sie wird gesperrt von {organisation}.",
    ground="Auf dieser Grundlage",
    reference="Kennzeichen",
    appeal_title="Wenn das ein Irrtum ist",
    appeal="Sagen Sie es uns: Ein Mensch antwortet binnen 24 Stunden. Sie müssen nicht sagen, wer Sie sind.",
    reason_label="Warum sollte sie nicht gesperrt sein?",
    contact_label="Ihre E-Mail-Adresse, nur wenn Sie eine Antwort möchten",
    send="Einspruch senden",
    thanks="Danke. Ihr Einspruch ist angekommen.",
    received="Seine Nummer ist {number}. Ein Mensch beantwortet ihn bis {due}.",
    back="Zurück",
    elsewhere="Sie können auch an {contact} schreiben, mit dem Kennzeichen.",
    not_now="Das kann gerade nicht geprüft werden",
    not_now_text="Die Listen sind im Augenblick nicht lesbar. Versuchen Sie es in einer Minute noch einmal.",
)
_BY_CODE = {texts.code: texts for texts in (ENGLISH, GERMAN)}


def languages_of(header: str) -> list[str]:
    """The languages of an Accept-Language header (RFC 9110, 12.5.4), the preferred ones first."""
    wanted = []
    for place, item in enumerate(header.split(",")[:20]):
        name, _, quality = item.partition(";")
        try:
            weight = float(quality.partition("=")[2]) if quality.strip() else 1.0
        except ValueError:
            weight = 0.0
        if name.strip() and weight > 0:
            wanted.append((-weight, place, name.strip()))
    return [name for _, _, name in sorted(wanted)]


def texts_for(languages: Sequence[str]) -> Texts:
    """The first of these languages that is here; English otherwise."""
    return next((_BY_CODE[code] for each in languages if (code := each.split("-")[0].lower()) in _BY_CODE), ENGLISH)
