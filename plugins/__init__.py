"""The bundled plugins, installed as the package `chatkit_plugins`."""
