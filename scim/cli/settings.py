"""`flask settings`: every setting with its value, source, default and help."""

import click

from scim.cli.common import Command, command_without_database, echo, json_option, print_json
from scim.settings import VERSION, described
from scim.web.requests import perch


@click.command("settings", cls=Command)
@json_option
@click.option("--markdown", is_flag=True, help="Print names, defaults and help as a Markdown table.")
@command_without_database
def settings(as_json: bool, markdown: bool) -> None:
    """Show every setting with its value, source and default. Secrets are hidden."""
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
        for each in found:
            other = f"from the {each['source']}, default {each['default'] or '(empty)'}"
            source = "the default" if each["source"] == "default" else other
            echo("", f"{each['name']}={each['value'] or '(empty)'}  ({source})")
            echo(f"    {each['help']} Takes {each['takes']}.")
