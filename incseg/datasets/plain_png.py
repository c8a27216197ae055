"""The kind of PNG that label maps are, read past the general decoder."""
import struct

import numpy as np

try:  # inflates three to four times as fast as zlib
    from isal.isal_zlib import decompressobj, error
except ImportError:  # no build of it for this machine
    from zlib import decompressobj, error  # type: ignore[assignment]

SIGNATURE = b'\x89PNG\r\n\x1a\n'
GREY, PALETTE = 0, 3
#: larger ones are left to PIL, which refuses what would fill the memory
MOST_PIXELS = 1 << 26


def read_plain_png(data: bytes) -> np.ndarray | None:
    """The ids of an 8-bit palette or grey PNG whose rows are stored as they are.

    That is how label maps are written: prediction from neighbours (PNG's
    filters) does not pay for indices of a palette.  Inflating is then all
    there is to decode.

    Args:
        data: The file's content.

    Returns:
        uint8 ``(H, W)``, read-only; None for any other file, a damaged one
        too, which a general decoder should look at.
    """
    if len(data) < 33 or data[:8] != SIGNATURE or data[12:16] != b'IHDR':
        return None
    width, height, depth, colour, *rest = struct.unpack('>IIBBBBB', data[16:29])
    if depth != 8 or colour not in (GREY, PALETTE) or any(rest):  # rest: interlaced, say
        return None
    if not 0 < width * height <= MOST_PIXELS:
        return None
    expected = height * (width + 1)  # each row begins with its filter
    stream = decompressobj()
    try:
        raw = stream.decompress(compressed(data), expected + 1)
    except error:  # type: ignore[misc]
        return None
    if len(raw) != expected or not stream.eof:
        return None
    rows = np.frombuffer(raw, np.uint8).reshape(height, width + 1)
    return None if rows[:, 0].any() else rows[:, 1:]


def compressed(data: bytes) -> bytes:
    """The image data of a PNG: its IDAT chunks, joined."""
    parts, start = [], 8
    while start + 12 <= len(data):
        length = int.from_bytes(data[start:start + 4], 'big')
        if data[start + 4:start + 8] == b'IDAT':
            parts.append(data[start + 8:start + 8 + length])
        start += length + 12
    return b''.join(parts)
