"""Decodes Stash's answers about plugins, in the way of `plexsync.stash.answers`."""

import msgspec


class InstalledPlugin(msgspec.Struct):
    """An installed plugin."""

    id: str
    enabled: bool
    version: str | None = None


class InstalledPlugins(msgspec.Struct):
    """The data of the query PLUGINS."""

    plugins: list[InstalledPlugin] | None


class Plugins(msgspec.Struct):
    """Plugin settings, by plugin."""

    plugins: dict[str, dict[str, object] | None]


class PluginSettings(msgspec.Struct):
    """The data of the query PLUGIN_SETTINGS."""

    configuration: Plugins
