"""Runs one program in its own process, by an order: one line of JSON on standard input.

The order holds what must not be on a command line: how to reach Stash, with a session cookie. The cookie is exchanged
once for Stash's API key, which stays in this process's memory. A program on the leash shuts down cleanly when its
standard input is closed. That happens when the process that started it ends, even if it is killed. Standard library
only.
"""

import contextlib
import json
import os
import re
import runpy
import signal
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request

# Stash answers this to its own plugins. A username means that there is a login.
SIGN_IN = 'query PlexSyncSignIn { configuration { general { apiKey username } plugins(include: ["StashPlexSync"]) } }'
SECONDS = 5.0
# Seconds for which a worker waits for a Stash that just restarts, and between two attempts.
RESTART, AGAIN = 20.0, 1.0
# Seconds for which a worker that a hook started waits for an API key: no hook starts another one in that time.
KEY_WAIT = 60.0
LONGEST = 2**20
ADDRESS, KEY = "PLEXSYNC_STASH_URL", "PLEXSYNC_STASH_API_KEY"
# For the worker: where it shows signs of life, with the name of Stash's address; and whether Stash itself gave its key.
LIFE, SIGNED_IN = "PLEXSYNC_LIFE", "PLEXSYNC_SIGNED_IN"
# What to do if the certificate of Stash is not trusted, or not for the address by which Stash is reached from itself.
CERTIFICATE_CURE = (
    "; set PLEXSYNC_STASH_URL to the name in its certificate, and PLEXSYNC_STASH_API_KEY, in the environment of Stash; "
    "PLEXSYNC_TLS_CA_FILE too if it is self-signed"
)
# Addresses that a server listens on but no client can connect to.
ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104


class NoEntry(Exception):
    """Stash can't be reached as this plugin; the message says what to do."""


class Unreachable(NoEntry):
    """Nothing answers there."""


class NoKey(NoEntry):
    """Stash has a login and no API key yet."""


def main() -> None:
    """Read the order, sign in to Stash, and become the program."""
    order = json.loads(_line())
    os.environ.update(order["environ"])
    # Don't import from this file's folder: its modules would shadow others of the same name.
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [*order["path"], *(place for place in sys.path if os.path.abspath(place) != here)]
    if order["leash"]:

        def end_with_it() -> None:
            # When the other end of standard input is closed, this process shuts down cleanly.
            while os.read(0, 1024):
                pass
            end_in_order()

        threading.Thread(target=end_with_it, name="leash", daemon=True).start()
    if order["server"] is not None:
        try:
            patience = RESTART if order.get("life") else 0.0
            sign_in(order["server"], patience=patience, key_patience=KEY_WAIT if order.get("unwatched") else 0.0)
        except NoKey as error:
            # A worker that has waited has not failed. The next hook starts another one.
            sys.stderr.write(f"plexsync: {error}\n")
            sys.exit(0 if order.get("unwatched") else 1)
        except NoEntry as error:
            sys.stderr.write(f"plexsync: {error}\n")
            sys.exit(1)
    if order.get("life") is not None:
        _tell_supervisor(order["life"])
    sys.argv = [order["module"], *order["words"]]
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)


def _tell_supervisor(life: "dict[str, str]") -> None:
    """Tell the supervisor how Stash was reached, for the next start; nothing else is written to standard output."""
    os.environ.setdefault(LIFE, json.dumps(life))
    environ = {name: os.environ[name] for name in (ADDRESS, KEY, SIGNED_IN, LIFE) if name in os.environ}
    # If the supervisor was killed, the worker goes on without it.
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(environ).encode() + b"\n")
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)


def _line() -> bytes:
    """Read the first line of standard input, unbuffered: later input is for the leash."""
    read = b""
    while not read.endswith(b"\n") and len(read) < LONGEST:
        more = os.read(0, 1 if read else LONGEST)
        if not more:
            break
        read += more
    return read


def end_in_order() -> None:
    """End this process as SIGTERM does, in good order if it is handled; from any thread."""
    if sys.platform == "win32":
        # On Windows `os.kill` ends the process at once; `raise_signal` calls the program's handler.
        signal.raise_signal(signal.SIGTERM)
    else:
        os.kill(os.getpid(), signal.SIGTERM)


def sign_in(server: dict[str, object], patience: float = 0.0, key_patience: float = 0.0) -> "dict[str, object] | None":
    """Put Stash's address and key into this process's environment, unless you have set others there.

    Returns the settings of the plugin; None if Stash was not asked. `patience`: seconds to wait for a Stash that can't
    be reached, and `key_patience` for one that has a login and no API key. Raises NoEntry.
    """
    if os.environ.get(ADDRESS):
        return None
    base = address(server)
    cookie = server.get("SessionCookie")
    began = time.monotonic()
    while True:
        try:
            general, plugins = _read_stash_settings(base, cookie if isinstance(cookie, dict) else {})
            key = str(general.get("apiKey") or "")
            if general.get("username") and not key and not os.environ.get(KEY):
                raise NoKey(
                    "Stash has a login but no API key: generate one in Stash under Settings, Security, then try again"
                )
            break
        except (Unreachable, NoKey) as error:
            if time.monotonic() + AGAIN > began + (key_patience if isinstance(error, NoKey) else patience):
                raise
        time.sleep(AGAIN)
    os.environ[ADDRESS] = base
    if not os.environ.get(KEY):
        os.environ[SIGNED_IN] = "1"
    if key:
        os.environ.setdefault(KEY, key)
    return next((settings for settings in plugins.values() if isinstance(settings, dict)), {})


def address(server: dict[str, object]) -> str:
    """Return the URL of Stash on its own machine; raises NoEntry."""
    host, port, scheme = str(server.get("Host") or ""), server.get("Port"), str(server.get("Scheme") or "http")
    if scheme not in ("http", "https") or type(port) is not int or not re.fullmatch(r"[\w.:\[\]-]*", host):
        raise NoEntry("Stash does not say where it answers: set PLEXSYNC_STASH_URL in the environment of Stash")
    host = ANYWHERE.get(host, f"[{host}]" if ":" in host and not host.startswith("[") else host)
    return f"{scheme}://{host}:{port}"


def _read_stash_settings(base: str, cookie: dict[str, object]) -> "tuple[dict[str, object], dict[str, object]]":
    """Return the general settings of Stash, and those of plugins; raises NoEntry."""
    headers = {"Content-Type": "application/json"}
    name, value = cookie.get("Name"), cookie.get("Value")
    if isinstance(name, str) and isinstance(value, str) and re.fullmatch(r"[\x21-\x3a\x3c-\x7e]+", name + value):
        headers["Cookie"] = f"{name}={value}"
    request = urllib.request.Request(f"{base}/graphql", json.dumps({"query": SIGN_IN}).encode(), headers)  # noqa: S310 - the scheme is checked
    # A local server needs no proxy, and a redirect could send the cookie to another machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _StayHere())
    try:
        with opener.open(request, timeout=SECONDS) as answer:
            configuration = json.loads(answer.read(LONGEST))["data"]["configuration"]
            general, plugins = configuration["general"], configuration.get("plugins")
    except urllib.error.HTTPError as error:
        error.close()
        raise NoEntry(f"Stash does not let its plugin in (it answers {error.code}): log in to Stash anew") from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        cure = CERTIFICATE_CURE if isinstance(reason, ssl.SSLError) else ""
        raise Unreachable(f"Stash can't be reached at {base} from its own plugin: {_words(reason)}{cure}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise NoEntry(f"what answers at {base} is no Stash") from None
    return general if isinstance(general, dict) else {}, plugins if isinstance(plugins, dict) else {}


def _words(error: object) -> str:
    """Describe a network error in one line."""
    return " ".join(str(getattr(error, "strerror", None) or error).split())[:200]


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow no redirect."""


if __name__ == "__main__":
    main()
