"""The `flask` commands, run inside the test's process on one app."""

import json
from typing import Any

from flask import Flask


def run_command(app: Flask, *arguments: str) -> str:
    """Standard output of `flask ARGUMENTS`, which must succeed."""
    result = app.test_cli_runner().invoke(args=list(arguments))
    assert result.exit_code == 0, f"flask {' '.join(arguments)} ended with {result.exit_code}:\n{result.output}"
    return str(result.stdout)


def run_json(app: Flask, *arguments: str) -> Any:
    """The one JSON document that `flask ARGUMENTS --json` prints."""
    return json.loads(run_command(app, *arguments, "--json"))


def scim_path(app: Flask) -> str:
    """The path of the base URL, `/{workspace}/scim/v2`."""
    return str(run_json(app, "workspace")["scimPath"]).rstrip("/")


def create_key(app: Flask, name: str, *options: str) -> str:
    """A new access key, ready for the Authorization header."""
    return str(run_json(app, "keys", "create", name, *options)["key"])
