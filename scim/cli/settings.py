"""`flask settings`: every setting with its value, source, default and help."""

from typing import Any

import click

from scim.cli.common import Command, command_without_database, echo, json_option, print_json
from scim.settings import VERSION, described
from scim.web.requests import perch


@click.command("settings", cls=Command)
@json_option
@click.option("--markdown", is_flag=True, help="Print names, defaults and help as a Markdown table.")
@command_without_database
def settings(as_json: bool, markdown: bool) -> None:
    """Show every setting with its value, source, default and help; secrets are hidden."""
    found = described(perch().settings)
    if as_json:
        print_json({"version": VERSION, "settings": found})
    elif markdown:
        echo("| variable | default | what it does |", "|---|---|---|")
        for each in found:
            default = f"`{each['default']}`" if each["default"] else ""
            echo(f"| `{each['name']}` | {default} | {each['help']} Takes {each['takes']}. |")
    else:
        echo(f"Perch {VERSION}; settings are environment variables.")
        for setting in found:
            echo("", *_paragraph(setting))


def _paragraph(setting: dict[str, Any]) -> tuple[str, str]:
    value = setting["value"] or "(empty)"
    default = setting["source"] == "default"
    source = "the default" if default else f"default {setting['default'] or '(empty)'}"
    place = "" if default else f"from the {setting['source']}, "
    return f"{setting['name']}={value}  ({place}{source})", f"    {setting['help']} Takes {setting['takes']}."
