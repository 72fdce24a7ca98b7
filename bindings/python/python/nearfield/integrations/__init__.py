"""Adapters for frameworks, each in a module that needs the framework's package."""
