"""Closed sets of the rooms in words for people: states, queues, outcomes, roles. Other codes stay as they are.

The words are English, and the messages that catalogues translate.
"""

from collections.abc import Mapping

from tutela.content.media.content import Shortcoming
from tutela.errors import message

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

REASONS: Mapping[str, str] = {
    Shortcoming.EMPTY: message("there is no content"),
    Shortcoming.TOO_MANY_BYTES: message("the content is larger than the limit"),
    Shortcoming.TOO_MANY_PIXELS: message("the picture has more pixels than the limit"),
    Shortcoming.UNKNOWN_TYPE: message("the content is of no known type"),
    Shortcoming.UNSUPPORTED_TYPE: message("content of this type is not screened here"),
    Shortcoming.UNREADABLE: message("the content cannot be decoded"),
    Shortcoming.DAMAGED: message("the content is damaged"),
    Shortcoming.PARTLY_SCREENED: message("only a part of the content could be screened"),
    Shortcoming.OUT_OF_MEMORY: message("decoding needs more memory than allowed"),
    Shortcoming.TIMEOUT: message("decoding took longer than allowed"),
    Shortcoming.DECODER_CRASH: message("the decoder process ended on this content"),
    Shortcoming.BUSY: message("no decoder was free in time"),
    Shortcoming.ENCRYPTED: message("it opens only with a password"),
    Shortcoming.TOO_DEEP: message("it has too many containers in each other"),
    Shortcoming.TOO_MANY_PARTS: message("it has more parts than the limit"),
    Shortcoming.EXPANDS_TOO_FAR: message("it expands further than the limit"),
    Shortcoming.UNKNOWN_PART: message("a part of it is of no known type"),
    Shortcoming.NOT_RENDERED: message("it is not drawn as a viewer would draw it"),
    Shortcoming.TRAILING_DATA: message("unknown data stands behind the end of the file"),
}
"""Why content was held that no list knows."""
