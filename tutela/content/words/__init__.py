"""Words: listed terms found in text in one pass, however they are written, and texts known as a whole.

Flow: text → folded natively (case, accents, widths, look-alikes) → an automaton over every listed term, as written and
closed up (`s p a c e d`, `streeetched`) → samples of the signal types `keyword` and `text`. A word alone never blocks.
"""

from tutela.content.words.fold import fold, folding
from tutela.content.words.keyword import KEYWORD, counts_in
from tutela.content.words.text import TEXT, text_sample

__all__ = ["KEYWORD", "TEXT", "counts_in", "fold", "folding", "text", "text_sample"]
