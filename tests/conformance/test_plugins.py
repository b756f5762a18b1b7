"""Bundled plugins do what the contract asks."""

import pytest

from chatkit_server.testing.conformance import PluginContract


class TestAnonymous(PluginContract):
    @pytest.fixture
    def plugin(self):
        return "anonymous_auth"


class TestShowcase(PluginContract):
    @pytest.fixture
    def plugin(self):
        return "showcase"


class TestTitles(PluginContract):
    @pytest.fixture
    def plugin(self):
        return "titles"
