from incseg.utils.pictures.files import (
    MOST_PIXELS,
    check_picture_name,
    decode_picture,
    load_picture,
    paint,
    read_picture,
    write_picture,
)

__all__ = [
    'MOST_PIXELS',
    'check_picture_name',
    'decode_picture',
    'load_picture',
    'paint',
    'read_picture',
    'write_picture',
]
