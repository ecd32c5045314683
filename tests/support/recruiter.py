"""The stand-in for what conversations are searched for: an adult who recruits adults for a sales job of his own, in two
wordings that share no sentence, and benign chats of adults to hide it in. It says nothing about real grooming.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from tutela.screening.conversations.events import ConversationStage

STAGES = (
    ConversationStage.TRUST,
    ConversationStage.PROBING,
    ConversationStage.ISOLATION,
    ConversationStage.ELSEWHERE,
    ConversationStage.OFFER,
    ConversationStage.MEETING,
)
"""In the order in which they mostly come."""

WORDING_A: dict[ConversationStage, tuple[str, ...]] = {
    ConversationStage.TRUST: (
        "you seem really driven, not like the rest of them",
        "i was exactly like you when i started out",
        "honestly you deserve so much better than that job",
        "i can tell you are smart, i notice these things",
        "we think the same way, you and me",
        "i believe in you more than your boss does",
        "people like us are rare, trust me on that",
        "you can tell me anything, i am a good listener",
        "i feel like i have known you for years",
        "your talent is wasted where you are now",
        "i only talk this openly with people i respect",
        "you remind me of my best people",
    ),
    ConversationStage.PROBING: (
        "do you work full time or are you between jobs",
        "how much do you earn a month if i may ask",
        "do you live alone or with roommates",
        "does anyone else read your messages",
        "who do you usually ask before you decide something",
        "how much do you have in savings right now",
        "do you have your own bank account",
        "are you free in the evenings when nobody is around",
        "do you owe anybody money at the moment",
        "would your family mind if you earned more than them",
        "what time are you usually on your own",
    ),
    ConversationStage.ISOLATION: (
        "keep this between us for now, others get jealous",
        "do not tell your friends yet, they would talk you out of it",
        "your family will not understand this business",
        "delete this chat when you have read it",
        "this offer is only for you, do not mention it to anyone",
        "negative people hold you back, stop listening to them",
        "let us keep it our secret until you succeed",
        "you do not need their opinion, you have me now",
        "nobody else has to know about our plan",
        "the others are not ready to hear this",
        "they only want to keep you small",
    ),
    ConversationStage.ELSEWHERE: (
        "let us move this to another app, it is more private there",
        "what is your number, i will text you directly",
        "add me on the other messenger, my name there is the same",
        "i do not check this chat much, write me over there",
        "send me your handle and i will call you tonight",
        "this chat is not safe for business, use the one i told you",
        "i will send you a link to a private channel",
        "turn on disappearing messages there before we go on",
        "do you have that other app, we can talk freely on it",
        "text me on my private line instead",
        "the group over there is invite only, give me your contact",
    ),
    ConversationStage.OFFER: (
        "i can send you a starter bonus today, no strings",
        "i will pay for your ticket and the training",
        "you could earn two thousand in your first week",
        "i already put some money aside for you",
        "let me buy you the phone you need for this",
        "you get a car when you bring in five people",
        "i will cover your rent while you begin",
        "take this gift card as a thank you from me",
        "easy money, you only have to trust the system",
        "sign up today and the fee is on me",
        "a place like this opens once a year, i kept it for you",
        "i can lend you the deposit, pay me back whenever",
    ),
    ConversationStage.MEETING: (
        "can we meet in person this week, just the two of us",
        "come to the office on friday evening, come alone",
        "i can pick you up after work, where do you live",
        "let us have coffee near your place tomorrow",
        "there is a seminar at the hotel, i booked you a seat",
        "i will be in your city on saturday, keep it free",
        "when are you alone, i could come by with the papers",
        "meet me at the station at eight and bring your passport",
        "you have to see it in person, say when and where",
        "give me your address, i will bring the kit",
        "let us talk face to face, it is easier",
        "i will wait for you outside, do not bring anybody",
    ),
}
WORDING_B: dict[ConversationStage, tuple[str, ...]] = {
    ConversationStage.TRUST: (
        "few folks have the fire that you have",
        "it took me one minute to see your potential",
        "i wish somebody had guided me at that age as i can guide you",
        "there is something special in how you write",
        "my gut says we were supposed to run into each other",
        "anyone else would have overlooked you, i did not",
        "think of me as a mentor, even as a big brother",
        "you get me in a way that others never do",
        "no one appreciates your effort over there, i would",
        "i rarely open up, with you it comes naturally",
        "you are meant for bigger things, mark my words",
    ),
    ConversationStage.PROBING: (
        "what brings in your income these days",
        "is there a partner at home or is it just you",
        "could somebody look over your shoulder while we chat",
        "roughly what is left in your wallet by month end",
        "are your evenings quiet or is the house full",
        "any loans that keep you awake at night",
        "whose advice matters most to you when stakes are high",
        "may others unlock your phone",
        "which hours is no one near you",
        "is your salary enough to get by",
        "how old are your debts, be honest with me",
    ),
    ConversationStage.ISOLATION: (
        "better not share this with your circle, envy is ugly",
        "relatives tend to kill dreams, leave them out",
        "wipe our conversation afterwards please",
        "what we discuss stays with the two of us",
        "doubters are poison, cut them off",
        "please hide this from your coworkers for the moment",
        "only i really want the best for you",
        "your buddies would never support such a step",
        "swear that this remains confidential",
        "i would be in trouble if word got out, so hush",
        "distance yourself from whoever slows you",
    ),
    ConversationStage.ELSEWHERE: (
        "shall we switch to a quieter channel",
        "give me a way to reach you off this site",
        "my other profile is where serious talks happen",
        "hop over to the encrypted one and ping me",
        "i would rather ring you, which digits do i dial",
        "here is an invite, join me in the closed room",
        "moderators snoop around here, let us go somewhere else",
        "download the messenger i use and look me up",
        "drop your username, i will find you",
        "voice works better, get on the line with me later",
        "from now on ping my personal account only",
    ),
    ConversationStage.OFFER: (
        "a welcome payment is waiting in your name",
        "your travel is on the house, lessons included",
        "imagine four digits every few days",
        "i set aside a small treasure as your kickstart",
        "a brand new laptop could be yours by monday",
        "recruit a handful and the keys to a car are yours",
        "bills this month, consider them settled by me",
        "accept a little voucher, you earned it",
        "the profit comes by itself, promise",
        "joining costs nothing for you because i sponsor it",
        "slots vanish quickly, yours is reserved",
    ),
    ConversationStage.MEETING: (
        "time to shake hands, are you around on thursday",
        "drop by our rooms after dark, without company",
        "tell me your street and i will fetch you",
        "breakfast at the corner cafe by your home, my treat",
        "a chair in the conference hall has your name on it",
        "my train stops in your town at the weekend, see you then",
        "while the flat is empty i might visit with the contract",
        "nine sharp by the fountain, have your id with you",
        "some things cannot be explained by typing, let me show you",
        "where shall the courier, meaning me, deliver your package",
        "sitting across a table beats any chat",
    ),
}


@dataclass(frozen=True, slots=True)
class Talk:
    """What one account wrote, oldest first; `planted` marks the recruiter's lines."""

    account: str
    lines: tuple[str, ...]
    planted: tuple[bool, ...]


def positives(wording: dict[ConversationStage, tuple[str, ...]]) -> list[tuple[str, ConversationStage]]:
    """Every line of a wording with its stage."""
    return [(line, stage) for stage, lines in wording.items() for line in lines]


def first(talk: Talk, count: int = 40) -> Talk:
    """The first messages of a talk."""
    return Talk(talk.account, talk.lines[:count], talk.planted[:count])


def plant(talk: Talk, wording: dict[ConversationStage, tuple[str, ...]], share: float, chance: random.Random) -> Talk:
    """A talk in which a recruiter wrote that share of the lines, from the third on; stages advance with progress."""
    lines, planted = list(talk.lines), [False] * len(talk.lines)
    for place in range(2, len(lines)):
        if chance.random() >= share:
            continue
        progress = place / len(lines)
        at = min(len(STAGES) - 1, max(0, int(progress * len(STAGES) + chance.uniform(-1, 1))))
        lines[place] = chance.choice(wording[STAGES[at]])
        planted[place] = True
    return Talk(f"{talk.account}+{share}", tuple(lines), tuple(planted))


_RUDE = frozenset({"sex", "sexy", "fuck", "fucking", "porn", "nude", "naked", "horny"})
"""Conversations with a generic adult word are left out."""


def benign_talks(*, least: int = 20) -> list[Talk]:
    """What accounts of `chitchat-dataset` wrote, those with enough messages, in a fixed order."""
    return [
        Talk(sender, lines, (False,) * len(lines))
        for sender, lines in sorted(_lines_by_sender().items())
        if len(lines) >= least
    ]


@cache
def _lines_by_sender() -> Mapping[str, tuple[str, ...]]:
    """It takes half a second to read them."""
    import chitchat_dataset  # type: ignore[import-untyped]

    by_sender: dict[str, list[str]] = {}
    conversations: dict[str, int] = {}
    for conversation in chitchat_dataset.Dataset().values():
        said = [(one["sender"], one["text"]) for turn in conversation["messages"] for one in turn]
        if any(_RUDE & set(text.lower().split()) for _, text in said):
            continue
        for sender in {sender for sender, _ in said}:
            conversations[sender] = conversations.get(sender, 0) + 1
            if conversations[sender] <= 6:
                by_sender.setdefault(sender, []).extend(text for who, text in said if who == sender)
    return {sender: tuple(lines) for sender, lines in by_sender.items()}


def split(talks: Sequence[Talk], seed: int = 1) -> tuple[list[Talk], list[Talk], list[Talk]]:
    """A quarter to learn from, three eighths to calibrate by, three eighths to test with; no sender in two of them."""
    shuffled = list(talks)
    random.Random(seed).shuffle(shuffled)
    first, second = len(shuffled) // 4, len(shuffled) * 5 // 8
    return shuffled[:first], shuffled[first:second], shuffled[second:]
