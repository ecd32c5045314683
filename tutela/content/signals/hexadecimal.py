"""Reading values that are written as hexadecimal digits."""

from tutela.errors import InvalidSignalError


def parse_hexadecimal(signal: str, text: str, width: int) -> bytes:
    """The `width` bytes that 2 x width digits stand for, in either case; blanks around them do not count.

    Raises InvalidSignalError that names the signal.
    """
    digits = text.strip()
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        value = b""
    if len(digits) != 2 * width or len(value) != width:  # blanks between digits make the value shorter
        shown = repr(text if len(text) <= 80 else text[:77] + "...")
        raise InvalidSignalError(
            "{signal} needs {value} hexadecimal digits, got {shown}", signal=signal, value=2 * width, shown=shown
        )
    return value
