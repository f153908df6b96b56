"""Looks: one setting that sets others, as far as you have set them nowhere yourself.

The names of a look are values of the setting `look`. `plain` sets nothing.
"""

from collections.abc import Mapping

SETTING = "look"
# What each look sets, as plexsync.toml would say it.
LOOKS: Mapping[str, Mapping[str, object]] = {
    "plain": {},
    "rich": {
        "tagline_template": "{code}",
        "date_added": "created",
        "performer_name": "{name}[ ({disambiguation})]",
        "background": "cover",
        "collection_parts": ("name", "summary", "poster", "background", "order"),
        "collection_sort": ("studio => 1 {name}", "groups => 2 {name}", "tags => 3 {name}"),
        "collection_minimum": 2,
    },
}


def look_of(values: Mapping[str, object]) -> Mapping[str, object]:
    """What the look in `values` sets that they do not have; nothing for a look that does not exist."""
    presets = LOOKS.get(str(values.get(SETTING, "")), {})
    return {name: value for name, value in presets.items() if name not in values}
