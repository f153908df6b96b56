"""Pictures for the simulated Stash: valid image files, made with the standard library only."""

import struct
import zlib

DEFAULT_IMAGE = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="320" height="180">'
    b'<rect width="320" height="180" fill="#777"/></svg>'
)


def png(red: int, green: int, blue: int, *, width: int = 16, height: int = 9) -> bytes:
    """A PNG of one colour, each channel 0-255; equal arguments give equal bytes."""
    row = b"\0" + bytes((red, green, blue)) * width
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(row * height)) + chunk(b"IEND", b"")
    )


def media_type(image: bytes) -> str:
    """The media type of an image, judged by its first bytes."""
    if image.startswith(b"\x89PNG"):
        return "image/png"
    if image.startswith(b"\xff\xd8"):
        return "image/jpeg"
    if image.startswith(b"<svg"):
        return "image/svg+xml"
    return "application/octet-stream"


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
