"""The file with certificates to trust in addition to those of the system."""

import ssl
import stat
import sys
from pathlib import Path

_LARGEST_FILE = 1_000_000  # bytes


def authorities_lines(file: str, place: str) -> list[str]:
    """Return the problem with the file of `tls_ca_file`, which is set in this place, if there is one; '' is no file."""
    trouble = authorities_trouble(Path(file)) if file else ""
    return [f"tls_ca_file {place} {trouble}"] if trouble else []


def authorities_trouble(path: Path) -> str:
    """Why a certificate file can't be used, as words that follow the setting's name; '' if it can."""
    try:
        authorities = path.stat()
        if not stat.S_ISREG(authorities.st_mode):
            return "must name a file; this is a folder or a device"
        if sys.platform != "win32" and authorities.st_mode & stat.S_IWOTH:
            return "must name a file that not every user can change: chmod 644 it"
        if authorities.st_size > _LARGEST_FILE:
            return "must name a file of certificates; this one is larger than 1 MB"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=str(path))
    except FileNotFoundError:
        return "must name a file that exists"
    except ssl.SSLError:
        return "must name a file with certificates in PEM form; this one holds none that can be read"
    except OSError:
        return "must name a file that the user of PlexSync may read"
    return "" if context.cert_store_stats()["x509"] else "must name a file with certificates in PEM form"
