"""`make bench`: prints what PlexSync costs. Read ratios, not absolutes: machines are noisy."""

import argparse
from collections.abc import Iterable

from bench import bulk, edit, first, hook, idle, order, pages, provider, queues, quick, requests, scale, stores


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--scenes", type=int, default=1000)
    parser.add_argument(
        "--large", action="store_true", help="10,000 and 100,000 scenes, and a group of 2,000 in reverse"
    )
    parser.add_argument(
        "--since", default="", metavar="COMMIT", help="compare a first sync with the code of this commit"
    )
    options = parser.parse_args()
    if options.large:
        _print(scale.report([10_000, 100_000]))
        print()
        _print(provider.report([10_000, 100_000]))
        print()
        _print(order.report())
        return
    _print(first.report(options.since))
    print()
    print(requests.HEAD)
    for latency in (0.0, 0.025):
        for poster in ("none", "cover"):
            for cost in requests.measure(options.scenes, latency, poster):
                print(cost.line())
            for cost in requests.measure(options.scenes, latency, poster, serves=True):
                print(cost.line())
    print(edit.report())
    print()
    _print(idle.report(10 * options.scenes))
    print()
    medians = hook.measure()
    bare = next(iter(medians.values()))
    print(f"{'process':34} {'median ms':>9} {'x bare':>9}")
    for name, taken in medians.items():
        print(f"{name:34} {taken:9.1f} {taken / bare:9.2f}")
    print()
    _print(bulk.report())
    print()
    _print(quick.report())
    print()
    _print(scale.report([options.scenes]))
    print()
    _print(pages.report(2 * options.scenes))
    print()
    _print(provider.report([10 * options.scenes]))
    print()
    _print(order.report(options.scenes // 10))
    print()
    _print(queues.report())
    print()
    _print(stores.report())


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
