"""What Stash says of itself: its state, its version, its configuration file, and its plugins."""

import msgspec


class Status(msgspec.Struct):
    """The state of Stash itself."""

    status: str


class Probed(msgspec.Struct):
    """The data of the query PROBE."""

    systemStatus: Status


class ConfigFile(msgspec.Struct):
    """The path of Stash's configuration file."""

    configPath: str | None


class ConfigPath(msgspec.Struct):
    """The data of the query CONFIG_PATH."""

    systemStatus: ConfigFile


class VersionText(msgspec.Struct):
    """The version; a custom build may have none."""

    version: str | None


class Version(msgspec.Struct):
    """The data of the query VERSION."""

    version: VersionText


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
