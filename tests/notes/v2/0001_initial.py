from importlib import import_module

Migration = import_module("tests.notes.v1.0001_initial").Migration
