"""Types of the native core. Arrays must be C-contiguous."""

import numpy as np
import numpy.typing as npt

Source = tuple[int, int, int]
"""(height, width, eighths): the picture that the pixels were brought down from by the decoder, to so many eighths."""

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.float32]

class CorruptSegmentError(Exception): ...

def leave_namespaces(flags: int) -> int:
    """Part from the namespaces that CLONE_NEW* flags name. As the following: 0, or the error number that says why not.

    None of the following can be undone.
    """

def empty_root() -> int:
    """Make an empty folder the root of all paths; needs a mount namespace of its own."""

def drop_capabilities() -> int:
    """Give up every capability."""

def forbid_new_privileges() -> int:
    """Let no program that is run give this process anything."""

def landlock_version() -> int:
    """The version of Landlock that the kernel has; 0 without it."""

def restrict_files() -> int:
    """Forbid by Landlock to open, make, change, rename or run any file."""

def filter_system_calls() -> int:
    """Forbid by seccomp every system call but those that decoding in memory needs; a refused one answers EPERM."""

def allowed_system_calls() -> list[str]:
    """The names of those that remain."""

def forbid_dumps() -> int:
    """Let nobody read this process's memory or take a dump of it."""

def end_with_parent() -> int:
    """Let the end of the thread that started this process end it too; forgotten when privileges change."""

def fork_for_parent() -> int:
    """Fork a child of this process's parent, who alone can wait for it: 0 in the child, its number here, or the error
    number negated. What runs in the child may only fork and wait."""

def end_on_alarm() -> int:
    """Let an alarm end the process, also the first process of a namespace."""

def digests(data: bytes | memoryview) -> tuple[bytes, bytes, bytes] | None:
    """(MD5, SHA-1, SHA-256) of all the data, in one pass; None where the processor has no instructions for SHA."""

class Framing:
    """How far a stream in frames of INSTREAM is."""

    left: int
    """Bytes of content until the next length."""
    announced: int
    """Bytes of content that the lengths so far speak of."""

    def look(self, buffer: memoryview) -> tuple[int, int, int]:
        """Take what is there, and move content together to the buffer's beginning: how many bytes of content, how many
        of the buffer are done with, and of the stream's end how many are not."""

    def receive(self, socket: int, room: memoryview, in_session: bool) -> tuple[int, int, int]:
        """Take what waits in a socket, but never the stream's end: how many bytes waited, how many of content are in
        the room now, and how many of the end stay in the kernel. Raises OSError."""

class Gatherer:
    """Streams in frames of INSTREAM that a thread gathers, by their sockets' numbers."""

    def __init__(self, alarm: int) -> None:
        """Where `take` is to be called, a byte is sent to the socket of that number."""

    def add(
        self, socket: int, framing: Framing, room: memoryview, in_session: bool, most: int, there: int, took_s: float
    ) -> None:
        """Gather a stream into the room, after a look at which so much was there, and that took so long."""

    def take(self) -> list[tuple[int, int, int, int, int]]:
        """Those that are gathered no longer: their socket, then as of `Framing.receive`, with all content that nobody
        counted, and an error's number or zero."""

    def count(self, socket: int) -> int:
        """Bytes of content in the room that nobody counted yet."""

    def remove(self, socket: int) -> int:
        """The same, and the stream is gathered no longer."""

def is_text(data: bytes | memoryview) -> bool:
    """Whether no byte is a control character but tabs, ends of lines and pages, and escapes."""

def base64_runs(data: bytes | memoryview) -> list[tuple[int, int]]:
    """(begin, end) of every long run of base64: four rows of sixteen letters, with up to sixteen breaks between them
    (white space, quotes, commas, and their escapes), or one row of 240; with the letters that follow, and padding."""

def base64_groups(data: bytes | memoryview) -> list[tuple[int, int]]:
    """(begin, end) of every run of letters of base64 in groups of one length, 4 to 64, with a space behind each: 64
    groups or more, with the letters that follow, at most as many as a group has."""

def tight_runs(data: bytes | memoryview) -> list[tuple[int, int]]:
    """(begin, end) of every run of lines of printable ASCII without a space: 48 letters or more in each line, and a
    shorter one as the last."""

def markup_runs(data: bytes | memoryview) -> list[tuple[int, int]]:
    """(begin, end) of every run of printable ASCII and white space that begins with an element's beginning, `<` and a
    letter, and closes it: eight bytes or more, with up to two others in a row between."""

def block_letters(data: bytes | memoryview) -> int:
    """How many letters of UTF-8 that are blocks, dots, circles or squares stand in rows of eight or more, with nothing
    but ASCII and blanks between two, 200 bytes at most."""

def has_row(data: bytes | memoryview, letters: bytes, length: int) -> bool:
    """Whether so many bytes in a row are among the letters: 256 bytes, 1 for each that is. Raises ValueError."""

def pdq(pixels: Pixels, source: Source | None = None) -> tuple[bytes, int]:
    """The 32-byte hash and the quality 0-100 of (h, w) luma, uint8 or float32, or (h, w, 3) RGB, uint8.

    Under 5 pixels on a side: a zero hash at quality 0. Raises TypeError or ValueError for another type or shape.
    """

def pdq_dihedral(pixels: Pixels, source: Source | None = None) -> tuple[tuple[bytes, ...], int]:
    """The hashes of the picture as it is, turned 90, 180, 270 degrees counter-clockwise, upside down, mirrored,
    transposed, transposed over the other diagonal; and the quality."""

def pdq_turned(pixels: Pixels, source: Source | None = None) -> tuple[tuple[bytes, ...], int, int]:
    """The hashes that the picture would have, turned each way, in the order of `pdq_dihedral`; and two qualities.

    The second is of the turned: 0 where there is next to nothing as coarse as what is hashed, as in a grid of lines.

    `pdq_dihedral` turns after PDQ's own grid was laid, as the reference does, and so comes 4 bits off at the median.
    """

def pdq_variety(value: bytes) -> float:
    """How many-sided what a hash shows is: 1 where it is one shape, about 8 for chance. Turning changes it little.

    The participation ratio of the singular values of the hash as 16 rows of 16 signs. Raises ValueError unless the hash
    has 32 bytes.
    """

def pdq_downsample(pixels: Pixels, source: Source | None = None) -> npt.NDArray[np.float32]:
    """The picture brought down to (64, 64) luma, as PDQ does."""

def jpeg_luma(file: bytes | memoryview, min_side: int, seed: int | None = None) -> npt.NDArray[np.uint8] | None:
    """The luma (h, w) of a baseline JPEG, scaled by the fewest eighths that leave its short side `min_side` pixels.

    None where these are more than four, and for every file that is not baseline, or not as ITU-T T.81 says from the
    first bit of its scan to the last.
    """

def find_literals(data: bytes | memoryview, literals: list[bytes], most: int | None = None) -> list[tuple[int, int]]:
    """(place, number of the literal) in order, of each literal of two bytes at least; the first `most` of them.
    Overlapping ones are found. Literals that begin with one byte are found much faster."""

def gif_block(file: bytes | memoryview, end: int) -> tuple[int, int, int] | None:
    """(introducer, where it begins, where it ends) of the first frame, graphic control or trailer of a GIF behind a
    block that ends there; 0 stands for the head. What is no block is passed over."""

def gif_extension(file: bytes | memoryview, begin: int, label: int, fewest: int) -> tuple[bytes, int] | None:
    """(what its pieces hold together, where they end) of the next extension of a GIF from there on with that label, of
    those in several pieces that hold as many bytes."""

def jpeg_marker(file: bytes | memoryview, begin: int) -> int | None:
    """Where the next marker in a scan is, from a byte on: no stuffing, restart or fill byte. None where none is."""

def pdq_views(
    luma: npt.NDArray[np.uint8], corners: npt.NDArray[np.float64], turned: int = 0
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """(hashes (n + 7 turned, 32), qualities (n,)) of the views of (h, w) luma with the given (n, 4, 2) corners.

    Corners are left-top, right-top, right-bottom, left-bottom as (x, y) in fractions; beyond the picture is its mirror
    image. The first `turned` views have eight hashes each, in the order of `pdq_dihedral`. A view that is no convex
    quadrilateral of some size, or reaches more than four pictures away, hashes to zero at quality 0.
    """

class Canvas:
    """(h, w) luma that views are found in and taken from. Raises ValueError when it is empty.

    Corners are as in `pdq_views`; bounds are left, top, right, bottom in fractions.
    """

    def __init__(self, luma: npt.NDArray[np.uint8]) -> None: ...
    def views(
        self,
        pieces: int,
        rectangles: int,
        landmarks: int,
        window: float,
        inner: int,
        sure: float,
        edges: npt.NDArray[np.float64],
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
        """(n,) numbers of the families and (n, 4, 2) corners of all that is to be looked up inside.

        First `tilted` pictures (family 0), at most so many pieces (1) and rectangles (2) as in `pictures`, then the
        (edges, 4, 2) parts at the sides (3) and `windows` around landmarks (4): those of the whole, and of each upright
        picture inside with a score of at least `sure`, of at most `inner` pictures with the tilted ones.
        """

    def tilted(self) -> npt.NDArray[np.float64]:
        """(n, 4, 2) corners of a tilted picture on plain ground: as a rectangle, then as what else it is."""

    def cut_out(self, corners: npt.NDArray[np.float64], least: int) -> Canvas | None:
        """The (4, 2) quadrilateral as a picture of its own at the same scale, between the four nearest pixels.

        What lies outside is black. None where a side would have fewer than `least` pixels, or over four times the
        longer of the picture's.
        """

    def hashes(
        self, corners: npt.NDArray[np.float64], turns: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """(hashes, 32), (n,) qualities and (n,) filled fields of (n, 4, 2) views; what is no view, as in `pdq_views`.

        Of a view's 8x8 fields those are filled in which neighbours, of 64x64, differ by four steps of brightness.

        Bit i of a view's (n,) turns asks for its hash turned in way i of `pdq_dihedral`.
        """

    def pictures(
        self, most_pieces: int, most_rectangles: int
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32], int]:
        """(n, 4, 2) corners of the upright pictures inside, likeliest first; how sure each is; how many are pieces.

        Pieces, which a border or plain ground sets apart, come first. The others are rectangles of edges.
        """

    def windows(
        self, bounds: tuple[float, float, float, float], limit: int, window: float, scale: float
    ) -> npt.NDArray[np.float64]:
        """(n, 4, 2) corners of square windows around the landmarks of a part, strongest first.

        `window` is their side as a share of the root of the part's area, `scale`, from 0.25 to 1, the root of the
        share of it that a crop would leave. Raises ValueError for others.
        """

def simd() -> str:
    """The instruction-set level in use: the fastest this processor has, or TUTELA_SIMD."""

def simd_levels() -> list[str]:
    """The levels that this processor can run, slowest first."""

def select_simd(level: str) -> None:
    """Use another level. Raises ValueError for one that this processor cannot run."""

class Segment:
    """A mapped file of hashes and keys. Raises CorruptSegmentError, OSError."""

    def __init__(self, path: str) -> None: ...
    def __len__(self) -> int: ...
    def search(self, query: bytes, radius: int) -> list[tuple[int, int]]:
        """(key, distance) of every hash within the radius, unordered."""

    def search_many(
        self, queries: npt.NDArray[np.uint8], radius: int
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint64], npt.NDArray[np.uint32]]:
        """(query numbers, keys, distances) of every hit of each row of a (n, 32) array."""

    def rows(self, begin: int, end: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64]]:
        """(hashes (n, 32), keys (n,)) of a range of rows."""

    def bytes(self) -> memoryview:
        """The whole file, read-only."""

def build_segment(path: str, hashes: npt.NDArray[np.uint8], keys: npt.NDArray[np.uint64]) -> None:
    """Write a new segment file of (n, 32) hashes and (n,) keys, flushed to the disk. Raises OSError."""

def scan(
    hashes: npt.NDArray[np.uint8], query: bytes, radius: int
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """(rows, distances) of every row of (n, 32) hashes within the radius, in row order."""

class CorruptPrefixesError(Exception): ...

class Prefixes:
    def __init__(self, path: str) -> None: ...
    def __len__(self) -> int: ...
    def search_many(self, values: bytes) -> list[list[int]]: ...
    def may_hold(self, values: bytes) -> bool: ...
    def rows(self, begin: int, end: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64]]: ...
    def bytes(self) -> memoryview: ...
    def forget_tail(self) -> None: ...

def build_prefixes(path: str, values: npt.NDArray[np.uint8], keys: npt.NDArray[np.uint64]) -> None: ...
def parse_link(
    text: bytes, as_browser: bool = True, mapped_host: bytes = b""
) -> tuple[str, str, str | None, bool] | bytes | None: ...
def look_up_link(text: bytes, mapped_host: bytes = b"") -> tuple[bytes, bytes, bytes] | bytes | None: ...
def sha256(text: bytes) -> bytes: ...

class CorruptPatternsError(Exception): ...

class Folding:
    def __init__(self, begins: npt.NDArray[np.uint32], letters: npt.NDArray[np.uint32]) -> None: ...
    def fold(self, text: bytes) -> str: ...

class Patterns:
    def __init__(self, data: npt.NDArray[np.uint8]) -> None: ...
    def __len__(self) -> int: ...
    def find(self, text: bytes, folding: Folding) -> list[tuple[bytes, int, int]]: ...
    def keys_of(self, value: bytes) -> list[int]: ...
    def rows(self, begin: int, end: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64]]: ...

def build_patterns(values: npt.NDArray[np.uint8], keys: npt.NDArray[np.uint64]) -> bytes: ...

class RiskTable:
    """Accounts and pairs as numbers that fade. For one thread at a time, `trusting` for any; layouts as in
    native/risk.hpp."""

    def __init__(self) -> None: ...
    def set_weights(self, scale: list[float], weight: list[float]) -> None:
        """Of each counter: where its evidence is full, and how much it is then. Raises ValueError."""

    def set_gates(self, gates: list[tuple[int, float]]) -> None:
        """(feature, value): reaching one of them is a crossing. Raises ValueError."""

    def apply(
        self, events: bytes
    ) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], npt.NDArray[np.uint32], npt.NDArray[np.float32]]:
        """Take records of 80 bytes; (accounts, positions, seconds, features) of the crossings. Raises ValueError."""

    def features(self, account: int) -> npt.NDArray[np.float32] | None:
        """The features of an account, in the order of `risk_feature_names`."""

    def account(self, account: int) -> bytes | None:
        """The record of an account, 144 bytes."""

    def pairs_of(self, account: int) -> bytes:
        """The records of pairs that it is the sender of, 40 bytes each."""

    def came_first(self, sender: int, recipient: int) -> bool:
        """Whether the sender came to the recipient as a stranger, first and one to one, and that one is under 18."""

    def trusting(self, accounts: list[int], least: float) -> npt.NDArray[np.uint8]:
        """1 for each account whose feature `trust` is at least that, else 0; any thread may ask."""

    def set_level(self, account: int, level: int, at_s: int) -> None:
        """Write down the level that was raised for an account."""

    def forget_before(self, at_s: int) -> int:
        """Forget what was silent since; how many records."""

    def digest(self) -> int:
        """Equal for equal states."""

    def account_chunks(self) -> int:
        """How many chunks of accounts there are."""

    def account_chunk(self, number: int) -> bytes:
        """The records of one."""

    def pair_chunks(self) -> int:
        """How many chunks of pairs there are."""

    def pair_chunk(self, number: int) -> bytes:
        """The records of one."""

    def load_accounts(self, records: bytes) -> None:
        """Put records in that chunks had. Raises ValueError."""

    def load_pairs(self, records: bytes) -> None:
        """The same of pairs."""

    def seen_ids(self, which: int) -> bytes:
        """Of the events taken lately (0) or before (1)."""

    def load_seen_ids(self, which: int, ids: bytes, count: int, since_s: int) -> None:
        """Put them back."""

    @property
    def seen_counts(self) -> tuple[int, int, int]:
        """How many ids are in each set, and since when the first collects."""

    @property
    def accounts(self) -> int: ...
    @property
    def pairs(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...
    @property
    def odd(self) -> tuple[int, int, int]:
        """Events that were repeated, that came too late, and that came from the future."""

def risk_feature_names() -> list[str]:
    """The names of features, in their order."""

def pseudonyms(names: list[str], first: int, second: int) -> npt.NDArray[np.uint64]:
    """SipHash-2-4 of each name under the key of two halves; 0 for an empty name, and for no other."""

def normal_form(text: str, folding: Folding) -> tuple[str, npt.NDArray[np.uint32]]:
    """The letters by which messages are compared, and for each where in the text it came from, in code points."""

def familiarity(texts: list[str], folding: Folding, known: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Of each text its words, those that are not in a set of `known_words`, its letters, and those that are not: shape
    (texts, 4)."""

def known_words(words: list[str]) -> npt.NDArray[np.uint8]:
    """A set of words in their normal form, a bit for each of 2 ** 20 places; shape (2 ** 17,)."""

def train_head(
    texts: list[str],
    folding: Folding,
    targets: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float32],
    bits: int,
    by_words: bool,
    epochs: int,
    rate: float,
    decay: float,
    constant: float,
) -> npt.NDArray[np.float32]:
    """Weights of a linear head over hashed n-grams, by words or by sound, 2 ** bits and a constant; equal for equal
    texts in equal order."""

def head_sums(
    texts: list[str], folding: Folding, head: npt.NDArray[np.int8], by_words: bool
) -> npt.NDArray[np.float32]:
    """What one head of 2 ** 20 weights comes to in each text, over the square root of its n-grams; -1e9 for a text
    without any. Raises ValueError for another size."""

class TalkHeads:
    """Linear heads of messages: a main one of 2 ** 20 places, and 16 others of 2 ** 17."""

    def __init__(self, main: npt.NDArray[np.int8], other: npt.NDArray[np.int8]) -> None:
        """Raises ValueError for other sizes."""

    def score(
        self, texts: list[str], folding: Folding, drift: float
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Sums by sound: of the main head as `head_sums` has them, shape (texts,), and plain ones of the others,
        (texts, 16), zeros where the first is under drift."""
