"""Closed sets of the rooms in words for people: states, queues, outcomes, roles. Other codes stay as they are.

The words are English, and the messages that catalogues translate.
"""

from collections.abc import Mapping

SAID = "said"
"""The context of what rooms say."""


def message(text: str) -> str:
    """Marks a text for `make messages`; it is translated where it is shown."""
    return text


def said(text: str) -> str:
    """Marks a text that is shown as what a room says."""
    return text


WORDS: Mapping[str, str] = {
    # cases, filings, notices
    "open": message("open"),
    "claimed": message("claimed"),
    "second-opinion": message("second opinion"),
    "escalated": message("escalated"),
    "decided": message("decided"),
    "ready": message("to be opened"),
    "opening": message("being opened"),
    "finishing": message("being finished"),
    "finished": message("finished"),
    "restarting": message("begins anew"),
    "retracting": message("being retracted"),
    "retracted": message("retracted"),
    "attention": message("needs a person"),
    "waiting": message("waits"),
    "sending": message("being sent"),
    "sent": message("sent"),
    "described": message("sent and described"),
    "answered": message("answered"),
    "withdrawn": message("withdrawn"),
    # why a case is there, and what came of it
    "match": message("match"),
    "unscreened": message("could not be screened"),
    "intake": message("reported to us"),
    "contact": message("contacts and conversations"),
    "appeal": message("appeal against a block"),
    "confirm": message("Confirm"),
    "reject": message("Reject"),
    "against-rules": message("Against the rules"),
    "escalate": message("Escalate"),
    "act": message("Act on ours"),
    "not-ours": message("Not ours"),
    "pass-on": message("Pass on"),
    "no-ground": message("No ground"),
    "uphold": message("Keep it listed"),
    "lift": message("Listed in error"),
    "removed": message("removed"),
    "not-found": message("not found"),
    "refused": message("refused, stays up"),
    "lifted": message("listed in error"),
    "upheld": message("stays listed"),
    # what points to an error
    "shared-host": message("a host of many"),
    "surge": message("asked for far too often"),
    "allow-list": message("on an allow list"),
    "given-up": message("given up by another source"),
    # live streams, what happens to them, and why
    "running": message("running"),
    "paused": message("paused"),
    "cut": message("cut"),
    "dropped": message("ended unwatched"),
    "ended": message("ended"),
    "admitted": message("admitted"),
    "cleared": message("first frame cleared"),
    "released": message("viewers let in again"),
    "sealed": message("last seconds sealed"),
    "cut-asked": message("a person asked to cut it"),
    "release-asked": message("a person asked to let viewers in"),
    "admitted-again": message("its publisher may come again"),
    "certain-match": message("a certain match"),
    "first-match": message("a first match"),
    "second-match": message("a second match"),
    "not-examined": message("it could not be examined"),
    "paused-for-too-long": message("it was paused for too long"),
    "ended-in-doubt": message("it ended while it was paused for a match"),
    "no-frame-cleared": message("no frame was cleared"),
    "unwatched": message("it was not watched"),
    "cut-by-person": message("a person cut it"),
    "release-by-person": message("a person let viewers in"),
    "service-stopped": message("the service was stopped"),
    "watcher-gone": message("the watching process is gone"),
    "receiver-gone": message("its receiver is gone"),
    # weak signals about streams
    "small-repeated-payments": message("small, repeated payments"),
    "payments-at-night": message("payments at the payer's night"),
    "payment-route": message("the payments' route"),
    "payment-wording": message("the payments' wording"),
    "few-viewers": message("few viewers"),
    "new-account": message("a new account"),
    "one-device-many-accounts": message("one device, many accounts"),
    "prior-report": message("reported before"),
    "moved-to-private": message("moved to somewhere private"),
    # what was screened
    "allow": message("allowed"),
    "hold": message("held"),
    "block": message("blocked"),
    # what notices name
    "url": message("address"),
    "item": message("our own item"),
    # what the public says
    "abuse-picture": message("a picture or video of abuse"),
    "grooming": message("an adult who approaches a child"),
    "extortion": message("somebody threatens with pictures"),
    "own-picture": message("a picture of the reporter as a child"),
    "other": message("something else"),
    # people
    "reviewer": message("reviewer"),
    "lead": message("lead"),
    "reporter": message("reporter"),
    "auditor": message("auditor"),
    "admin": message("admin"),
    "system": message("as the system"),
    "light": message("light"),
    "dark": message("dark"),
    # where reports go
    "test": message("test"),
    "production": message("production"),
    # units of plots
    "verdicts": message("verdicts"),
    "cases": message("cases"),
    "items": message("items"),
    "hours": message("hours"),
}
