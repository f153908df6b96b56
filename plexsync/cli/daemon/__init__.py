"""Support for long-running commands: signals, changed settings, the dashboard process, the end."""
