"""Fixtures that every suite may use."""

pytest_plugins = ["lab_fixtures", "cli_fixtures"]
