"""The `flask` commands, run on an app inside the test's process."""

import json
from typing import Any

from flask import Flask


def run_command(app: Flask, *arguments: str) -> str:
    """Run `flask ARGUMENTS`, which must succeed, and return its standard output."""
    result = app.test_cli_runner().invoke(args=list(arguments))
    assert result.exit_code == 0, f"flask {' '.join(arguments)} ended with {result.exit_code}:\n{result.output}"
    return str(result.stdout)


def run_json(app: Flask, *arguments: str) -> Any:
    """Return the JSON document that `flask ARGUMENTS --json` prints."""
    return json.loads(run_command(app, *arguments, "--json"))


def scim_path(app: Flask) -> str:
    """Return the path of the base URL, `/{workspace}/scim/v2`."""
    return str(run_json(app, "workspace")["scimPath"]).rstrip("/")


def create_key(app: Flask, name: str, *options: str) -> str:
    """Create an access key and return it as text for the Authorization header."""
    return str(run_json(app, "keys", "create", name, *options)["key"])
